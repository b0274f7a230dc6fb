"""`weir try`, as it is typed. What is slow to load is imported when it runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from msgspec import Struct

from checkpoints.operating.connection import DataDir
from stream.send.cli import Columns, Decimal, Delimiter, IdColumn, Key, Label, Limit, Null

if TYPE_CHECKING:
    from checkpoints.operating.connection import Connection
    from config.runs import TrialRun
    from config.settings import Settings
    from stream.trying.beside.version import BesideVersion
    from stream.trying.rows import TrialRow
    from stream.trying.side_by_side import Comparison
    from stream.trying.sources import TrialSource

INTERRUPTED, _REFUSED, _NOT_THE_VERSION = 130, 6, 4

Models = Annotated[
    list[Path],
    typer.Argument(help="Model files.", metavar="MODEL.yaml…", exists=True, dir_okay=False),
]
From = Annotated[
    str | None, typer.Option("--from", help="FILE.csv, .ndjson or .vw (or .gz), or river:NAME.")
]
Kafka = Annotated[bool, typer.Option("--kafka", help="The first model's topic, to its end.")]
End = Annotated[
    str | None, typer.Option("--end", metavar="vN", help="--kafka: what that version learned.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=V,V…", help="Values at a path of the model file."),
]
ScoresFrom = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Learn all; score what comes after N records alone."),
]
Plot = Annotated[Path | None, typer.Option(metavar="FILE", help="FILE.svg or FILE.html.")]
Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="The rows as CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="The rows as one object.")]
Mlflow = Annotated[
    str | None, typer.Option(metavar="EXPERIMENT", help="Log the trials in MLflow, too.")
]


class RunLog(Protocol):
    """Logs a run and its children in an experiment; `say` is told where, or what is not logged."""

    def __call__(
        self,
        experiment: str,
        parent: "TrialRun",
        children: "Sequence[TrialRun]",
        *,
        say: Callable[[str], None],
    ) -> None: ...


class TryWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the command.

    Attributes:
        settings: Of a data directory, with a Kafka in them: for `--kafka`.
        connect: The store, given a data directory and a model: for `--kafka`.
        run_log: Where runs are logged in MLflow; raises where that is not installed, or not named.
    """

    settings: "Callable[[Path | None], Settings]"
    connect: "Callable[[Path | None, str], Connection]"
    run_log: Callable[[], RunLog]


def try_command(wired: TryWiring) -> Callable[..., None]:
    """The command, for the program's Typer."""

    def try_models(
        models: Models,
        source: From = None,
        kafka: Kafka = False,
        end: End = None,
        settings: Set = None,
        label: Label = None,
        id_column: IdColumn = None,
        key: Key = None,
        columns: Columns = None,
        null: Null = "",
        delimiter: Delimiter = None,
        decimal: Decimal = None,
        limit: Limit = None,
        scores_from: ScoresFrom = 0,
        plot: Plot = None,
        csv: Csv = None,
        mlflow: Mlflow = None,
        as_json: AsJson = False,
        data_dir: DataDir = None,
    ) -> None:
        """Learn records by one model or several, as they would be live, and compare the scores."""
        if (source is None) == (not kafka) or (end is not None and not kafka):
            raise typer.BadParameter("give either --from SOURCE, or --kafka, perhaps with --end vN")
        from stream.send.csv_file import csv_columns

        chosen = csv_columns(
            label=label, id=id_column, key=key, features=columns, null=null, delimiter=delimiter,
            decimal=decimal,
        )  # fmt: skip

        def opened(first: Any) -> "TrialSource":
            from stream.trying.sources import FileSource

            if source is not None:
                return FileSource(source, chosen, limit=limit)
            return kafka_source(wired, first, data_dir, end=end, limit=limit)

        log = (mlflow, wired.run_log()) if mlflow is not None else None
        output = Output(
            plot=plot, csv=csv, as_json=as_json, scores_from=scores_from, log=log,
            reads=(Path(source),) if source is not None else (),
        )  # fmt: skip
        raise typer.Exit(try_all(models, settings or [], opened, output))

    return try_models


class Output(Struct, frozen=True, kw_only=True):
    """Where the rows go; the table to stdout, if they are not JSON.

    Attributes:
        scores_from: Scores are of what comes after so many records.
        reads: Files that are read, beside the model files.
        log: The experiment in MLflow, and how runs are logged there.
    """

    plot: Path | None
    csv: Path | None
    as_json: bool
    scores_from: int = 0
    reads: tuple[Path, ...] = ()
    log: tuple[str, RunLog] | None = None

    @property
    def has_curve(self) -> bool:
        """Whether scores on the way are asked for."""
        return self.plot is not None or self.log is not None


def try_all(
    models: Sequence[Path],
    settings: Sequence[str],
    opened: "Callable[[Any], TrialSource]",
    output: Output,
) -> int:
    """Try all models with all settings; the exit code.

    Args:
        settings: Each `PATH=V,V`.
        opened: The source, given the first model file.
    """
    from config.files import check_asked
    from config.processes.scratch import private_folder
    from config.processes.stopping import stop_when_told
    from stream.trying.candidates import candidates
    from stream.trying.plot import check_plot
    from stream.trying.progress import TrialProgress, say
    from stream.trying.side_by_side import SideBySide
    from stream.trying.value_paths import grid, read_choices

    if output.plot is not None:
        check_plot(output.plot)
    check_asked(output.csv, output.plot, reads=[*models, *output.reads])
    with private_folder(None) as scratch:
        tried = candidates(models, grid(map(read_choices, settings)), scratch)
        source = opened(tried[0].model_file)
        trials = SideBySide(
            tried, source, scratch, has_curve=output.has_curve, scores_from=output.scores_from
        )
        with stop_when_told() as stop:
            done = trials.run(stop, TrialProgress(source.name, source.total()))
    if not done.records:
        say(f"{source.name} holds no record: nothing was tried")
    is_whole = done.ended_by is None and not done.is_stopped and not output.scores_from
    beside = _beside_version(done.rows[0], tried[0].model_file, source) if is_whole else None
    _print(done, source, output, beside)
    code = _exit_code(done, output.scores_from)
    return _NOT_THE_VERSION if not code and beside and beside.differences else code


def kafka_source(
    wired: TryWiring, model_file: Any, data_dir: Path | None, *, end: str | None, limit: int | None
) -> "TrialSource":
    """A model's topics, to their end or to what a version has learned of them."""
    from checkpoints.operating.connection import line_of
    from checkpoints.reading.lineages import Lineages
    from stream.trying.kafka_source import KafkaLog, check_log, recorded_stretch, whole_stretch

    kafka = wired.settings(data_dir).kafka
    if end is None:
        return KafkaLog(kafka, model_file, whole_stretch(kafka, model_file), limit=limit)
    at = wired.connect(data_dir, model_file.name)
    found = recorded_stretch(Lineages(at.store, at.keys.verifier, line_of(model_file.name)), end)
    check_log(kafka, found)
    return KafkaLog(kafka, model_file, found, limit=limit)


def _beside_version(
    row: "TrialRow", model_file: Any, source: "TrialSource"
) -> "BesideVersion | None":
    """How the first row compares with the version whose records it learned, which is said."""
    from stream.trying.beside.version import beside_version, told
    from stream.trying.progress import say

    if source.version is None or row.failed:
        return None
    beside = beside_version(row, model_file, source.version, passes_rollback=source.passes_rollback)
    say(told(row, beside))
    return beside


def _print(
    done: "Comparison", source: "TrialSource", output: Output, beside: "BesideVersion | None"
) -> None:
    from config.files import write_asked
    from stream.trying.plot import write_plot
    from stream.trying.rows import as_csv, as_json, json_text
    from stream.trying.table import as_table, labels_of

    labels = labels_of(done.rows)
    table = as_table(done.rows, labels)
    after = {"scores_from": output.scores_from} if output.scores_from else {}
    if after:
        table.append(f"scores: of what comes after {output.scores_from:,} records")
    compared = {"version": beside.body} if beside else {}
    body = {**as_json(done.rows), **compared, **after}
    typer.echo(json_text(body) if output.as_json else "\n".join(table))
    if output.csv is not None:
        write_asked(output.csv, as_csv(done.rows))
    if output.plot is not None:
        write_plot(output.plot, done.rows, labels, source=source.name, table=table)
    if output.log is not None:
        _log(done, source, labels, table, *output.log)


def _log(
    done: "Comparison",
    source: "TrialSource",
    labels: Sequence[str],
    table: Sequence[str],
    experiment: str,
    log: RunLog,
) -> None:
    """One run for all, and one a model below it; the best is that by the first model's score."""
    from stream.trying.beside.ranks import best_of
    from stream.trying.progress import say
    from stream.trying.rows import run_of_all, runs_of

    rows = done.rows
    metric = next(iter(rows[0].metrics), "")
    params = {"source": source.name, "records": str(done.records), "metric": metric}
    files = {Path(row.file).name: Path(row.file).read_text("utf-8-sig") for row in rows}
    above = run_of_all(
        f"weir try {source.name}", rows, labels, table,
        best=best_of(rows, metric), params=params, files=files,
    )  # fmt: skip
    log(experiment, above, runs_of(rows, labels), say=say)


def _exit_code(done: "Comparison", scores_from: int) -> int:
    """0 where a server went away midway: the rows are what there was."""
    from stream.errors import SendError
    from stream.trying.progress import say

    if done.is_stopped:
        say(f"stopped after {done.records:,} records: these are the rows so far")
        return INTERRUPTED
    if done.ended_by is not None:
        say(f"warning: ended after {done.records:,} records: {done.ended_by}")
        return done.ended_by.exit_code if isinstance(done.ended_by, SendError) else 0
    if scores_from and scores_from >= done.records:
        say(f"--scores-from {scores_from}: there are {done.records:,} records: nothing is scored")
        return 2
    return code_of_rows(done.rows)


def code_of_rows(rows: "Sequence[TrialRow]") -> int:
    """Of trials that went to the end: 6 where all was refused, which is said; 1: all failed."""
    from stream.trying.beside.verdicts import nothing_learned
    from stream.trying.progress import say

    told = nothing_learned(rows)
    if told is not None:
        say(told)
        return _REFUSED
    return 1 if all(row.failed for row in rows) else 0
