"""`weir send`, as it is typed. What is slow to load is imported when it runs."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from checkpoints.operating.connection import DataDir

if TYPE_CHECKING:
    from checkpoints.records.line import Line
    from checkpoints.records.signing import Keys
    from checkpoints.stores.contract import Store
    from config.model_file import ModelFile
    from config.settings import Settings
    from stream.send.became import Became

Model = Annotated[
    Path, typer.Option("--model", help="The model file (YAML).", exists=True, dir_okay=False)
]
Source = Annotated[
    str, typer.Option("--from", help="FILE.csv, .ndjson or .vw (or .gz), or river:NAME.")
]
Label = Annotated[str | None, typer.Option(help="CSV: the label's column.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="CSV: the id's column.")]
Key = Annotated[str | None, typer.Option(help="CSV: the Kafka key's column.")]
Columns = Annotated[
    str | None, typer.Option(help="The features, with commas; all others by default.")
]
Null = Annotated[str, typer.Option(help="CSV: a text that means absent.")]
Delimiter = Annotated[
    str | None, typer.Option(help=r"CSV: between two cells; , by default, \t for a tab.")
]
Decimal = Annotated[str | None, typer.Option(help="CSV: the decimal mark, . or ,")]
Rate = Annotated[float | None, typer.Option(help="Events a second.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Events at most.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait to tell what became of them.")]
GoOn = Annotated[bool, typer.Option("--go-on", hidden=True)]


class Wiring(Struct, frozen=True, kw_only=True):
    """What the program gives the command.

    Attributes:
        model: The line and the model file of a path.
        settings: Of a data directory, with a Kafka in them.
    """

    model: "Callable[[Path], tuple[Line, ModelFile]]"
    settings: "Callable[[Path | None], Settings]"
    keys: "Callable[[Settings], Keys]"
    open_store: "Callable[[Settings], Store]"

    def following(self, settings: "Settings", line: "Line") -> "Became | None":
        """Follows what becomes of the events; None where no store is given."""
        from stream.send.became import follow

        if settings.redis.url is None:
            return None
        keys = functools.partial(self.keys, settings)
        return follow(line, keys, functools.partial(self.open_store, settings))


def send_command(wired: Wiring) -> Callable[..., None]:
    """The command, for the program's Typer."""

    def send(
        model: Model,
        source: Source,
        label: Label = None,
        id_column: IdColumn = None,
        key: Key = None,
        columns: Columns = None,
        null: Null = "",
        delimiter: Delimiter = None,
        decimal: Decimal = None,
        rate: Rate = None,
        limit: Limit = None,
        no_wait: NoWait = False,
        go_on: GoOn = False,
        data_dir: DataDir = None,
    ) -> None:
        """Publish events to a model's topic; ends when all are acknowledged."""
        from config.dev_waiting import await_learner
        from stream.send.csv_file import csv_columns
        from stream.send.send import send as send_all

        if rate is not None and rate <= 0:
            raise typer.BadParameter("must be above 0", param_hint="--rate")
        line, model_file = wired.model(model)
        settings = wired.settings(data_dir)
        await_learner(settings.data_dir, model_file.name)  # it makes the topic
        chosen = csv_columns(
            label=label, id=id_column, key=key, features=columns, null=null, delimiter=delimiter,
            decimal=decimal,
        )  # fmt: skip
        again = f"to start over, stop weir dev and remove {settings.data_dir}" if go_on else None
        became = None if no_wait else wired.following(settings, line)
        done = send_all(
            settings.kafka, model_file, source, chosen, rate=rate, limit=limit, start_over=again
        )
        typer.echo(json.dumps({"sent": done.sent, "acknowledged": done.sent}))
        if became is not None:
            became.tell(done)

    return send
