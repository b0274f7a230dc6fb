"""A real MLflow server on SQLite, and what is asked of MLflow in processes of their own."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from config.processes.child import ProcessSpec, ServerProcess, free_port
from tests import web

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes
}
# Of `make mlflow`: Weir with its extra.
PROGRAMS = Path(__file__).resolve().parents[3] / ".venv" / "mlflow" / "bin"
_READY_S = 60.0


def environment(**more: str) -> dict[str, str]:
    """What a process has that was told nothing of ours: no hash seed above all."""
    ours = {"PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"}
    given = {name: value for name, value in os.environ.items() if name not in ours}
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {**given, **QUIET, "PATH": path, **more}


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """MLflow's server: its address, and what kills it."""
    port = free_port()
    stores = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
              "--artifacts-destination", str(folder / "artifacts"))  # fmt: skip
    options = (*stores, "--workers", "1", "--port", str(port))
    with _running(("mlflow", "server", *options), folder, port, "/health") as kill:
        yield f"http://127.0.0.1:{port}", kill


@contextmanager
def serving(uri: str, tracking: str, folder: Path) -> Iterator[str]:
    """`mlflow models serve`; the address to ask."""
    port = free_port()
    options = ("--model-uri", uri, "--env-manager", "local", "--port", str(port))
    command = ("mlflow", "models", "serve", *options)
    with _running(command, folder, port, "/ping", MLFLOW_TRACKING_URI=tracking):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    command: Sequence[str], folder: Path, port: int, ready: str, **variables: str
) -> Iterator[Callable[[], None]]:
    spec = ProcessSpec(
        name=command[1],
        argv=(str(PROGRAMS / command[0]), *command[1:]),
        env=environment(**variables),
        cwd=folder,
        stop_timeout_s=5.0,
        ready=lambda: _answers(f"http://127.0.0.1:{port}{ready}"),
        still_max_s=_READY_S,
    )
    process = ServerProcess(spec, log=folder / f"{command[1]}.log")
    process.start()
    group = process.pid

    def kill() -> None:
        """End it with all that it started, which would go on without it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        process.kill()

    try:
        yield kill
    finally:
        kill()


def _answers(url: str) -> bool:
    try:
        return web.get(url, timeout=0.4).status_code == 200
    except httpx.HTTPError:
        return False


def run(words: Sequence[str | Path], *, cwd: Path, **variables: str) -> Any:
    """A process and what it says."""
    return subprocess.run(
        [str(each) for each in words], env=environment(**variables), cwd=cwd,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
