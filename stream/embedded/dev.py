"""What `weir dev` runs: Kafka, Redis, a learner for each model, the API, and a demo's producer.

Every server for which no address is given is started on loopback, with its state in the data
directory. This file says what to run; `config/supervisor.py` runs it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from checkpoints import embedded as valkey
from checkpoints.errors import StoreUnavailable
from checkpoints.line import Line
from checkpoints.signing import make_keys
from checkpoints.store import Store
from config.model_file import ModelFile
from config.processes import ProcessSpec, chosen_port, exchange, free_port
from config.settings import Settings
from stream.embedded import kafka
from stream.embedded.jars import fetch_jars, user_cache

_LEARNER_STOP_S = 12.0
_UP = frozenset({"learning", "idle", "frozen"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DevPlan:
    """The addresses that everything in one `weir dev` uses, and the processes in starting order."""

    directory: Path
    api: str
    kafka: str
    redis: str
    metrics: Mapping[str, str]
    specs: tuple[ProcessSpec, ...]
    demo: str | None

    @property
    def file(self) -> Path:
        """Where commands find a running `weir dev`."""
        return self.directory / "dev.json"

    @property
    def producer(self) -> str | None:
        """The name of the demo's producer, where it still has something to send."""
        return next((s.name for s in self.specs if s.one_shot), None)

    def write(self, pids: Mapping[str, int]) -> None:
        """Write `dev.json`, whole or not at all."""
        content = {
            "api": self.api,
            "kafka": self.kafka,
            "redis": self.redis,
            "pids": dict(pids),
            "metrics": dict(self.metrics),
        }
        staged = self.file.with_suffix(".tmp")
        staged.write_text(json.dumps(content, indent=1) + "\n")
        staged.replace(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo: the stream that its producer sends, and how fast.

    Attributes:
        stream: A name for `weir send --from river:NAME`.
        rate: Events a second.
    """

    stream: str
    rate: int


DEMOS: Mapping[str, Demo] = {
    "phishing": Demo(stream="Phishing", rate=100),
    "segments": Demo(stream="ImageSegments", rate=100),
    "trump": Demo(stream="TrumpApproval", rate=100),
    "vw": Demo(stream="Phishing", rate=100),
    "drift": Demo(stream="STAGGER-drift", rate=400),
}


def plan(
    settings: Settings,
    model_files: Iterable[tuple[Path, ModelFile]],
    *,
    program: tuple[str, ...],
    port: int,
    kafka_port: int,
    demo: str | None,
    store_at: Callable[[str], Store],
) -> DevPlan:
    """Choose addresses, make keys, prepare the servers' directories.

    Args:
        program: How to run `weir` itself.
        port: The API's.
        kafka_port: Kafka's, where none is given.
        demo: A name of `DEMOS`, whose model file is the only one.
        store_at: The store at a Redis URL, to see when a learner is up.

    Raises:
        ProcessError: A port is taken, or a server cannot be prepared.
    """
    directory = settings.data_dir.resolve()
    models = list(model_files)
    api_port = chosen_port(port, option="--port")
    servers, kafka_address, redis_url = _servers(settings, directory, kafka_port)
    make_keys(directory / "keys")
    common = _environment(directory, kafka_address, redis_url)
    common["WEIR_KAFKA__TOPIC_PARTITIONS"] = str(settings.kafka.topic_partitions)
    store = store_at(redis_url)
    ports = {f"learner:{model.name}": free_port() for _, model in models}
    learners = [
        _learner(program, path, model, common, ports[f"learner:{model.name}"], directory, store)
        for path, model in models
    ]
    api = _api(program, [path for path, _ in models], common, api_port, directory)
    senders = []
    if demo is not None and not _sent_mark(directory, demo).exists():
        senders = [_sender(program, models[0][0], DEMOS[demo], demo, common, directory)]
    url = f"http://127.0.0.1:{api_port}"
    metrics = {name: f"http://127.0.0.1:{p}/metrics" for name, p in ports.items()}
    return DevPlan(
        directory=directory,
        api=url,
        kafka=kafka_address,
        redis=redis_url,
        metrics={**metrics, "api": f"{url}/metrics"},
        specs=(*servers, *learners, api, *senders),
        demo=demo,
    )


def mark_sent(found: DevPlan) -> None:
    """Remember that the demo's events are sent, so that a later start does not send them again."""
    if found.demo is not None:
        _sent_mark(found.directory, found.demo).touch()


def _sent_mark(directory: Path, demo: str) -> Path:
    return directory / f"demo-{demo}.sent"


def _servers(
    settings: Settings, directory: Path, kafka_port: int
) -> tuple[list[ProcessSpec], str, str]:
    """The servers that no address is given for, and the addresses of both."""
    specs = []
    kafka_address = settings.kafka.bootstrap_servers
    if kafka_address is None:
        port = chosen_port(kafka_port, option="--kafka-port")
        jars = fetch_jars(user_cache(), base=settings.kafka.jars_base)
        java = kafka.find_java()
        specs.append(kafka.prepare(directory / "kafka", port=port, jars=jars, java=java))
        kafka_address = f"127.0.0.1:{port}"
    if settings.redis.url is not None:
        return specs, kafka_address, settings.redis.url.get_secret_value()
    port = free_port()
    server = valkey.find_server()
    specs.append(valkey.prepare(directory / "redis", port=port, server=server))
    return specs, kafka_address, f"redis://127.0.0.1:{port}/0"


def _environment(directory: Path, kafka_address: str, redis_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "WEIR_KAFKA__BOOTSTRAP_SERVERS": kafka_address,
        "WEIR_REDIS__URL": redis_url,
        "WEIR_DATA_DIR": str(directory),
        "PYTHONUNBUFFERED": "1",
        "WEIR_LOG__FORMAT": "console",
    }


def _learner(
    program: tuple[str, ...],
    path: Path,
    model: ModelFile,
    common: Mapping[str, str],
    metrics_port: int,
    directory: Path,
    store: Store,
) -> ProcessSpec:
    keys = directory / "keys"
    return ProcessSpec(
        name=f"learner:{model.name}",
        argv=(*program, "learn", "--model", str(path), "--create-topics", "--begin-if-untouched"),
        env={
            **common,
            "WEIR_LEARNER__NAME": f"dev-{model.name}",
            "WEIR_LEARNER__METRICS_PORT": str(metrics_port),
            "WEIR_SIGNING__LEARNER_KEY": str(keys / "learner.pem"),
            "WEIR_SIGNING__OPERATOR_PUBLIC": str(keys / "operator.pub"),
        },
        cwd=Path.cwd(),
        stop_timeout_s=_LEARNER_STOP_S,
        waits=False,
        ready=partial(_learns, store, Line(model.name)),
    )


def _learns(store: Store, line: Line) -> bool:
    try:
        beats = store.beats(line, "learner")
    except StoreUnavailable:  # it is being started again
        return False
    return any(beat.get("state") in _UP for beat in beats.values())


def _api(
    program: tuple[str, ...],
    paths: Iterable[Path],
    common: Mapping[str, str],
    port: int,
    directory: Path,
) -> ProcessSpec:
    keys = directory / "keys"
    models = [part for path in paths for part in ("--model", str(path))]
    return ProcessSpec(
        name="api",
        argv=(*program, "serve", *models),
        env={
            **common,
            "WEIR_API__HOST": "127.0.0.1",
            "WEIR_API__PORT": str(port),
            "WEIR_SIGNING__LEARNER_PUBLIC": str(keys / "learner.pub"),
            "WEIR_SIGNING__OPERATOR_KEY": str(keys / "operator.pem"),
        },
        cwd=Path.cwd(),
        stop_timeout_s=8.0,
        waits=False,
        ready=partial(_answers, port),
    )


def _answers(port: int) -> bool:
    request = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    return b" 200 " in exchange(f"127.0.0.1:{port}", request, 15)


def _sender(
    program: tuple[str, ...],
    path: Path,
    demo: Demo,
    name: str,
    common: Mapping[str, str],
    directory: Path,
) -> ProcessSpec:
    source = ("--from", f"river:{demo.stream}", "--rate", str(demo.rate))
    return ProcessSpec(
        name=f"producer:{name}",
        argv=(*program, "send", "--model", str(path), *source),
        env=dict(common),
        cwd=directory,
        waits=True,
        one_shot=True,
    )


def this_program() -> tuple[str, ...]:
    """How to run this very program again."""
    return (sys.executable, str(Path(sys.argv[0]).resolve()))


class Drain:
    """Whether all that was sent is learned and committed.

    Args:
        committed: The next offset of each partition of a model's events, by its head.
        ends: The end offsets of the same partitions, by Kafka.
        is_sending: Whether the demo's producer is still at it.
        quiet_s: How long everything must have stood still.
    """

    def __init__(
        self,
        models: Iterable[ModelFile],
        *,
        committed: Callable[[ModelFile], Mapping[str, int]],
        ends: Callable[[ModelFile], Mapping[str, int]],
        is_sending: Callable[[], bool],
        quiet_s: float,
    ) -> None:
        self._models = list(models)
        self._committed, self._ends, self._is_sending = committed, ends, is_sending
        self._quiet_s = quiet_s
        self._still_since: float | None = None
        self._last: object = None

    def is_done(self) -> bool:
        """Look once; true when at least one record was committed and nothing is left."""
        if self._is_sending():
            return False
        now = [(self._committed(m), self._ends(m)) for m in self._models]
        at_end = all(done == ends for done, ends in now)
        has_any = any(sum(ends.values()) > 0 for _, ends in now)
        if not (at_end and has_any):
            self._still_since = None
            return False
        if self._still_since is None or now != self._last:
            self._still_since, self._last = time.monotonic(), now
        return time.monotonic() - self._still_since >= self._quiet_s
