"""The program as anyone runs it: `weir dev`, `weir learn` and `weir serve` as processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.parity import Servers
from benchmarks.samples import until
from checkpoints.signing import make_keys
from config.processes import free_port

WEIR = Path(sys.executable).with_name("weir")
_STOP_S = 30.0
_READY_S = 90.0


@contextmanager
def started(
    *arguments: str, environment: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """`weir` with these arguments, in a process group of its own; killed at the end."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            [str(WEIR), *arguments],
            env={**os.environ, **environment},
            # Modules that a model file trusts are found in the working directory.
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM; what then is left of its group is killed."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def serving(servers: Servers, text: str) -> Iterator[str]:
    """`weir serve` of one model; the API's URL, when it serves."""
    port = free_port()
    model = model_file(servers.folder, text)
    environment = {**_environment(servers), "WEIR_API__PORT": str(port)}
    log = servers.folder / "serve.log"
    with started("serve", "--model", str(model), environment=environment, log=log):
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{url}/readyz"), "the API serves", limit_s=_READY_S)
        yield url


@contextmanager
def learning(
    servers: Servers, text: str, *options: str, name: str = "learner"
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """`weir learn` of one model: its process, just started, and where its metrics will be."""
    port = free_port()
    model = model_file(servers.folder, text)
    environment = {
        **_environment(servers),
        "WEIR_LEARNER__NAME": name,
        "WEIR_LEARNER__METRICS_PORT": str(port),
    }
    log = servers.folder / f"{name}.log"
    arguments = ("learn", "--model", str(model), *options)
    with started(*arguments, environment=environment, log=log) as process:
        yield process, f"http://127.0.0.1:{port}/metrics"


class Dev:
    """A running `weir dev` with one model, all servers its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "dev.json"

    @property
    def file(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found

    @property
    def metrics(self) -> str:
        """Of the model's learner."""
        metrics = self.file["metrics"]
        return next(str(url) for name, url in metrics.items() if name.startswith("learner:"))

    def kill(self, which: str) -> None:
        """SIGKILL the source, the learner, Kafka or Redis."""
        pids = self.file["pids"]
        os.kill(next(pid for name, pid in pids.items() if name.split(":")[0] == which), 9)


@contextmanager
def dev(folder: Path, text: str) -> Iterator[Dev]:
    """`weir dev` on one model, when it is ready."""
    model = model_file(folder, text)
    arguments = ("dev", "--model", str(model), "--port", "0", "--kafka-port", "0")
    data = folder / "dev"
    log = folder / "dev.log"
    options = ("--data-dir", str(data))
    with started(*arguments, *options, environment={}, log=log) as process:
        until(
            lambda: (data / "dev.json").exists() or process.poll() is not None,
            "weir dev is ready",
            limit_s=_READY_S,
        )
        assert process.poll() is None, log.read_text()
        yield Dev(data)


def kill_whole(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL a program with all its processes, and wait until it is gone."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
