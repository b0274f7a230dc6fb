"""`weir log export`, as it is typed. What is slow to load is imported when it runs."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from checkpoints.operating.connection import DataDir
from config.text.moments import moment_ms

if TYPE_CHECKING:
    from checkpoints.operating.connection import Connection
    from checkpoints.records.line import Line
    from config.model_file import ModelFile
    from config.settings import Settings
    from stream.log_export.export import Exported

Name = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="FILE.parquet, .csv, .csv.gz or .ndjson.")
]
Since = Annotated[
    str | None, typer.Option("--from", help="Answers logged from then on (RFC 3339).")
]
Before = Annotated[str | None, typer.Option("--to", help="Answers logged before (RFC 3339).")]
File = Annotated[
    Path | None,
    typer.Option(
        "--model", help="The model file; what the store has by default.", exists=True,
        dir_okay=False,
    ),
]  # fmt: skip

# What of a version's model file says how its log is read. The rest may be of another release.
SECTIONS = (
    "name", "task", "labels", "learner", "features", "limits", "topics", "late_labels", "trust",
)  # fmt: skip


class LogWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the commands.

    Attributes:
        model: The line and the model file of a path.
        settings: Of a data directory, with a Kafka in them.
        connect: The store, given a data directory and a model.
    """

    model: "Callable[[Path], tuple[Line, ModelFile]]"
    settings: "Callable[[Path | None], Settings]"
    connect: "Callable[[Path | None, str], Connection]"

    def model_file(self, name: str, path: Path | None, data_dir: Path | None) -> "ModelFile":
        """The one at `path`, or else the one that the model's head was learned with."""
        if path is None:
            from stream.model_file_of import model_file_of

            _, state = self.connect(data_dir, name).state(name)
            assert state.head is not None, "a line without one is refused"
            return model_file_of(state.head.manifest, SECTIONS)
        line, model_file = self.model(path)
        if line.model != name:
            raise typer.BadParameter(
                f"{path} is of {line.model}, not of {name}", param_hint="MODEL"
            )
        return model_file


def log_commands(wired: LogWiring, guarded: Callable[..., Any]) -> typer.Typer:
    """The commands of `weir log`.

    Args:
        guarded: Turns errors into exit codes.
    """
    log = typer.Typer(no_args_is_help=True, help="The log of what a model answered.")

    @log.command()
    @guarded
    def export(
        model: Name,
        output: Output,
        since: Since = None,
        before: Before = None,
        file: File = None,
        data_dir: DataDir = None,
    ) -> None:
        """Write a model's answers, each with the label that came for it, to one file."""
        _end_as_interrupted()
        since_ms, before_ms = _moment("--from", since), _moment("--to", before)
        if since_ms is not None and before_ms is not None and since_ms >= before_ms:
            raise typer.BadParameter("must be after --from", param_hint="--to")
        from stream.log_export.database import load_duckdb
        from stream.log_export.export import Period
        from stream.log_export.export import export as export_log
        from stream.log_export.target import form_of

        form_of(output)
        load_duckdb()  # what is missing is told before anything is waited for
        model_file = wired.model_file(model, file, data_dir)
        period = Period(since_ms=since_ms, before_ms=before_ms)
        done = export_log(wired.settings(data_dir).kafka, model_file, output, period)
        typer.echo(json.dumps(_body(done), ensure_ascii=False))

    return log


def _body(done: "Exported") -> dict[str, Any]:
    body = {
        "file": done.file,
        "answers": done.answers,
        "labelled": done.labelled,
        "bytes": done.bytes,
    }
    return body | ({"skipped": done.skipped} if done.skipped else {})


def _moment(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else moment_ms(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _end_as_interrupted() -> None:
    """SIGTERM and SIGHUP end the export as Ctrl-C does: nothing of it is left."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
