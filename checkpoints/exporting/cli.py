"""`weir export` and `weir import`, as they are typed. What is slow to load is handed in."""

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from checkpoints.exporting.export import Written, write_version
from checkpoints.opening import connected, operator_of, signing_of
from checkpoints.operating.connection import Connection, DataDir
from checkpoints.operating.verbs import FIELDS
from config.text.moments import moment_ms

if TYPE_CHECKING:
    from checkpoints.exporting.container import ExportedVersion
    from checkpoints.exporting.importer import Beginning
    from checkpoints.records.line import Line
    from config.model_file import ModelFile
    from config.settings import Settings

Name = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
AVersion = Annotated[str, typer.Argument(help=FIELDS["to"], metavar="vN")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")]
Registered = Annotated[
    str | None, typer.Option("--mlflow", help="Register it in MLflow under this name.")
]
Alias = Annotated[
    str | None, typer.Option("--alias", help="With --mlflow: an alias to give it, as champion.")
]
File = Annotated[
    Path, typer.Argument(help="What `weir export` wrote.", exists=True, dir_okay=False)
]
Reason = Annotated[str, typer.Option(help=FIELDS["reason"])]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Where a model begins to learn that has no version here: latest, which is usual, "
        "earliest, or a time (RFC 3339).",
    ),
]
OwnFile = Annotated[
    Path | None,
    typer.Option(
        "--model", help="The model file here, where name or topics are others.", exists=True,
        dir_okay=False,
    ),
]  # fmt: skip
DryRun = Annotated[bool, typer.Option("--dry-run", help=FIELDS["dry_run"])]
Json = Annotated[bool, typer.Option("--json", help="The answer as one object.")]


# Given a written version, a name, and perhaps an alias: what came of it.
Register = Callable[[Written, str, str | None], dict[str, Any]]


class FileWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the commands.

    Attributes:
        connect: The store, given a data directory and a model, whose learner is waited for.
        model: The line and the model file of a path.
        try_out: Loads an exported version, given the packages that may be loaded.
        begin: Where a line is to begin: at `latest`, `earliest`, or milliseconds since the epoch.
        registry: What registers a written version in MLflow, given a name and perhaps an alias, and
            says what came of it; refuses where there is no MLflow.
    """

    connect: Callable[[Path | None, str], Connection]
    model: "Callable[[Path], tuple[Line, ModelFile]]"
    try_out: "Callable[[ExportedVersion, tuple[str, ...]], None]"
    begin: "Callable[[Settings, ModelFile, str | int], Beginning]"
    registry: Callable[[], Register]


def export_command(wired: FileWiring) -> Callable[..., None]:
    """`weir export`."""

    def export(
        model: Name,
        version: AVersion,
        output: Output = None,
        mlflow: Registered = None,
        alias: Alias = None,
        data_dir: DataDir = None,
    ) -> None:
        """Write a version into one signed file, to be used elsewhere; or register it in MLflow."""
        if output is None and mlflow is None:
            raise typer.BadParameter("give -o FILE, --mlflow NAME, or both")
        if alias is not None and mlflow is None:
            raise typer.BadParameter("--alias is for --mlflow")
        register = wired.registry() if mlflow is not None else None
        with tempfile.TemporaryDirectory(prefix="weir-export-") as folder:
            file = output or Path(folder) / f"{model}-{version}.weir"
            written = write_version(wired.connect(data_dir, model), model, version, file)
            body = written.body if output else {**written.body, "file": None}
            if register is not None and mlflow is not None:
                body["mlflow"] = register(written, mlflow, alias)
        typer.echo(json.dumps(body, ensure_ascii=False))

    return export


def import_command(wired: FileWiring) -> Callable[..., None]:
    """`weir import`."""

    def import_(
        file: File,
        reason: Reason,
        start: Start = None,
        model: OwnFile = None,
        dry_run: DryRun = False,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Serve an exported version at once, and learn on from it: as the next one of its model."""
        from checkpoints.exporting.believed import believed_here
        from checkpoints.exporting.container import read_exported
        from checkpoints.exporting.importer import Importer, import_lines
        from checkpoints.operating.in_force import Enforcement
        from checkpoints.operating.order import Order
        from checkpoints.records.line import Line

        begins_at = _start(start or "latest")
        settings = connected("weir", data_dir, redis=True)
        exported = read_exported(file, believed_here(signing_of(settings)))
        line, own = Line(exported.version.manifest.model), None
        if model is not None:
            line, own = wired.model(model)
        at = operator_of(settings)
        importer = Importer(
            at.store,
            at.keys.signer("operator"),
            at.keys.verifier,
            who=at.who,
            try_out=wired.try_out,
            begin=lambda: wired.begin(
                _with_kafka(settings), own or _learned_by(exported), begins_at
            ),
            enforcement=Enforcement(
                store=at.store, on_wait=functools.partial(typer.echo, err=True)
            ),
        )
        order = Order(command="import", reason=reason, dry_run=dry_run)
        body = importer.run(line, exported, order, is_begun=start is not None)
        lines = [json.dumps(body, ensure_ascii=False)] if as_json else import_lines(str(line), body)
        for each in lines:
            typer.echo(each)

    return import_


def _start(text: str) -> str | int:
    try:
        return text if text in {"earliest", "latest"} else moment_ms(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"earliest, latest or a time: {error}", param_hint="--from"
        ) from None


def _with_kafka(settings: "Settings") -> "Settings":
    from config.dev_file import require_servers

    return require_servers(settings, kafka=True)


def _learned_by(exported: "ExportedVersion") -> "ModelFile":
    """The model file that an exported version was learned by; but for whom that trusted."""
    from config.model.of_sections import model_file_of

    manifest = exported.version.manifest
    where = f"{exported.file}: {manifest.model} {manifest.name}"
    return model_file_of(manifest.model_file, where=where, trust=())
