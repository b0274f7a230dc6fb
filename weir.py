"""The command line, and the one place that knows both doors: Kafka and HTTP.

Imports of what is slow to load (River takes two seconds) stand in the commands that need them.
"""

import functools
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from checkpoints.exporting.cli import FileWiring, export_command, import_command
from checkpoints.opening import (
    connected,
    keys_of,
    open_store,
    operator_of,
    set_up,
    settings_of,
    signing_of,
    store_at,
)
from checkpoints.operating.cli import operator_commands
from checkpoints.operating.connection import line_of
from config.processes.alike import ALIKE, is_told
from stream.first_day.cli import DoctorWiring, doctor_command, init
from stream.log_export.cli import LogWiring, log_commands
from stream.looking_back.cli import LookWiring, look_commands
from stream.replay.cli import ReplayWiring, rebuild_command
from stream.send.cli import Wiring, send_command
from stream.trying.cli import TryWiring, try_command
from stream.trying.search.cli import search_command

if TYPE_CHECKING:
    from api.client import Client
    from api.offline.model import OfflineModel
    from checkpoints.exporting.container import ExportedVersion
    from checkpoints.exporting.export import Written
    from checkpoints.exporting.importer import Beginning
    from checkpoints.operating.connection import Connection
    from checkpoints.records.line import Line
    from checkpoints.records.manifest import Manifest
    from config.model_file import ModelFile
    from config.settings import Settings
    from stream.trying.cli import RunLog

Models: TypeAlias = "dict[Line, tuple[Path, ModelFile]]"

# These run in the environment of all that load a model. Operators' commands load none, and begin
# at once.
_LOAD_A_MODEL = frozenset(
    {"blame", "dev", "diff", "doctor", "import", "learn", "rebuild", "replay-prediction"}
    | {"search", "send", "serve", "try"}
)
# What a request that needs the store waits for it, and a stop while it is away.
_API_STORE_DEADLINE_S = 2.0
# The learner says every few seconds that it waits, and tries again itself.
_LEARNER_STORE_DEADLINE_S = 3.0
__all__ = ["Client", "app", "main"]
_ROOMS = ("api", "checkpoints", "config", "learner", "stream")
# What programs import from here, and where it is: it is loaded when it is asked for.
_FOR_PROGRAMS = {"Client": "api.client"}


_MODELS = Path(__file__).resolve().parent / "config" / "models"
_DEMOS = frozenset(path.stem for path in _MODELS.glob("*.yaml"))


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
            function(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            code = getattr(error, "exit_code", None)
            if code is None:
                raise
            typer.echo(f"weir: {error}", err=True)
            raise typer.Exit(code) from error

    return run


def _end_when_told() -> None:
    """SIGTERM and SIGHUP end this process in order, with 0. What nohup made it ignore stays so."""

    def end(*_: object) -> None:
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


ModelOption = Annotated[
    list[Path],
    typer.Option("--model", help="A model file; repeatable.", exists=True, dir_okay=False),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Where `weir dev` keeps its state; ./.weir by default.")
]


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


@app.command()
@_command
def dev(
    demo: Annotated[str | None, typer.Option(help=f"A demo: {', '.join(sorted(_DEMOS))}.")] = None,
    model: Annotated[list[Path] | None, typer.Option(help="A model file; repeatable.")] = None,
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(help="The API's port.")] = 8000,
    kafka_port: Annotated[int, typer.Option(help="Kafka's port.")] = 9092,
    partitions: Annotated[int, typer.Option(min=1, help="Of new topics.")] = 1,
    exit_after_drain: Annotated[
        bool, typer.Option("--exit-after-drain", help="End when what was sent is learned.")
    ] = False,
) -> None:
    """Run everything on this machine: Kafka, Redis, learner and API, until Ctrl-C."""
    _end_when_told()  # the supervisor sees to it later: the next line alone takes a second
    from stream.dev.run import run_dev

    paths = list(model or [])
    if (demo is None) == (not paths):
        raise typer.BadParameter("give either --demo NAME or --model FILE")
    if demo is not None and demo not in _DEMOS:
        raise typer.BadParameter(f"no demo {demo!r}: {', '.join(sorted(_DEMOS))}")
    settings = settings_of("dev", {"data_dir": data_dir, "kafka": {"topic_partitions": partitions}})
    code = run_dev(
        settings,
        _models([_MODELS / f"{demo}.yaml"]) if demo else _models(paths, runs_own=False),
        port=port,
        kafka_port=kafka_port,
        demo=demo,
        exit_after_drain=exit_after_drain,
        store_at=store_at,
    )
    raise typer.Exit(code)


@app.command()
@_command
def learn(
    model: ModelOption,
    new: Annotated[bool, typer.Option("--new", help="Begin a model the store lacks.")] = False,
    start: Annotated[
        str, typer.Option("--from", help="With --new: earliest, latest or a time (RFC 3339).")
    ] = "earliest",
    create_topics: Annotated[bool, typer.Option("--create-topics")] = False,
    abandon_history: Annotated[
        bool, typer.Option("--abandon-history", help="With --new: although it learned before.")
    ] = False,
    shard: Annotated[str, typer.Option(help="Shards to take; only 0 in this version.")] = "0",
    begin_if_untouched: Annotated[bool, typer.Option("--begin-if-untouched", hidden=True)] = False,
    data_dir: DataDir = None,
) -> None:
    """Learn the events of one model or of many, each by itself, until SIGTERM."""
    for name in ("checkpoints.stores.in_redis.store", "config.log_lines"):
        importlib.import_module(name)  # its forks have what a keeper has
    from stream.keeper import Keeper, LearnOptions, LineSpec

    if shard != "0":
        raise typer.BadParameter("this version has one shard: 0", param_hint="--shard")
    # Among several, a user's own learner is tried in its own process: it must not end all.
    models = _models(model, runs_own=len(model) == 1)
    service = f"learner:{next(iter(models))}" if len(models) == 1 else "learner"
    settings = connected(service, data_dir, kafka=True, redis=True, signs_as="learner")
    options = LearnOptions(
        is_new=new,
        start=_start(start),
        abandon_history=abandon_history,
        create_topics=create_topics,
        begins_if_untouched=begin_if_untouched,
    )
    opens = functools.partial(open_store, settings, deadline_s=_LEARNER_STORE_DEADLINE_S)
    keys = keys_of(settings, signs_as="learner")  # a standby must know before it is needed
    specs = [
        LineSpec(
            settings=settings.of_line(place),
            line=line,
            model_file=model_file,
            options=options,
            open_store=opens,
            keys=keys,
            check_store=functools.partial(set_up, opens, line),
        )
        for place, (line, (_, model_file)) in enumerate(models.items())
    ]
    raise typer.Exit(Keeper(specs, settings.learner).run())


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
    from stream.kafka.producer import Publisher
    from stream.replay.log_check import log_check

    found = _models(model, runs_own=False)
    models = {line: model_file for line, (_, model_file) in found.items()}
    settings = connected("api", data_dir, redis=True, overrides={"api": {"workers": workers}})
    publisher = Publisher(settings.kafka)
    try:
        store = open_store(settings, deadline_s=_API_STORE_DEADLINE_S)
        code = run_api(
            settings, models, store, keys_of(settings), publisher,
            record_sender=AnswerProducer(settings.kafka), ask_log=log_check(lambda: settings.kafka),
        )  # fmt: skip
    finally:
        publisher.close()
    raise typer.Exit(code)


def _line_and_file(path: Path) -> "tuple[Line, ModelFile]":
    ((line, (_, model_file)),) = _models([path]).items()
    return line, model_file


_wired_to_send = Wiring(
    model=_line_and_file,
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


def _models(paths: list[Path], *, runs_own: bool | None = None) -> Models:
    """The model files by their lines, which are made here and handed down; no two are of one.

    Args:
        runs_own: Not None: River or Vowpal Wabbit must know all that they name. Whether users' own
            learners are made, too: only where nobody else depends on it.
    """
    from config.errors import Mistake, ModelFileError
    from config.model_file import ModelFile, load_model_file

    load: Callable[[Path], ModelFile] = load_model_file
    if runs_own is not None:
        from learner.check_model_file import checked_model_file

        load = functools.partial(checked_model_file, runs_own=runs_own)
    found: list[tuple[Path, ModelFile]] = []
    problems: list[Mistake] = []
    for path in paths:
        try:
            found.append((path.resolve(), load(path)))
        except ModelFileError as error:
            problems += error.problems
    if problems:
        raise ModelFileError(problems)
    models: Models = {}
    for path, model_file in found:
        line = line_of(model_file.name)
        if line in models:
            raise typer.BadParameter(f"two model files are named {line}", param_hint="--model")
        models[line] = (path, model_file)
    return models


def _start(text: str) -> str | int:
    """`--from`: earliest, latest, or a time in milliseconds since the epoch."""
    from config.text.moments import moment_ms

    try:
        return text if text in {"earliest", "latest"} else moment_ms(text)
    except ValueError as error:
        raise typer.BadParameter(f"earliest, latest or a time: {error}") from None


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


def _register(written: "Written", name: str, alias: str | None) -> dict[str, Any]:
    from api.registry.mlflow_door import register

    return register(written, name, alias)


_wired_to_files = FileWiring(
    connect=_operator, model=_line_and_file, try_out=_try_out, begin=_begin, register=_register
)
app.command("export")(_command(export_command(_wired_to_files)))
app.command("import")(_command(import_command(_wired_to_files)))
_wired_to_replay = ReplayWiring(
    settings=functools.partial(connected, "rebuild", kafka=True), connect=_operator
)
app.command()(_command(rebuild_command(_wired_to_replay)))

_logged = functools.partial(connected, "log", kafka=True)
_wired_to_log = LogWiring(model=_line_and_file, settings=_logged, connect=_operator)
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
_wired_to_look = LookWiring(model=_line_and_file, settings=_logged, connect=_operator)
app.registered_commands += look_commands(_wired_to_look, _command).registered_commands
