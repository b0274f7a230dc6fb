"""Operators for tests, and the time in which they wait."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from checkpoints.errors import CheckpointError
from checkpoints.operating.cli import Connection, operator_commands
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER

LINE = Line("phishing")
NOW_MS = 1_700_000_000_000


class Steady:
    """Time that passes while somebody waits; others may live meanwhile."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.meanwhile = lambda: None

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        self.meanwhile()


def an_operator(store, steady, *, who: str = "ann@host", **more) -> Operator:
    """`more` is about the waiting."""
    clock = {"clock_ms": lambda: NOW_MS}
    enforcement = Enforcement(store=store, steady_s=steady, pause=steady.pause, **clock, **more)
    return Operator(store, OPERATOR, VERIFIER, who=who, enforcement=enforcement, **clock)


def order(command: str, to: str | None = None, **more) -> Order:
    if command == "rollback":
        more = {"mode": "forget", **more}
    return Order(command=command, to=to, **{"reason": "because", **more})


def rewind(to: str, *skip: str, **more) -> Order:
    return order("rollback", to, mode="rewind", skip=skip, **more)


def state(store):
    return LineReader(store, VERIFIER, LINE).checked()


def audit(store):
    return [control.record for control in LineReader(store, VERIFIER, LINE).audit(limit=1000)]


def command_line(store):
    """A function that runs a command of `weir` on `store`: its exit code, and what it says."""
    keys = Keys(learner=LEARNER, operator=OPERATOR, verifier=VERIFIER)
    app = operator_commands(lambda *_: Connection(store=store, keys=keys, who="ann"), _guarded)

    def run(*words: str):
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.stdout or done.stderr

    return run


def _guarded(function):
    def run(**given):
        try:
            function(**given)
        except CheckpointError as error:
            typer.echo(f"weir: {error}", err=True)
            raise typer.Exit(error.exit_code) from error

    vars(run)["__signature__"] = function.__signature__
    run.__annotations__ = function.__annotations__
    return run
