"""`weir blame`, `weir diff` and `weir replay-prediction`, as they are typed.

What is slow to load is imported when they run.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from checkpoints.operating.connection import DataDir
from checkpoints.records.manifest import version_number
from config.text.moments import moment_ms

if TYPE_CHECKING:
    from checkpoints.operating.connection import Connection
    from checkpoints.reading.reader import LineReader, LineState
    from checkpoints.records.line import Line
    from checkpoints.records.manifest import Version
    from config.model_file import ModelFile
    from config.settings import KafkaSettings, Settings
    from stream.looking_back.judging.models import VersionModels

Name = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
File = Annotated[
    Path | None,
    typer.Option(
        "--model", help="The model file, whose `trust:` may be loaded.", exists=True,
        dir_okay=False,
    ),
]  # fmt: skip
Records = Annotated[
    int, typer.Option(min=1, help="Records of the log read between the two, at most.")
]
Json = Annotated[bool, typer.Option("--json", help="All that was found, as one object.")]

_RECORDS = 1_000_000


class LookWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the commands.

    Attributes:
        model: The line and the model file of a path.
        settings: Of a data directory, with a Kafka in them.
        connect: The store, given a data directory and a model.
    """

    model: "Callable[[Path], tuple[Line, ModelFile]]"
    settings: "Callable[[Path | None], Settings]"
    connect: "Callable[[Path | None, str], Connection]"

    def trust(self, path: Path | None) -> tuple[str, ...]:
        """Whose classes may be loaded: what comes with a version never says so."""
        return () if path is None else self.model(path)[1].trust


def look_commands(wired: LookWiring, guarded: Callable[..., Any]) -> typer.Typer:
    """The commands, as a Typer app to be merged into the program's.

    Args:
        guarded: Turns errors into exit codes.
    """
    app = typer.Typer()
    for name, command in (
        ("blame", _blame(wired)),
        ("diff", _diff(wired)),
        ("replay-prediction", _replay_prediction(wired)),
    ):
        app.command(name)(guarded(command))
    return app


def _blame(wired: LookWiring) -> Callable[..., None]:
    def blame(
        model: Name,
        since: Annotated[str, typer.Option(help="A version, or a time, when it was good.")],
        probe: Annotated[
            Path | None,
            typer.Option(help="FILE.ndjson, .csv or .vw (or .gz) of good labelled events."),
        ] = None,
        metric: Annotated[
            str | None, typer.Option(help="A score; without a file the probe is from the log.")
        ] = None,
        label: Annotated[str | None, typer.Option(help="CSV: the label's column.")] = None,
        columns: Annotated[str | None, typer.Option(help="CSV: the features, with commas.")] = None,
        events: Annotated[int, typer.Option(min=1, help="Of the probe, at most.")] = 1000,
        records: Records = _RECORDS,
        file: File = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Find the version at which the score broke, and what had been learned there."""
        if probe is None and metric is None:
            raise typer.BadParameter("give --probe FILE, or --metric NAME")
        from stream.looking_back.blame import Blame, BlameOptions
        from stream.looking_back.told import blame_lines
        from stream.send.csv_file import csv_columns

        csv = csv_columns(
            label=label, id=None, key=None, features=columns, null="", delimiter=None, decimal=None
        )
        with _look(wired, model, file, data_dir) as look:
            number, is_time = look.since(since)
            options = BlameOptions(
                since=number, is_time=is_time, probe=probe, columns=csv, metric=metric,
                events=events, records=records,
            )  # fmt: skip
            body = Blame(look.kafka, look.reader, look.models, options).run()
        _print(body, blame_lines(body), as_json=as_json)

    return blame


def _diff(wired: LookWiring) -> Callable[..., None]:
    def diff(
        model: Name,
        one: Annotated[str, typer.Argument(help="A version, or a tag.", metavar="vA")],
        other: Annotated[str, typer.Argument(help="Another.", metavar="vB")],
        events: Annotated[
            int, typer.Option(min=1, help="The last labelled events that both answer, at most.")
        ] = 200,
        records: Records = _RECORDS,
        file: File = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Two versions side by side: scores, what was learned between them, what it moved."""
        from stream.looking_back.diff import diff as compare
        from stream.looking_back.told import diff_lines

        with _look(wired, model, file, data_dir) as look:
            versions = look.version(one), look.version(other)
            body = compare(
                look.kafka, look.reader, look.models, versions, limit=records, events=events
            )
        _print(body, diff_lines(body), as_json=as_json)

    return diff


def _replay_prediction(wired: LookWiring) -> Callable[..., None]:
    def replay_prediction(
        model: Name,
        prediction_id: Annotated[
            str, typer.Argument(help="The answer's prediction_id.", metavar="ID")
        ],
        since: Annotated[
            str | None, typer.Option("--from", help="Read the log from then on (RFC 3339).")
        ] = None,
        file: File = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Give a logged answer again, by the version that gave it; ends with 1 if it differs."""
        since_ms = None if since is None else _moment("--from", since)
        from stream.looking_back.replayed import replay_prediction as replay
        from stream.looking_back.told import replay_lines

        with _look(wired, model, file, data_dir) as look:
            body = replay(
                look.kafka, look.reader, look.models, look.model_file, prediction_id,
                since_ms=since_ms,
            )  # fmt: skip
        _print(body, replay_lines(body), as_json=as_json)
        if not body["equal"]:
            raise typer.Exit(1)

    return replay_prediction


class _Look(Struct, frozen=True, kw_only=True):
    """What the commands work with.

    Attributes:
        state: Where the line stands.
        models: Loads its versions.
    """

    kafka: "KafkaSettings"
    reader: "LineReader"
    state: "LineState"
    models: "VersionModels"

    @property
    def model_file(self) -> "ModelFile":
        """The head's."""
        assert self.state.head is not None, "a line without one is refused"
        return self.models.model_file(self.state.head.manifest)

    def version(self, name: str) -> "Version":
        """A kept version by its number or its tag."""
        from checkpoints.operating.cli_reads import find_version

        return find_version(self.reader, self.state, name)

    def since(self, text: str) -> tuple[int, bool]:
        """`--since`: a version's number, or milliseconds since 1970; and whether it is a time.

        Raises:
            NoSuchVersion: The model has not come so far; one that is not kept any more will do.
        """
        orders = self.state.control.record if self.state.control else None
        if orders and text in orders.tags:
            return orders.tags[text].number, False
        if not text.startswith("v"):
            return _moment("--since", text), True
        try:
            number = version_number(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--since") from None
        assert self.state.head is not None, "a line without one is refused"
        return number if number <= self.state.head.number else self.version(text).number, False


@contextmanager
def _look(
    wired: LookWiring, model: str, file: Path | None, data_dir: Path | None
) -> "Iterator[_Look]":
    """Kafka, the line, and a folder for its models while they are looked at.

    Args:
        file: The model file whose `trust:` holds.
    """
    from config.processes.scratch import private_folder
    from stream.looking_back.judging.models import VersionModels

    trust, settings = wired.trust(file), wired.settings(data_dir)
    reader, state = wired.connect(data_dir, model).state(model)
    with private_folder(settings.learner.scratch_dir) as scratch:
        models = VersionModels(reader, trust, scratch)
        yield _Look(kafka=settings.kafka, reader=reader, state=state, models=models)


def _moment(option: str, text: str) -> int:
    try:
        return moment_ms(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _print(body: Any, lines: Iterable[str], *, as_json: bool) -> None:
    for line in [json.dumps(body, ensure_ascii=False)] if as_json else lines:
        typer.echo(line)
