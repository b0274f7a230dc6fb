"""The other tools: their versions, how each is started, how it is asked, and what it answers."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from benchmarks.program import answers, running
from config.processes.child import ProcessSpec, ServerProcess, free_port
from stream.dev.jars import user_cache

HERE = Path(__file__).resolve().parent
_UV = Path(sys.executable).with_name("uv")
_READY_S, _STOP_S = 120.0, 20.0
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "true"}

Features = Mapping[str, float]


class NotInstalledError(Exception):
    """A tool could not be installed; what the installer said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A server of models.

    Attributes:
        name: As its makers write it.
        packages: What is installed, pinned; River is added, of our own version.
        prepare: Writes what it serves, given its Python, the pickled model, a folder and a port.
        command: Starts it, given the folder and the port; the first word is a program of its own.
        path: Where predictions are asked for.
        ready: Where it says that it serves.
        body: A request for one prediction.
        chance: The probability in an answer.
        environment: What else it is told.
    """

    name: str
    packages: tuple[str, ...]
    prepare: Callable[[Path, Path, Path, int], None]
    command: Callable[[Path, int], tuple[str, ...]]
    path: str
    ready: str
    body: Callable[[Features], Any]
    chance: Callable[[Any], float]
    environment: Callable[[Path], dict[str, str]] = field(default=lambda _: {})


def _write_mlflow(python: Path, model: Path, folder: Path, port: int) -> None:
    del port
    command = [python, HERE / "with_mlflow.py", model, folder / "model"]
    environment = {**os.environ, **_QUIET}
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _write_mlserver(python: Path, model: Path, folder: Path, port: int) -> None:
    del python
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, **ports}
    (folder / "settings.json").write_text(json.dumps(settings))
    told = {
        "name": "model",
        "implementation": "with_mlserver.RiverModel",
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(told))


TOOLS = (
    Tool(
        name="MLflow",
        packages=("mlflow==3.17.2",),
        prepare=_write_mlflow,
        command=lambda folder, port: (
            *("mlflow", "models", "serve", "--model-uri", str(folder / "model")),
            *("--env-manager", "local", "--workers", "1", "--port", str(port)),
        ),
        path="/invocations",
        ready="/ping",
        body=lambda x: {"inputs": [x]},
        chance=lambda answer: float(answer["predictions"][0]),
    ),
    Tool(
        name="MLServer",
        packages=("mlserver==1.7.1",),
        prepare=_write_mlserver,
        command=lambda folder, _: ("mlserver", "start", str(folder)),
        path="/v2/models/model/infer",
        ready="/v2/models/model/ready",
        body=lambda x: {
            "inputs": [
                {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                for name, value in x.items()
            ]
        },
        chance=lambda answer: float(answer["outputs"][0]["data"][0]),
    ),
    Tool(
        name="BentoML",
        packages=("bentoml==1.4.40",),
        prepare=lambda *_: None,
        command=lambda _, port: (
            *("bentoml", "serve", "with_bentoml:RiverModel"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ),
        path="/predict",
        ready="/readyz",
        body=lambda x: {"features": x},
        chance=float,
        environment=lambda model: {"RIVER_MODEL": str(model)},
    ),
)


def install(tool: Tool) -> Path:
    """The `bin` folder of an environment of the tool's own, made where there is none yet.

    Raises:
        NotInstalledError: The installer refused.
    """
    packages = (*tool.packages, f"river=={installed('river')}")
    mark = hashlib.sha256(f"{packages} {sys.version}".encode()).hexdigest()[:8]
    folder = user_cache() / "peers" / f"{tool.name.lower()}-{mark}"
    done = folder / "installed"
    if not done.exists():
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        python = str(folder / "bin" / "python")
        _uv("pip", "install", "--quiet", "--python", python, *packages)
        done.write_text("\n".join(packages) + "\n")
    return folder / "bin"


def _uv(*arguments: str) -> None:
    done = subprocess.run([_UV, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalledError(" / ".join(done.stderr.strip().splitlines()[-3:]))


@contextmanager
def served(tool: Tool, programs: Path, model: Path, folder: Path) -> Iterator[int]:
    """The tool, serving the pickled model; its port."""
    folder.mkdir()
    port = free_port()
    tool.prepare(programs / "python", model, folder, port)
    name, *arguments = tool.command(folder, port)
    spec = ProcessSpec(
        name=tool.name,
        argv=(str(programs / name), *arguments),
        env={
            **os.environ,
            **_QUIET,
            **tool.environment(model),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(HERE),
        },
        cwd=HERE,
        stop_timeout_s=_STOP_S,
        ready=lambda: answers(f"http://127.0.0.1:{port}{tool.ready}"),
        still_max_s=_READY_S,
    )
    with running(ServerProcess(spec, log=folder / "output.log")):
        yield port
