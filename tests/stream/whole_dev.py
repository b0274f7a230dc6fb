"""A whole `weir dev` with one model, whose feature tells the label; asked over HTTP."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests import web

_LIMIT_S = 90.0


def events(count: int, rng: random.Random, *, poisoned: bool = False) -> list[dict[str, Any]]:
    """Events whose feature tells their label; poisoned ones are labelled by chance."""
    values = [rng.uniform(-1, 1) for _ in range(count)]
    return [
        {"features": {"a": a}, "label": rng.random() < 0.5 if poisoned else a > 0} for a in values
    ]


@dataclass(slots=True)
class Dev:
    """A running `weir dev` with one model."""

    folder: Path
    name: str

    @property
    def servers(self) -> Any:
        """`dev.json`."""
        return json.loads((self.folder / "dev.json").read_text())

    def model(self) -> dict[str, Any]:
        """Where it stands, as soon as it has a version and somebody answers."""
        told: dict[str, Any] = {}

        def is_told() -> bool:
            with suppress(httpx.HTTPError, ValueError, OSError):
                told.update(web.get(self._url(""), timeout=5).json())
            return "learned" in told

        until(is_told, f"told of {self.name}")
        return told

    def send(self, made: list[dict[str, Any]]) -> None:
        """Publish events over HTTP, and wait until all is learned and committed."""
        total = self.model()["learned"] + len(made)
        answer = web.post(self._url("/events"), json={"events": made}, timeout=30)
        assert answer.status_code == 202, answer.text
        until(lambda: self.model()["learned"] == total, f"{total} learned")

    def answers_by(self) -> str:
        """The version that a prediction is made by."""
        answer = web.post(self._url("/predict"), json={"features": {"a": 0.5}}, timeout=15)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["version"])

    def order(self, command: str) -> Any:
        answer = web.post(self._url(f"/{command}"), json={"reason": "test"}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def held_by_metric(self) -> float:
        """What the learner's `/metrics` says."""
        text = web.get(self.servers["metrics"][f"learner:{self.name}"]).text
        lines = (each for each in text.splitlines() if each.startswith("weir_model_held{"))
        return float(next(lines).split()[-1])

    def kill(self, child: str) -> None:
        """Kill a child, and wait until another has its place."""
        killed = self.servers["pids"][child]
        os.kill(killed, signal.SIGKILL)
        until(lambda: self.servers["pids"].get(child, killed) != killed, f"{child} anew")

    def _url(self, path: str) -> str:
        return f"{self.servers['api']}/v1/models/{self.name}{path}"


def until(is_so: Callable[[], Any], what: str) -> None:
    give_up_at = time.monotonic() + _LIMIT_S
    while not is_so():
        assert time.monotonic() < give_up_at, f"not {what} within {_LIMIT_S} s"
        time.sleep(0.05)


@contextmanager
def dev(folder: Path, name: str, model: str) -> Iterator[Dev]:
    """A `weir dev` on ports of its own, whose model has its first version."""
    (folder / "model.yaml").write_text(model)
    program = Path(sys.executable).with_name("weir")
    command = [str(program), "dev", "--model", "model.yaml", "--port", "0", "--kafka-port", "0",
               "--data-dir", str(folder)]  # fmt: skip
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(command, cwd=folder, stdout=said, stderr=said) as process,
    ):
        try:
            found = Dev(folder, name)
            found.model()  # it is up
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            process.kill()
