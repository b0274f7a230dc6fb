"""What `weir dev` runs: Kafka, Redis, a learner for each model, the API, and a demo's producer.

Every server for which no address is given is started on loopback, with its state in the data
directory. This file says what to run; `config/processes/supervisor.py` runs it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from checkpoints import dev_server as valkey
from checkpoints.errors import StoreUnavailable
from checkpoints.records.line import Line
from checkpoints.records.signing import make_keys
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Heads
from config.files import replace_file
from config.processes.child import (
    READY_CHECK_MAX_S,
    ProcessSpec,
    chosen_ports,
    exchange,
    free_port,
    free_ports,
)
from config.processes.roll_call import Roll
from config.settings import Settings
from stream.dev import kafka_server as kafka
from stream.dev.jars import fetch_jars, user_cache

_LEARNER_STOP_S = 12.0
_API_STOP_S = 15.0  # its workers, then what it has still to log
_FAILING = "failing"
_TELLING = frozenset({"learning", "rewinding", "idle", "frozen", _FAILING})
_READY_BYTES_MAX = 1 << 20


class StoreAt(Protocol):
    """Opens the store at a Redis URL; it raises StoreUnavailable after about `deadline_s`."""

    def __call__(self, url: str, *, deadline_s: float = ...) -> Store: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DevPlan:
    """The addresses that everything in one `weir dev` uses, and the processes in starting order.

    Attributes:
        lost: Exit codes of learners that ended for good while the others go on, by model; filled
            in by `lose`.
    """

    directory: Path
    api: str
    kafka: str
    redis: str
    metrics: Mapping[str, str]
    specs: tuple[ProcessSpec, ...]
    demo: str | None
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Where commands find a running `weir dev`."""
        return self.directory / "dev.json"

    @property
    def producer(self) -> str | None:
        """The name of the demo's producer."""
        return next((s.name for s in self.specs if s.one_shot), None)

    def lose(self, process: str, code: int) -> None:
        """Remember that a model's learner has ended for good."""
        self.lost[process.partition(":")[2]] = code

    def write(self, roll: Roll) -> None:
        """Write `dev.json`, whole or not at all.

        Raises:
            NoRoomError: The disk is full; the old file stays.
        """
        content = {
            "api": self.api,
            "kafka": self.kafka,
            "redis": self.redis,
            "pids": dict(roll.pids),
            "metrics": dict(self.metrics),
            "starting": list(roll.starting),
            "failing": dict(roll.failing),
        }
        replace_file(self.file, json.dumps(content, indent=1) + "\n")


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
    paths: Mapping[Line, Path],
    *,
    program: tuple[str, ...],
    port: int,
    kafka_port: int,
    demo: str | None,
    store_at: StoreAt,
) -> DevPlan:
    """Choose addresses, make keys, prepare the servers' directories.

    Args:
        paths: Of the model files.
        program: How to run `weir` itself.
        port: The API's.
        kafka_port: Kafka's, where none is given.
        demo: A name of `DEMOS`, whose model file is the only one.
        store_at: To see when a learner is up.

    Raises:
        ProcessError: A port is taken, or a server cannot be prepared.
    """
    directory = settings.data_dir.resolve()
    asked = {"--port": port}
    if settings.kafka.bootstrap_servers is None:
        asked["--kafka-port"] = kafka_port
    chosen = chosen_ports(asked)
    api_port = chosen["--port"]
    servers, kafka_address, redis_url = _servers(settings, directory, chosen.get("--kafka-port"))
    make_keys(directory / "keys")
    common = _environment(directory, kafka_address, redis_url)
    common["WEIR_KAFKA__TOPIC_PARTITIONS"] = str(settings.kafka.topic_partitions)
    store = store_at(redis_url, deadline_s=READY_CHECK_MAX_S)
    first_port = free_ports(len(paths))
    ports = {line: first_port + place for place, line in enumerate(paths)}
    learner = _learner(program, paths, common, first_port, directory, store)
    api = _api(program, paths, common, api_port, directory, store)
    senders = []
    if demo is not None:
        (path,) = paths.values()
        senders = [_sender(program, path, DEMOS[demo], demo, common, directory)]
    url = f"http://127.0.0.1:{api_port}"
    metrics = {f"learner:{it}": f"http://127.0.0.1:{p}/metrics" for it, p in ports.items()}
    return DevPlan(
        directory=directory,
        api=url,
        kafka=kafka_address,
        redis=redis_url,
        metrics={**metrics, "api": f"{url}/metrics"},
        specs=(*servers, learner, api, *senders),
        demo=demo,
    )


def _servers(
    settings: Settings, directory: Path, kafka_port: int | None
) -> tuple[list[ProcessSpec], str, str]:
    """The servers that no address is given for, and the addresses of both.

    Args:
        kafka_port: Where no address is given for Kafka.
    """
    specs = []
    kafka_address = settings.kafka.bootstrap_servers or f"127.0.0.1:{kafka_port}"
    if kafka_port is not None:
        jars = fetch_jars(user_cache(), base=settings.kafka.jars_base)
        java = kafka.find_java()
        specs.append(kafka.prepare(directory / "kafka", port=kafka_port, jars=jars, java=java))
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
    paths: Mapping[Line, Path],
    common: Mapping[str, str],
    metrics_port: int,
    directory: Path,
    store: Store,
) -> ProcessSpec:
    """The program that learns all models.

    Args:
        metrics_port: Of the first model; those of the others follow.
    """
    keys, parts = directory / "keys", directory / "learners.json"
    models = [part for path in paths.values() for part in ("--model", str(path))]
    names = tuple(f"learner:{line}" for line in paths)
    is_alone = len(names) == 1
    learn = partial(_not_learning, store, tuple(paths))
    return ProcessSpec(
        name=names[0] if is_alone else "learners",
        argv=(*program, "learn", *models, "--create-topics", "--begin-if-untouched"),
        env={
            **common,
            "WEIR_LEARNER__NAME": "dev",
            "WEIR_LEARNER__METRICS_PORT": str(metrics_port),
            "WEIR_LEARNER__PIDS_FILE": str(parts),
            "WEIR_SIGNING__LEARNER_KEY": str(keys / "learner.pem"),
            "WEIR_SIGNING__OPERATOR_PUBLIC": str(keys / "operator.pub"),
        },
        cwd=Path.cwd(),
        stop_timeout_s=_LEARNER_STOP_S,
        waits=False,
        spares_others=True,
        parts=parts,
        hosts=() if is_alone else names,
        ready=(lambda: not learn()) if is_alone else parts.exists,
        rest=None if is_alone else learn,
    )


def _not_learning(store: Heads, lines: Sequence[Line]) -> set[str]:
    """The learners that do not say that they are up, nor what they fail at."""
    return {f"learner:{line}" for line, it in _states(store, lines).items() if it not in _TELLING}


def _states(store: Heads, lines: Sequence[Line]) -> dict[Line, object]:
    """What the learner of each line says of itself; None: nothing."""
    try:
        found = store.poll(lines)
    except StoreUnavailable:  # it is being started again
        return dict.fromkeys(lines)
    beats = {line: found[line].learner for line in lines}
    return {line: beat.get("state") if beat else None for line, beat in beats.items()}


def _api(
    program: tuple[str, ...],
    paths: Mapping[Line, Path],
    common: Mapping[str, str],
    port: int,
    directory: Path,
    store: Store,
) -> ProcessSpec:
    keys = directory / "keys"
    models = [part for path in paths.values() for part in ("--model", str(path))]
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
        stop_timeout_s=_API_STOP_S,
        waits=False,
        ready=partial(_answers, port),
        rest=partial(_not_served, port, store, list(paths)),
    )


def _answers(port: int) -> bool:
    """Whether the API's workers answer, whatever it is that one model lacks."""
    return b" 200 " in _asked(port, "/livez")[0][:15]


def _not_served(port: int, store: Heads, lines: Iterable[Line]) -> set[str]:
    """The learners whose models the API has no version of yet, and that do not say they fail."""
    head, body = _asked(port, "/readyz")
    if b" 200 " in head[:15]:
        return set()
    missing = _missing(body)
    waited = [line for line in lines if missing is None or line.model in missing]
    return {f"learner:{line}" for line, it in _states(store, waited).items() if it != _FAILING}


def _asked(port: int, path: str) -> tuple[bytes, bytes]:
    """Head and body of the API's answer; empty when there is none."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    reply = exchange(f"127.0.0.1:{port}", request.encode(), _READY_BYTES_MAX)
    head, _, body = reply.partition(b"\r\n\r\n")
    return head, body


def _missing(body: bytes) -> set[str] | None:
    """The models that `/readyz` says are not loaded; None where it does not say."""
    try:
        problem: Any = json.loads(body)
        return {error["pointer"].removeprefix("/models/") for error in problem["errors"]}
    except (ValueError, LookupError, TypeError):  # no answer, or no problem document
        return None


def _sender(
    program: tuple[str, ...],
    path: Path,
    demo: Demo,
    name: str,
    common: Mapping[str, str],
    directory: Path,
) -> ProcessSpec:
    source = ("--from", f"river:{demo.stream}", "--rate", str(demo.rate), "--go-on", "--no-wait")
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


class DrainCheck:
    """Whether all that was sent is learned and committed.

    Args:
        committed: The next offset of each partition of a model's events, by its head.
        ends: The end offsets of the same partitions, by Kafka.
        lost: Models whose learner has ended for good: they are not waited for.
        is_sending: Whether the demo's producer is still at it.
        quiet_s: How long everything must have stood still.
    """

    def __init__(
        self,
        lines: Iterable[Line],
        *,
        committed: Callable[[Line], Mapping[str, int]],
        ends: Callable[[Line], Mapping[str, int]],
        lost: Collection[str],
        is_sending: Callable[[], bool],
        quiet_s: float,
    ) -> None:
        self._lines = list(lines)
        self._committed, self._ends, self._is_sending = committed, ends, is_sending
        self._lost, self._quiet_s = lost, quiet_s
        self._still_since: float | None = None
        self._last: object = None

    def is_done(self) -> bool:
        """Look once; true when at least one record came and none is left that will be learned."""
        if self._is_sending():
            return False
        now = [(it.model in self._lost, self._committed(it), self._ends(it)) for it in self._lines]
        at_end = all(is_lost or done == ends for is_lost, done, ends in now)
        has_any = any(sum(ends.values()) > 0 for _, _, ends in now)
        if not (at_end and has_any):
            self._still_since = None
            return False
        if self._still_since is None or now != self._last:
            self._still_since, self._last = time.monotonic(), now
        return time.monotonic() - self._still_since >= self._quiet_s
