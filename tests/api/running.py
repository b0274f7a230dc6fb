"""A running API over a memory store that holds really learned versions."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import UNSET
from river import datasets

from api.app import Api, create_app
from api.dashboard.letters import Letters
from api.processes.handover import listen
from api.processes.heartbeat import Beats
from api.processes.server import Server, make_server
from api.serving.follow import Following
from checkpoints.errors import Unavailable
from checkpoints.records.calibration import calibration_of
from checkpoints.records.line import Line
from checkpoints.records.manifest import (
    Counts,
    Manifest,
    Version,
    open_version,
    seal_version,
)
from checkpoints.records.segments import pack
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Granted, Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import ModelFile, parse_model_file
from config.settings import Settings, load_settings
from learner.trainer import Trainer
from learner.values import Event
from stream.commit.protocol import software
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER
from tests.learner.taking import Taking

PHISHING = """
name: phishing
task: binary
learner: {river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}
metrics: [Accuracy, LogLoss, Brier, ECE]
drift: [{on: error, detector: ADWIN, delta: 0.9}]
importance: {every: 8}
"""
KEYS = Keys(learner=None, operator=OPERATOR, verifier=VERIFIER)
LIMIT_S = 20.0


def until(what: Callable[[], Any], *, limit_s: float = LIMIT_S) -> Any:
    """The first true value of `what`."""
    give_up_at = time.monotonic() + limit_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < give_up_at, f"{what} did not come true in {limit_s} s"
        threading.Event().wait(0.01)


def until_said(ask: Callable[[], str], words: str, *, limit_s: float = LIMIT_S) -> None:
    """Return when `words` are in what `ask` answers; else fail with its last answer."""
    give_up_at = time.monotonic() + limit_s
    while words not in (said := ask()):
        assert time.monotonic() < give_up_at, f"{said!r} was said last, {limit_s} s long"
        threading.Event().wait(0.01)


@dataclass(frozen=True)
class Place:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class LocalPublisher:
    """Keeps what is published; fails while told so, or from so many records on."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes | None, bytes]] = []
        self.headers: list[Sequence[tuple[str, bytes]]] = []
        self.fails: Exception | None = None
        self.fails_at: int | None = None

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Place:
        """Take one record."""
        if self.fails is not None:
            raise self.fails
        if self.fails_at is not None and len(self.records) >= self.fails_at:
            raise Unavailable("Kafka does not answer", advice="wait")
        self.records.append((topic, key, value))
        self.headers.append(headers)
        return Place(topic, 0, len(self.records) - 1)

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Learning:
    """A learner's part: it learns pairs and commits versions to a store."""

    model_file: ModelFile
    store: Store
    scratch: Path
    trainer: Trainer = field(init=False)
    taking: Taking = field(init=False)
    head: Version | None = None
    refused: int = 0
    consumed: int = 0

    def __post_init__(self) -> None:
        self.trainer, self.taking = Trainer(self.model_file, self.scratch), Taking(self.model_file)
        self.line = Line(self.model_file.name)
        self.token = ""

    def acquire(self) -> None:
        """Take the line, anew after a rollback: whose version is then the head."""
        granted = self.store.acquire(self.line, holder="test", lease_s=3600)
        assert isinstance(granted, Granted)
        self.token = granted.token
        self.head = open_version(granted.head, VERIFIER, self.line) if granted.head else None

    def _acquire_once(self) -> None:
        if not self.token:
            self.acquire()

    def learn(
        self,
        pairs: Iterable[tuple[Mapping[str, Any], Any]],
        *,
        first_ms: int = 1_700_000_000_000,
        apart_ms: int = 0,
    ) -> None:
        """Learn labelled examples, of such times."""
        self._acquire_once()
        for place, (x, y) in enumerate(pairs):
            event = Event(features=dict(x), label=y)
            refusal = self.taking.one(
                self.trainer, event, self.model_file.topics.events, 0, self.consumed,
                first_ms + place * apart_ms,
            )  # fmt: skip
            self.consumed += 1
            self.refused += refusal is not None

    def commit(self, **changes: Any) -> Version:
        """Make what is learned the head."""
        self._acquire_once()
        number = self.store.highest(self.line) + 1
        snapshot = self.trainer.snapshot(version=f"v{number}")
        packed = {kind: pack(content) for kind, content in snapshot.segments.items()}
        topic = self.model_file.topics.events
        manifest = Manifest(
            model=self.line.model,
            number=number,
            parent=self.head.id if self.head else None,
            created_at_ms=time.time_ns() // 1_000_000,
            counts=Counts(
                learned=snapshot.learned,
                scored=snapshot.scored,
                refused=self.refused,
                refused_by=snapshot.refused_by,
            ),
            metrics=snapshot.metrics,
            calibration=calibration_of(snapshot.calibration),
            importance=UNSET if snapshot.importance is None else snapshot.importance,
            drift_total=snapshot.drift_total,
            offsets={topic: {"0": self.consumed}},
            begins={topic: {"0": 0}},
            segments={name: ref for name, (ref, _) in packed.items()},
            **{
                "model_file": plain(self.model_file.sections()),
                "software": software(),
                **changes,
            },
        )
        version = seal_version(manifest, LEARNER)
        for ref, stored in packed.values():
            self.store.put_segment(self.line, ref.sha256, stored)
        outcome = self.store.commit(self.line, token=self.token, version=version)
        assert outcome is Outcome.OK
        self.head = version
        return version

    def beat(self, **payload: Any) -> None:
        """Be heard of."""
        told = {"state": "idle", "lag": 0, "at_ms": time.time_ns() // 1_000_000, **payload}
        self.store.beat(self.line, role="learner", name="test", payload=told, ttl_s=60)


def plain(record: Any) -> Any:
    """As a manifest gives it back."""
    return msgspec.json.decode(msgspec.json.encode(record))


@dataclass
class Running:
    """A server on a free port, and a client that speaks to it."""

    app: Api
    server: Server
    url: str
    client: httpx.Client
    store: Store
    learning: Learning
    publisher: LocalPublisher

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        return self.client.post(path, content=content, headers=headers, **options)

    def serves(self, version: Version) -> bool:
        loaded = self.app.served.lines[version.manifest.model].loaded
        return loaded is not None and loaded.version.id == version.id


def phishing(count: int, start: int = 0) -> list[tuple[dict[str, Any], bool]]:
    """Pairs of River's Phishing."""
    return list(datasets.Phishing())[start : start + count]


def settings_of(*, traces: Mapping[str, Any] | None = None, **api: Any) -> Settings:
    return load_settings({"api": api, "traces": traces or {}}, environ={})


@contextlib.contextmanager
def server_of(app: Api) -> Iterator[tuple[Server, str]]:
    """`app` on a free port of loopback, in a thread, ended when the body is done."""
    with listen("127.0.0.1", 0) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        server = make_server(app, door, drain_s=0.0)
        thread = threading.Thread(target=server.run, name="api")
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            yield server, url
        finally:
            server.should_exit = True
            thread.join(LIMIT_S)
            assert not thread.is_alive()


@contextlib.contextmanager
def _traced(app: Api) -> Iterator[None]:
    """What a worker does for its spans, in a process that is not forked."""
    app.traces.enter()
    try:
        yield
    finally:
        app.traces.close(1.0)


@contextlib.contextmanager
def followed(app: Api, model_file: ModelFile, store: Store, scratch: Path) -> Iterator[None]:
    """The loader's part in a thread of this process: it hands models over as they are."""
    metrics, served = app.metrics, app.served
    following = Following(
        by_line(model_file), store, VERIFIER,
        on_load=lambda model, outcome: metrics.loads(model, outcome).add(),
        scratch=scratch,
    )  # fmt: skip
    beats, hints = Beats(store, now_ms, name="test"), store.hints(list(by_line(model_file)))
    is_over = threading.Event()

    def follow() -> None:
        while not is_over.wait(0.01):
            following.look(hinted=hints.take())
            following.load(lambda: None)
            for line in following.lines.values():
                served.lines[line.name].loaded = line.loaded
            served.take(following.standings)
            beats.say(served.places)
        beats.end()

    thread = threading.Thread(target=follow, name="follow")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(LIMIT_S)
        hints.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def by_line(*model_files: ModelFile) -> dict[Line, ModelFile]:
    """The lines that are served, as the command line hands them down."""
    return {Line(each.name): each for each in model_files}


@contextlib.contextmanager
def running(
    model: str = PHISHING,
    *,
    learned: int = 200,
    store: Store | None = None,
    keys: Keys = KEYS,
    letters: Letters | None = None,
    pairs: Callable[[int], Iterable[tuple[Mapping[str, Any], Any]]] = phishing,
    traces: Mapping[str, Any] | None = None,
    **api: Any,
) -> Iterator[Running]:
    """An API that serves a model which has learned so many events; 0: that has no version."""
    model_file = parse_model_file(model)
    store = store or MemoryStore()
    publisher = LocalPublisher()
    settings = settings_of(traces=traces, **api)
    app = create_app(settings, by_line(model_file), store, keys, publisher, letters=letters)
    with (
        tempfile.TemporaryDirectory() as scratch,
        followed(app, model_file, store, Path(scratch)),
        server_of(app) as (server, url),
        httpx.Client(base_url=url, timeout=30) as client,
        _traced(app),
    ):
        learning = Learning(model_file, store, Path(scratch))
        if learned:
            learning.learn(pairs(learned))
            learning.commit()
            learning.beat()
        found = Running(app, server, url, client, store, learning, publisher)
        if learned:
            until(lambda: not app.served.not_ready)
        yield found
