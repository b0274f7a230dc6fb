"""`weir dev`, as it is typed. What is slow to load is imported when it runs."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from checkpoints.opening import settings_of, store_at
from stream.model_files import model_files_at

_MODELS = Path(__file__).resolve().parents[2] / "config" / "models"
_DEMOS = frozenset(path.stem for path in _MODELS.glob("*.yaml"))


def dev(
    demo: Annotated[str | None, typer.Option(help=f"A demo: {', '.join(sorted(_DEMOS))}.")] = None,
    model: Annotated[list[Path] | None, typer.Option(help="A model file; repeatable.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where it keeps its state; ./.weir by default.")
    ] = None,
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
    own = [_MODELS / f"{demo}.yaml"] if demo else paths
    code = run_dev(
        settings,
        model_files_at(own, runs_own=None if demo else False),
        port=port,
        kafka_port=kafka_port,
        demo=demo,
        exit_after_drain=exit_after_drain,
        store_at=store_at,
    )
    raise typer.Exit(code)


def _end_when_told() -> None:
    """SIGTERM and SIGHUP end this process in order, with 0. What nohup made it ignore stays so."""

    def end(*_: object) -> None:
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
