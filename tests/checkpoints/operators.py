"""Operators for tests, and the time in which they wait."""

from __future__ import annotations

from checkpoints.commands import Operator
from checkpoints.line import Line
from checkpoints.orders import Order
from checkpoints.reader import LineReader
from tests.checkpoints.builders import OPERATOR, VERIFIER

LINE = Line("phishing")


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


def an_operator(store, steady, *, who: str = "ann@host") -> Operator:
    return Operator(
        store, OPERATOR, VERIFIER, who=who,
        clock_ms=lambda: 1_700_000_000_000, steady_s=steady, pause=steady.pause,
    )  # fmt: skip


def order(command: str, to: str | None = None, **more) -> Order:
    if command == "rollback":
        more = {"mode": "forget", **more}
    return Order(command=command, to=to, **{"reason": "because", **more})


def state(store):
    return LineReader(store, VERIFIER, LINE).checked()


def audit(store):
    return [control.record for control in LineReader(store, VERIFIER, LINE).audit(limit=1000)]
