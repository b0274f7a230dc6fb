"""`weir init` and `weir doctor`, as typed. What is slow to load is imported when it runs."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from msgspec import Struct

from checkpoints.operating.connection import DataDir
from stream.send.cli import Columns, Decimal, Delimiter, IdColumn, Label, Null

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkpoints.records.signing import SigningSettings
    from config.findings import Finding
    from config.settings import Settings

File = Annotated[Path, typer.Option("--from", help="FILE.csv or FILE.csv.gz.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="The model file; stdout by default.")
]
Drop = Annotated[
    str, typer.Option(help="Columns not to learn from, with commas, whoever sends them.")
]
Models = Annotated[list[Path] | None, typer.Option("--model", help="A model file; repeatable.")]
Data = Annotated[
    str | None, typer.Option(help="A file to try the one model on: whatever `weir send` takes.")
]
Json = Annotated[bool, typer.Option("--json", help="All findings as one object.")]


class DoctorWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the doctor.

    Attributes:
        settings: Of a data directory, without what a running `weir dev` gives.
        signing: The keys that settings name.
    """

    settings: "Callable[[Path | None], Settings]"
    signing: "Callable[[Settings], SigningSettings]"


def init(
    file: File,
    label: Annotated[str, typer.Option(help="The label's column.")],
    output: Output = None,
    id_column: IdColumn = None,
    columns: Columns = None,
    drop: Drop = "",
    null: Null = "",
    delimiter: Delimiter = None,
    decimal: Decimal = None,
) -> None:
    """Write a model file to begin with, made of the first rows of a CSV file."""
    from stream.first_day.begin import begin
    from stream.send.csv_file import csv_columns

    chosen = csv_columns(
        label=label, id=id_column, features=columns, null=null, delimiter=delimiter,
        decimal=decimal,
    )  # fmt: skip
    if output is not None and output.exists():
        raise typer.BadParameter(
            f"{output} is there already: remove it, or name another", param_hint="-o"
        )
    dropped = [name for name in map(str.strip, drop.split(",")) if name]
    begun = begin(file, chosen, output=output, drop=dropped)
    if output is None:
        typer.echo(begun.text, nl=False)
    else:
        from config.files import write_asked

        write_asked(output, begun.text)
    for line in begun.told(output):
        typer.echo(line, err=True)


def doctor_command(wired: DoctorWiring) -> Callable[..., None]:
    """The command, for the program's Typer."""

    def doctor(
        model: Models = None,
        data: Data = None,
        label: Label = None,
        id_column: IdColumn = None,
        columns: Columns = None,
        null: Null = "",
        delimiter: Delimiter = None,
        decimal: Decimal = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Check model files, keys, Redis and Kafka, and say how to mend what is wrong."""
        given = {
            "label": label, "id": id_column, "features": columns, "null": null,
            "delimiter": delimiter, "decimal": decimal,
        }  # fmt: skip
        settings = wired.settings(data_dir)
        if data is not None:
            _tell(*_tried(model or [], data, given), as_json=as_json)
        _refuse_without_data(given)
        from stream.diagnosis import diagnosis

        _tell(diagnosis(model or [], settings, wired.signing), {}, as_json=as_json)

    return doctor


def _tried(
    models: list[Path], data: str, given: dict[str, Any]
) -> "tuple[Iterable[Finding], dict[str, Any]]":
    from stream.first_day.checkup import checkup
    from stream.send.csv_file import csv_columns

    if len(models) != 1:
        raise typer.BadParameter("one model is tried at a time", param_hint="--model")
    return checkup(models[0], data, csv_columns(**given))


def _tell(found: "Iterable[Finding]", body: dict[str, Any], *, as_json: bool) -> NoReturn:
    """Each finding as soon as it is there, or all as one object; ends with their exit code."""
    from config import findings

    listed = []
    for finding in found:
        listed.append(finding)
        if not as_json:
            typer.echo(findings.as_text(finding))
    if as_json:
        typer.echo(json.dumps({**findings.as_json(listed), **body}, ensure_ascii=False))
    raise typer.Exit(findings.exit_code(listed))


def _refuse_without_data(given: Mapping[str, Any]) -> None:
    if any(given.values()):
        what = "--label, --id, --columns, --null, --delimiter and --decimal say how it is read"
        raise typer.BadParameter(what, param_hint="--data")
