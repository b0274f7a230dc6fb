"""A whole `run_api`: a loader and its workers in processes of their own, over a real Valkey."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.processes.handover import listen
from checkpoints.operating.operator import Operator, Order
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.model_file import parse_model_file
from tests import web
from tests.api.running import Learning, until
from tests.checkpoints.builders import OPERATOR, VERIFIER

_PROGRAM = """
import json, sys
from api.processes.loader import run_api
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.model_file import parse_model_file
from config.settings import KafkaSettings
from stream.kafka.answer_producer import AnswerProducer
from stream.kafka.producer import Publisher
from tests.api.running import KEYS, by_line, settings_of
texts, url, api, kafka = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
models = by_line(*map(parse_model_file, texts))
store = RedisStore(RedisConnection(url, deadline_s=1.0))
at = KafkaSettings(bootstrap_servers=kafka)
publisher, answers = (Publisher(at), AnswerProducer(at)) if kafka else (None, None)
sys.exit(run_api(settings_of(**api), models, store, KEYS, publisher, record_sender=answers))
"""
LIGHT = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy]
"""
HEAVY = """
name: {name}
task: binary
learner: {{python: "benchmarks.ballast:of_4_mb"}}
trust: [benchmarks]
metrics: [Accuracy]
"""


@dataclass
class Host:
    """A running API, the store it follows, the learners' part; of the first model by default."""

    process: subprocess.Popen[bytes]
    size: int  # workers asked for
    url: str
    name: str
    store: RedisStore
    learnings: list[Learning] = field(repr=False)
    command: list[str] = field(repr=False)  # starts it

    @property
    def learning(self) -> Learning:
        """Of the first model."""
        return self.learnings[0]

    @property
    def path(self) -> str:
        return f"{self.url}/v1/models/{self.name}"

    @property
    def workers(self) -> list[int]:
        """The loader's children."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def versions(self) -> dict[str, str]:
        """By model, the version that answers next."""
        names = [each.model_file.name for each in self.learnings]
        return {name: self.ask(name=name)["version"] for name in names}

    def ask(self, client: Any = web, name: str = "") -> dict[str, Any]:
        """One prediction, by the first model and on a connection of its own by default."""
        path = f"{self.url}/v1/models/{name or self.name}/predict"
        answer = client.post(path, json={"features": {"https": 1}})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def order(self, command: str, **fields: Any) -> dict[str, Any]:
        """An operator's command, as the command line gives it."""
        operator = Operator(self.store, OPERATOR, VERIFIER, who="test")
        return operator.run(Line(self.name), Order(command=command, reason="test", **fields))

    def commit(self, features: dict[str, Any] | None = None, **changes: Any) -> str:
        """The learner's part: one event more, and a version of it; its name."""
        self.learning.acquire()
        self.learning.learn([(features or {"https": 1}, True)])
        return self.learning.commit(**changes).manifest.name

    def start_again(self) -> None:
        """Kill -9 of all of it, and another on the same port."""
        self.process.kill()
        self.process.wait()
        self.process = _started(self.command)

    def beats(self) -> list[dict[str, Any]]:
        """What it says of the first model."""
        return [dict(each) for each in self.store.beats(Line(self.name), "api").values()]

    def serves(self, version: str) -> bool:
        """Whether whoever answers next does so by this version."""
        return bool(self.ask()["version"] == version)

    def metrics(self) -> str:
        """As one of the workers has them."""
        return web.get(f"{self.url}/metrics").text

    def counted(self, outcome: str = "ok") -> float:
        """Predictions, by `/metrics`."""
        return self._metric(f'weir_predictions_total{{model="{self.name}",outcome="{outcome}"}}')

    def in_progress(self) -> float:
        """Requests being answered, by `/metrics`, this one included."""
        return self._metric("weir_http_requests_in_progress")

    def _metric(self, wanted: str) -> float:
        lines = self.metrics().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    def is_ready(self) -> bool:
        return self._is_well("/readyz")

    def is_live(self) -> bool:
        return self._is_well("/livez")

    def _is_well(self, path: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return web.get(self.url + path).status_code == 200
        return False


@contextlib.contextmanager
def hosting(
    redis_url: str,
    name: str,
    *,
    model: str = LIGHT,
    models: int = 1,
    workers: int = 1,
    kafka: str = "",
    is_begun: bool = True,
    **api: Any,
) -> Iterator[Host]:
    """An API of so many workers for so many models alike, which have a `v1` if they are begun."""
    names = [name, *(f"{name}-{number}" for number in range(1, models))]
    texts = [model.format(name=each) for each in names]
    with listen("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
    store = RedisStore(RedisConnection(redis_url))
    settings = json.dumps({"port": port, "workers": workers, **api})
    told = [json.dumps(texts), redis_url, settings, kafka]
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, *told]
    with tempfile.TemporaryDirectory() as scratch:
        learnings = [Learning(parse_model_file(text), store, Path(scratch)) for text in texts]
        for learning in learnings if is_begun else ():
            _begin(learning)
        with _started(command) as process:
            url = f"http://127.0.0.1:{port}"
            host = Host(process, workers, url, name, store, learnings, command)
            try:
                until(host.is_ready if is_begun else host.is_live, limit_s=60)
                yield host
            finally:
                host.process.kill()
                host.process.wait()
    store.close()


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONHASHSEED": "0"}
    return subprocess.Popen(command, env=environment)


def _begin(learning: Learning) -> None:
    learning.learn([({"https": 1}, True), ({"https": 0}, False)])
    learning.commit()
    learning.beat()
