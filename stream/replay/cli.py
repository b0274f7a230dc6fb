"""`weir rebuild`, as it is typed. What is slow to load is imported when it runs."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from checkpoints.operating.connection import Connection, DataDir, Model, Told, line_of

if TYPE_CHECKING:
    from config.settings import Settings
    from stream.replay.rebuild import Rebuilt, Way

AVersion = Annotated[
    str | None, typer.Argument(help="As in v17, or a tag.", metavar="[vN]", show_default=False)
]
WithCurrent = Annotated[
    bool,
    typer.Option(
        "--with-current",
        help="Learn the log again by the model file as it is now: as `weir relearn`.",
    ),
]
Start = Annotated[
    str | None, typer.Option("--from", help="With --with-current: earliest, or a time.")
]
Reason = Annotated[str | None, typer.Option(help="With --with-current: why; for the audit.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="From the beginning, not from the version before it.")
]
Json = Annotated[bool, typer.Option("--json", help="What was found, as one object.")]

_SAID_EVERY_S = 5.0


class ReplayWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the command.

    Attributes:
        settings: Of a data directory, with a Kafka in them.
        connect: The store, given a data directory and a model.
    """

    settings: "Callable[[Path | None], Settings]"
    connect: Callable[[Path | None, str], Connection]


def rebuild_command(wired: ReplayWiring) -> Callable[..., None]:
    """The command `rebuild`."""

    def rebuild(
        model: Model,
        version: AVersion = None,
        whole: Whole = False,
        with_current: WithCurrent = False,
        start: Start = None,
        reason: Reason = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Make a version again out of the log, and compare: exit 1 where anything differs. Or learn
        the log again by the model file as it is now, beside what is served.
        """
        if with_current == bool(version):
            raise typer.BadParameter("give either vN or --with-current", param_hint="vN")
        if with_current and whole:
            raise typer.BadParameter("--whole is of a version that is made again: leave it out")
        if not with_current and (start or reason):
            raise typer.BadParameter("--from and --reason go with --with-current: leave them out")
        if with_current:
            told = _relearn(wired.connect(data_dir, model), model, start, reason)
            for line in [json.dumps(told.body)] if as_json else told.lines:
                typer.echo(line)
            return
        at = wired.connect(data_dir, model)
        name, way, done = _made_again(at, wired.settings(data_dir), model, str(version), whole)
        if as_json:
            typer.echo(json.dumps(_body(model, name, done, way)))
        else:
            for line in _lines(model, name, done):
                typer.echo(line)
        raise typer.Exit(1 if done.differences else 0)

    return rebuild


def _made_again(
    at: Connection, settings: "Settings", model: str, version: str, whole: bool
) -> "tuple[str, Way, Rebuilt]":
    """Which version it was, on what way it was made again, and how it compares."""
    from checkpoints.operating.cli_reads import find_version
    from checkpoints.reading.going_back import CannotReplay
    from checkpoints.reading.lineages import Lineages
    from config.processes.scratch import private_folder
    from stream.replay.log_check import log_check
    from stream.replay.rebuild import rebuild as made_again
    from stream.replay.rebuild import stages_of

    reader, state = at.found(model)
    found = find_version(reader, state, version)
    lineages = Lineages(at.store, at.keys.verifier, line_of(model))
    way = stages_of(lineages, found, is_whole=whole)
    try:
        log_check(lambda: settings.kafka)(way.beginning, found.manifest)
    except CannotReplay as error:
        advice = "without it nobody can; of later versions, try those that went on from a later one"
        raise CannotReplay(error.line, error.lost, advice=advice) from error
    with private_folder(settings.learner.scratch_dir) as scratch:
        progress = RebuildProgress(model, way.records)
        done = made_again(lineages, way, settings.kafka, scratch, progress.add)
    return found.manifest.name, way, done


def _relearn(at: Connection, model: str, start: str | None, reason: str | None) -> Told:
    from checkpoints.operating.cli import carried_out
    from checkpoints.operating.order import Order

    order = Order(command="relearn", start=start or "earliest", reason=reason or "")
    return carried_out(at, model, order)


class RebuildProgress:
    """How far it has come, on stderr, for who waits long: with rate and time left."""

    def __init__(self, model: str, total: int) -> None:
        self._model, self._total, self._done = model, total, 0
        self._began = self._said = time.monotonic()

    def add(self, records: int) -> None:
        """So many offsets were passed."""
        self._done += records
        now = time.monotonic()
        if now - self._said < _SAID_EVERY_S:
            return
        self._said = now
        rate = self._done / (now - self._began)
        left = f"{(self._total - self._done) / rate:,.0f} s left" if rate else "no record yet"
        print(
            f"{self._model}: {self._done:,} of {self._total:,} records, {rate:,.0f}/s, {left}",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def _body(model: str, version: str, done: "Rebuilt", way: "Way") -> dict[str, Any]:
    return {
        "model": model,
        "version": version,
        "from": done.base,
        "records": done.records,
        "stages": len(way.stages),
        "predictions": done.asked,
        "identical": not done.differences,
        "differences": list(done.differences),
    }


def _lines(model: str, version: str, done: "Rebuilt") -> list[str]:
    begun = f"from {done.base}" if done.base else "from the beginning"
    made = f"{model}: {version} was made again {begun}, {done.records:,} records"
    if done.differences:
        return [f"{made}: it differs", *done.differences]
    return [f"{made}: identical, scores and {done.asked:,} predictions to the last bit"]
