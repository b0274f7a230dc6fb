"""What operators type: commands that talk to the store, and so work while all else is down.

A command answers with the body of the matching HTTP route, which `--json` prints as it is, and with
the same for people.
"""

import functools
import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from checkpoints.operating.answers import text_lines
from checkpoints.operating.cli_reads import AVersion, audit, drifts, show, status, verify, versions
from checkpoints.operating.cli_scores import compare, scores
from checkpoints.operating.connection import Connection, DataDir, Model, Told, line_of
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator, Order
from checkpoints.operating.removal import removal_lines, removal_of, remove_line
from checkpoints.operating.verbs import AT_BOTH_DOORS, FIELDS, Verb

log = logging.getLogger(__name__)

Json = Annotated[bool, typer.Option("--json", help="The body of the HTTP route.")]
Reason = Annotated[str, typer.Option(help=FIELDS["reason"])]
DryRun = Annotated[bool, typer.Option("--dry-run", help=FIELDS["dry_run"])]

Command = Callable[..., Told]
Connect = Callable[[Path | None, str], Connection]
Guard = Callable[[Callable[..., None]], Callable[..., None]]


def operator_commands(connect: Connect, guarded: Guard) -> typer.Typer:
    """The commands, as a Typer app to be merged into the program's.

    Args:
        connect: Finds the store and the keys, given `--data-dir` and the model.
        guarded: Turns errors into exit codes.
    """
    app = typer.Typer()
    reads: list[Command] = [status, versions, scores, compare, show, drifts, audit, verify]
    for command in (*reads, *map(_order, AT_BOTH_DOORS), remove):
        app.command(command.__name__)(guarded(_printed(command, connect)))
    return app


def _parameter(name: str, annotation: Any, usual: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=annotation
    )


_OF_ALL = (_parameter("as_json", Json, False), _parameter("data_dir", DataDir, None))
# How the fields of an order are given, in the order in which the help lists them.
_OF_ORDERS = {
    "to": _parameter("to", AVersion),
    "mode": _parameter("mode", Annotated[str, typer.Option(help=FIELDS["mode"])]),
    "tag": _parameter("tag", Annotated[str, typer.Option(help=FIELDS["tag"])]),
    "reason": _parameter("reason", Reason),
    "skip": _parameter(
        "skip", Annotated[list[str] | None, typer.Option(help=FIELDS["skip"])], None
    ),
    "start": _parameter(
        "start", Annotated[str, typer.Option("--from", help=FIELDS["start"])], "earliest"
    ),
    "keep_serving": _parameter(
        "keep_serving",
        Annotated[bool, typer.Option("--keep-serving", help=FIELDS["keep_serving"])],
        False,
    ),
    "expect": _parameter(
        "expect", Annotated[str | None, typer.Option(help=FIELDS["expect"], metavar="vN")], None
    ),
    "dry_run": _parameter("dry_run", DryRun, False),
}


def _order(verb: Verb) -> Command:
    """The command of a row: it makes an order and has the operator carry it out."""

    def run(at: Connection, model: str, *, skip: list[str] | None = None, **given: Any) -> Told:
        return carried_out(at, model, Order(command=verb.name, skip=tuple(skip or ()), **given))

    run.__name__, run.__doc__ = verb.name, verb.help
    taken = [each for name, each in _OF_ORDERS.items() if name in verb.fields]
    parameters = [_parameter("at", Connection), _parameter("model", Model), *taken]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def carried_out(at: Connection, model: str, order: Order) -> Told:
    """Have the operator carry out an order; what it answers.

    Raises:
        CheckpointError: As `Operator.run`.
    """
    waits = Enforcement(store=at.store, on_wait=functools.partial(typer.echo, err=True))
    operator = Operator(
        at.store,
        at.keys.signer("operator"),
        at.keys.verifier,
        who=at.who,
        enforcement=waits,
        ask_log=at.ask_log,
    )
    body = operator.run(line_of(model), order)
    return Told(body=body, lines=text_lines(model, body))


def _printed(command: Command, connect: Connect) -> Callable[..., None]:
    """`command` with its connection made from `--data-dir`, and what it is told printed."""
    signature = inspect.signature(command)
    first, *given = signature.parameters.values()
    assert first.name == "at"

    def run(*, data_dir: Path | None, as_json: bool, model: str, **given: Any) -> None:
        told = command(connect(data_dir, model), model, **given)
        for line in [json.dumps(told.body, ensure_ascii=False)] if as_json else told.lines:
            typer.echo(line)
        if told.error is not None:
            raise told.error

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    parameters = (*given, *_OF_ALL)
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def remove(at: Connection, model: Model, *, reason: Reason, dry_run: DryRun = False) -> Told:
    """Remove a model for good: every version, order and audit record; its topics stay."""
    line = line_of(model)
    at.keys.signer("operator")  # as for every order
    found = removal_of(at.store, at.reader(model), line)
    body = found.body(is_dry_run=dry_run)
    if not dry_run:
        remove_line(at.store, line, who=at.who, reason=reason)
        body["kafka_group"] = at.forget_group(model)
        log.warning(
            "%s: removed by %s, because %r: %d versions, %d bytes, head %s",
            line, at.who, reason.strip(), found.versions, found.bytes, found.head,
        )  # fmt: skip
    return Told(body=body, lines=removal_lines(body))
