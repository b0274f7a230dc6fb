"""The command line, and the one place that knows both doors: Kafka and HTTP.

Imports of what is slow to load (River takes two seconds) stand in the commands that need them.
"""

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.explaining.cli import ExplainWiring, explain_command
from checkpoints.exporting.cli import FileWiring, Register, export_command, import_command
from checkpoints.opening import (
    connected,
    keys_of,
    open_store,
    operator_of,
    settings_of,
    signing_of,
)
from checkpoints.operating.cli import operator_commands
from checkpoints.operating.connection import DataDir, line_of
from config.files import printing
from config.processes.alike import ALIKE, is_told
from stream.cli import ModelOption, learn
from stream.dev.cli import dev
from stream.first_day.cli import DoctorWiring, doctor_command, init
from stream.log_export.cli import LogWiring, log_commands
from stream.looking_back.cli import LookWiring, look_commands
from stream.model_files import line_and_file, model_files_at
from stream.replay.cli import ReplayWiring, rebuild_command
from stream.send.cli import Wiring, send_command
from stream.trying.cli import TryWiring, try_command
from stream.trying.search.cli import search_command

if TYPE_CHECKING:
    from api.client import Client, RequestError
    from api.offline.errors import RowRefusedError
    from api.offline.model import OfflineModel
    from checkpoints.exporting.container import ExportedVersion
    from checkpoints.exporting.importer import Beginning
    from checkpoints.operating.connection import Connection
    from checkpoints.records.manifest import Manifest
    from config.model_file import ModelFile
    from config.settings import Settings
    from stream.trying.cli import RunLog

# These run in the environment of all that load a model. Operators' commands load none, and begin
# at once.
_LOAD_A_MODEL = frozenset(
    {"blame", "dev", "diff", "doctor", "explain", "import", "learn", "rebuild"}
    | {"replay-prediction", "search", "send", "serve", "try"}
)
# What a request that needs the store waits for it, and a stop while it is away.
_API_STORE_DEADLINE_S = 2.0
__all__ = ["Client", "RequestError", "RowRefusedError", "app", "load", "main"]
_ROOMS = ("api", "checkpoints", "config", "learner", "stream")
# What programs import from here, and where it is: it is loaded when it is asked for.
_FOR_PROGRAMS = {
    "Client": "api.client",
    "RequestError": "api.client",
    "RowRefusedError": "api.offline.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _FOR_PROGRAMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_FOR_PROGRAMS[name]), name)


def main() -> None:
    """Run the program: under the right environment, from our own packages only."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked in _LOAD_A_MODEL and not is_told():
        argv = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, argv, {**os.environ, **ALIKE})
    if stranger := _other_room():
        sys.exit(stranger)
    sys.path.append(str(Path.cwd()))
    # Typer would make all the commands to run one.
    chosen = [each for each in app.registered_commands if _name_of(each) == asked]
    if chosen:
        app.registered_commands, app.registered_groups = chosen, []
    app()


def _name_of(command: typer.models.CommandInfo) -> str | None:
    return command.name or getattr(command.callback, "__name__", None)


def load(
    file: str | Path,
    *,
    public_key: "str | Path | Sequence[str | Path] | None" = None,
    trust: "Sequence[str]" = (),
) -> "OfflineModel":
    """The version in a file that `weir export` wrote, to be asked in Python: `api.offline.load`."""
    if stranger := _other_room():
        raise ImportError(stranger)
    from api.offline.load import load as load_file

    return load_file(file, public_key=public_key, trust=trust)


def _other_room() -> str | None:
    """Our rooms have common names: another package of that name must not stand in for one."""
    home = Path(__file__).resolve().parent
    for room in _ROOMS:
        spec = importlib.util.find_spec(room)
        where = Path(spec.origin).resolve() if spec and spec.origin else None
        if where is None or not where.is_relative_to(home):
            return f"weir: the package {room} is {where}, not the one beside {__file__}"
    return None


app = typer.Typer(
    name="weir",
    help="Online learning on a Kafka stream, kept as versions that can be brought back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Turn our errors into one line on stderr and its exit code."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with printing():
                function(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            code = getattr(error, "exit_code", None)
            if code is None:
                raise
            hint = getattr(error, "param_hint", None)  # which option Typer's own error is about
            typer.echo(f"weir: {hint}: {error}" if hint else f"weir: {error}", err=True)
            raise typer.Exit(code) from error

    return run


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"weir {version('weir')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="And exit.")
    ] = False,
) -> None:
    """Online learning on a Kafka stream, kept as versions that can be brought back."""
    del version


app.command()(_command(dev))
app.command()(_command(learn))


@app.command()
@_command
def serve(
    model: ModelOption,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that answer.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Answer predictions and operators over HTTP until SIGTERM."""
    importlib.import_module("config.log_lines")  # its workers have what it has
    from api.processes.loader import run_api
    from stream.kafka.answer_producer import AnswerProducer
    from stream.kafka.letters import LetterReader
    from stream.kafka.producer import Publisher
    from stream.replay.log_check import log_check

    found = model_files_at(model, runs_own=False)
    models = {line: model_file for line, (_, model_file) in found.items()}
    settings = connected("api", data_dir, redis=True, overrides={"api": {"workers": workers}})
    publisher = Publisher(settings.kafka)
    try:
        store = open_store(settings, deadline_s=_API_STORE_DEADLINE_S)
        code = run_api(
            settings, models, store, keys_of(settings), publisher,
            letters=LetterReader(settings.kafka),
            record_sender=AnswerProducer(settings.kafka), ask_log=log_check(lambda: settings.kafka),
        )  # fmt: skip
    finally:
        publisher.close()
    raise typer.Exit(code)


_wired_to_send = Wiring(
    model=line_and_file,
    settings=lambda data_dir: connected("send", data_dir, kafka=True),
    keys=lambda settings: keys_of(settings, signs_as=None),
    open_store=lambda settings: open_store(settings, deadline_s=_API_STORE_DEADLINE_S),
)
app.command()(_command(send_command(_wired_to_send)))


app.command()(_command(init))
_wired_to_doctor = DoctorWiring(
    settings=lambda data_dir: settings_of("doctor", {"data_dir": data_dir}), signing=signing_of
)
app.command()(_command(doctor_command(_wired_to_doctor)))


def _operator(data_dir: Path | None, model: str) -> "Connection":
    """Store and keys for the operators' commands, and who is at the keyboard.

    A model that has nothing yet is waited for while its learner starts.
    """
    from msgspec.structs import replace

    from config.dev_waiting import await_learner

    line = line_of(model)
    settings = connected("weir", data_dir, redis=True)
    at = operator_of(settings)
    await_learner(settings.data_dir, model, is_needed=lambda: at.store.head(line) is None)

    def forget_group(model: str) -> str:
        from stream.kafka import client as kafka_client

        return kafka_client.forget_group(settings.kafka, model)

    def ask_log(to: "Manifest", head: "Manifest") -> None:
        from stream.replay.log_check import log_check

        log_check(lambda: connected("weir", data_dir, kafka=True).kafka)(to, head)

    return replace(at, forget_group=forget_group, ask_log=ask_log)


app.registered_commands += operator_commands(_operator, _command).registered_commands


def _begin(settings: "Settings", model_file: "ModelFile", start: str | int) -> "Beginning":
    from stream.source.topics import beginning

    return beginning(settings.kafka, model_file, start)


def _try_out(exported: "ExportedVersion", trust: tuple[str, ...]) -> None:
    from api.offline.opened import opened_here

    opened_here(exported, trust)


def _registry() -> Register:
    from api.registry.mlflow_door import check_mlflow, register

    check_mlflow()
    return register


_wired_to_files = FileWiring(
    connect=_operator, model=line_and_file, try_out=_try_out, begin=_begin, registry=_registry
)
app.command("export")(_command(export_command(_wired_to_files)))
app.command("import")(_command(import_command(_wired_to_files)))
_wired_to_replay = ReplayWiring(
    settings=functools.partial(connected, "rebuild", kafka=True), connect=_operator
)
app.command()(_command(rebuild_command(_wired_to_replay)))

_logged = functools.partial(connected, "log", kafka=True)
_wired_to_log = LogWiring(model=line_and_file, settings=_logged, connect=_operator)
app.add_typer(log_commands(_wired_to_log, _command), name="log")


def _run_log() -> "RunLog":
    from api.registry.mlflow_door import check_mlflow, log_runs

    check_mlflow()
    return log_runs


_wired_to_try = TryWiring(
    settings=functools.partial(connected, "try", kafka=True), connect=_operator, run_log=_run_log
)
app.command("try")(_command(try_command(_wired_to_try)))
app.command("search")(_command(search_command(_wired_to_try)))
_wired_to_look = LookWiring(model=line_and_file, settings=_logged, connect=_operator)
app.registered_commands += look_commands(_wired_to_look, _command).registered_commands
_wired_to_explain = ExplainWiring(model=line_and_file, connect=_operator)
app.command()(_command(explain_command(_wired_to_explain)))
