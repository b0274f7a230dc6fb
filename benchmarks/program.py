"""The program as anyone runs it: `weir dev`, `weir learn` and `weir serve` as processes."""

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.parity import Servers
from checkpoints.records.signing import make_keys
from config.processes.child import ProcessSpec, ServerProcess, free_port

WEIR = Path(sys.executable).with_name("weir")
# Modules that a model file trusts are found in the working directory.
_TOP = Path(__file__).resolve().parents[1]
_READY_S = 120.0
_STOP_S = 30.0


def program(
    *arguments: str,
    environment: dict[str, str],
    log: Path,
    ready: Callable[[], bool] | None = None,
) -> ServerProcess:
    """`weir` with these arguments, to be started; it dies with this process."""
    spec = ProcessSpec(
        name=f"weir {arguments[0]}",
        argv=(str(WEIR), *arguments),
        env={**os.environ, **environment},
        cwd=_TOP,
        stop_timeout_s=_STOP_S,
        ready=ready,
        still_max_s=_READY_S,
    )
    return ServerProcess(spec, log=log)


def end_in_order() -> None:
    """Let Ctrl-C and SIGTERM unwind this program, so that what it started is ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextmanager
def running(process: ServerProcess) -> Iterator[None]:
    """Started, until it is ready; ended at the end, unless it was killed."""
    process.start()
    try:
        yield
    finally:
        process.stop()


@contextmanager
def serving(
    servers: Servers, text: str, *, workers: int = 1, when: str = "/readyz"
) -> Iterator[str]:
    """`weir serve` of one model; the API's URL, when it serves.

    Args:
        when: The path that it then answers; `/livez` while nothing is learned yet.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    served = program(
        *("serve", "--model", str(model_file(servers.folder, text)), "--workers", str(workers)),
        environment={**_environment(servers), "WEIR_API__PORT": str(port)},
        log=servers.folder / "serve.log",
        ready=lambda: answers(f"{url}{when}"),
    )
    with running(served):
        yield url


def learner(
    servers: Servers,
    text: str,
    *options: str,
    name: str = "learner",
    ready: Callable[[str], bool],
) -> tuple[ServerProcess, str]:
    """`weir learn` of one model, to be started, and where its metrics will be.

    Args:
        ready: When its start is over, given the URL of its metrics.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    learning = program(
        *("learn", "--model", str(model_file(servers.folder, text)), *options),
        environment={
            **_environment(servers),
            "WEIR_LEARNER__NAME": name,
            "WEIR_LEARNER__METRICS_PORT": str(port),
        },
        log=servers.folder / f"{name}.log",
        ready=lambda: ready(url),
    )
    return learning, url


class Dev:
    """A running `weir dev`, all servers its own.

    Args:
        folder: Its data directory.
        process: Itself.
    """

    def __init__(self, folder: Path, process: ServerProcess) -> None:
        self._file, self._process = folder / "dev.json", process

    @property
    def pid(self) -> int:
        """The process that has started all others."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether nothing of it is starting any more."""
        return self._file.exists() and not self.file["starting"]

    @property
    def file(self) -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found

    @property
    def metrics(self) -> str:
        """Of the first model's learner."""
        metrics = self.file["metrics"]
        return next(str(url) for name, url in metrics.items() if name.startswith("learner:"))

    def kill(self, which: str) -> None:
        """SIGKILL the source, the learner, Kafka or Redis."""
        pids = self.file["pids"]
        pid = next(pid for name, pid in pids.items() if name.split(":")[0] == which)
        os.kill(pid, signal.SIGKILL)


@contextmanager
def dev(folder: Path, *texts: str) -> Iterator[Dev]:
    """`weir dev` on models with these texts, when it is ready."""
    data = folder / "dev"
    models = [word for text in texts for word in ("--model", str(model_file(folder, text)))]
    process = program(
        *("dev", *models, "--data-dir", str(data), "--port", "0", "--kafka-port", "0"),
        environment={},
        log=folder / "dev.log",
        ready=lambda: at.is_ready,
    )
    at = Dev(data, process)
    with running(process):
        yield at


def model_file(folder: Path, text: str) -> Path:
    """The model file, written where the program finds it."""
    name = text.split("name:", 1)[1].split(maxsplit=1)[0]
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _environment(servers: Servers) -> dict[str, str]:
    keys = servers.folder / "keys"
    make_keys(keys)
    return {
        "WEIR_KAFKA__BOOTSTRAP_SERVERS": servers.kafka,
        "WEIR_REDIS__URL": servers.redis,
        "WEIR_SIGNING__LEARNER_KEY": str(keys / "learner.pem"),
        "WEIR_SIGNING__LEARNER_PUBLIC": str(keys / "learner.pub"),
        "WEIR_SIGNING__OPERATOR_KEY": str(keys / "operator.pem"),
        "WEIR_SIGNING__OPERATOR_PUBLIC": str(keys / "operator.pub"),
        "WEIR_DATA_DIR": str(servers.folder),
        "WEIR_LOG__LEVEL": "warning",
    }
