"""Real learner processes on a real broker and a real store, to be killed, paused and watched.

Processes are forked from a server that has imported everything, so that a start costs what it
costs and not River's two seconds of import.
"""

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition

from checkpoints.errors import CheckpointError
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version, open_version
from checkpoints.records.signing import Keys, make_keys
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.unpickle import loads
from config.errors import ConfigError
from config.model_file import ModelFile, parse_model_file
from config.processes.roll_call import Parts
from config.settings import Settings, load_settings
from stream.errors import StreamError
from stream.kafka import client as kafka_client
from stream.keeper import Keeper, LearnOptions, LineSpec

_PRELOADED = [
    "config.logs",
    "stream.keeper",
    "checkpoints.stores.in_redis.store",
    "tests.stream.recorder",
]
WAIT_S = 60.0

RECORDER = """
name: {name}
task: binary
learner: {{python: "tests.stream.recorder:Recorder"}}
trust: [tests]
metrics: [Accuracy, LogLoss]
drift: [{{on: error, detector: ADWIN}}]
checkpoint: {{every_seconds: {every_seconds}}}
"""


def events(count: int, seed: int) -> list[dict[str, Any]]:
    """Numbered events with two features that tell the label, most of the time."""
    rng = random.Random(seed)
    made = []
    for n in range(count):
        a, b = rng.uniform(-1, 1), rng.uniform(-1, 1)
        label = (a + b > 0) != (rng.random() < 0.1)
        made.append({"features": {"n": n, "a": a, "b": b}, "label": label})
    return made


@dataclass(slots=True)
class Rig:
    """One model line, its topic, and the learners that work on it."""

    kafka: str
    redis: str
    folder: Path
    model_text: str
    partitions: int = 1
    lease_seconds: float = 1.0
    metrics_port: int = 0
    watchdog_seconds: float = 60.0
    max_memory_bytes: int = 4 << 30
    data_dir: Path | None = None
    keys: Keys = field(init=False)
    store: RedisStore = field(init=False)
    model_file: ModelFile = field(init=False)
    _learners: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = make_keys(self.folder / "keys")
        self.store = RedisStore(RedisConnection(self.redis))
        self.model_file = parse_model_file(self.model_text)
        kafka_client.create_topics(
            self.settings("rig").kafka, self.model_file, partitions=self.partitions
        )

    @property
    def line(self) -> Line:
        return Line(self.model_file.name)

    def settings(self, name: str) -> Settings:
        """A learner's settings, its lease in the name of `name`."""
        keys = self.folder / "keys"
        return load_settings(
            {
                "kafka": {"bootstrap_servers": self.kafka},
                "redis": {"url": self.redis},
                "learner": {
                    "name": name,
                    "lease_seconds": self.lease_seconds,
                    "metrics_port": self.metrics_port,
                    "watchdog_seconds": self.watchdog_seconds,
                    "max_memory_bytes": self.max_memory_bytes,
                    "pids_file": str(self.folder / f"{self.line.model}-{name}.json"),
                },
                "signing": {
                    "learner_key": str(keys / "learner.pem"),
                    "operator_public": (str(keys / "operator.pub"),),
                },
                "log": {"level": "error"},
                "data_dir": self.data_dir,
            },
            environ={},
        )

    def send(self, records: list[bytes | None], *, key: bytes | None = None) -> None:
        """Publish records in order, spread over the partitions one by one."""
        topic = self.model_file.topics.events
        with closing(KafkaProducer(bootstrap_servers=self.kafka, linger_ms=5)) as producer:
            futures = [
                producer.send(topic, value=value, key=key, partition=i % self.partitions)
                for i, value in enumerate(records)
            ]
            for future in futures:
                future.get(timeout=30)

    def send_events(self, made: list[dict[str, Any]]) -> None:
        """Publish events as JSON."""
        self.send([msgspec.json.encode(each) for each in made])

    def start(self, name: str = "learner", *, beside: Sequence[str] = (), **options: Any) -> Any:
        """Fork a learner; of the models with the texts `beside`, too."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        given = LearnOptions(**{"begins_if_untouched": True, **options})
        process = context.Process(
            target=run_learner,
            args=(self.settings(name), [self.model_text, *beside], given, self.redis),
        )
        process.start()
        self._learners.append(process)
        return process

    def kill(self, process: Any) -> None:
        """SIGKILL, and wait until it is gone."""
        process.kill()
        process.join()

    def part(self, which: str, name: str = "learner") -> int | None:
        """The process of a running learner that is its `source` or its `learner`."""
        pid = self.parts(name).pids.get(f"{which}:{self.line.model}")
        return None if pid is None else int(pid)

    def parts(self, name: str = "learner") -> Parts:
        """How the processes of a running learner stand, as it says."""
        path = self.folder / f"{self.line.model}-{name}.json"
        if not path.exists():
            return Parts(pids={})
        return msgspec.json.decode(path.read_bytes(), type=Parts)

    def kill_part(self, which: str) -> bool:
        """SIGKILL the source, the learner, or the process that makes a version; whether it ran."""
        pid = self.part("learner" if which == "committer" else which)
        if pid is not None and which == "committer":
            pid = next(iter(family(pid)[1:]), None)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def pause(self, process: Any) -> list[int]:
        """SIGSTOP a learner whole, from the top; the processes, to be woken."""
        paused: list[int] = []
        # What was forked before its parent was stopped is found by the next look.
        while more := [pid for pid in family(process.pid) if pid not in paused]:
            for pid in more:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                paused.append(pid)
        return paused

    def wake(self, paused: list[int]) -> None:
        """SIGCONT, in any order: none of them knows."""
        for pid in paused:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop(self, process: Any) -> int:
        """SIGTERM; the exit code."""
        process.terminate()
        process.join(WAIT_S)
        assert process.exitcode is not None, "the learner does not stop"
        return int(process.exitcode)

    def reader(self) -> LineReader:
        return LineReader(self.store, self.keys.verifier, self.line)

    def head(self) -> Version | None:
        """The verified head."""
        return self.reader().checked().head

    def candidate(self) -> Version | None:
        """How far a rewind has come; None where none has a version yet."""
        envelope = self.store.head(self.line.candidate)
        if not envelope:
            return None
        return open_version(envelope, self.keys.verifier, self.line.candidate)

    def beat(self) -> dict[str, Any]:
        """The newest word of the learner."""
        return next(iter(self.store.beats(self.line, "learner").values()), {})

    def consumed(self) -> int:
        """Offsets advanced, over all partitions."""
        head = self.head()
        offsets = head.manifest.offsets if head else {}
        return sum(sum(partitions.values()) for partitions in offsets.values())

    def taken(self) -> int:
        """Records that the learner says it has taken, committed or not."""
        return self.consumed() + int(self.beat().get("uncommitted", 0))

    def until(self, condition: Callable[[], bool], what: str, limit_s: float = WAIT_S) -> None:
        """Wait for a condition, 100 looks a second."""
        deadline = time.monotonic() + limit_s
        while not condition():
            codes = [each.exitcode for each in self._learners]
            have_ended = codes and all(code not in (None, -signal.SIGKILL) for code in codes)
            if have_ended and not condition():  # it may be that end which was waited for
                raise AssertionError(f"{self.line}: {what}: every learner has ended, {codes}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.line}: {what}: not within {limit_s:g} s")
            time.sleep(0.01)

    def payload(self, version: Version | None = None) -> Any:
        """A version's loaded model segment; the head's by default."""
        found = version or self.head()
        assert found is not None
        return loads(self.reader().load_segments(found)["model"], self.model_file.trust)

    def end_offsets(self) -> dict[TopicPartition, int]:
        """What Kafka's group mirrors."""
        mirrored = kafka_client.mirrored(self.settings("rig").kafka, self.model_file.name)
        return {key: value.offset for key, value in mirrored.items()}

    def close(self) -> None:
        """End what still runs."""
        for process in self._learners:
            if process.is_alive():
                self.wake(family(process.pid))
                process.kill()
            process.join()
        self.store.close()


def family(pid: int) -> list[int]:
    """A process and all that it started, parents first (Linux)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return [pid]
    return [pid, *(each for child in children for each in family(int(child)))]


@contextmanager
def rig(**given: Any) -> Iterator[Rig]:
    """A rig that ends its processes."""
    made = Rig(**given)
    try:
        yield made
    finally:
        made.close()


def run_learner(
    settings: Settings, model_texts: Sequence[str], options: LearnOptions, redis: str
) -> None:
    """What a forked learner does."""
    from config.logs import configure

    configure("learner", settings)
    specs = [
        LineSpec(
            settings=settings.of_line(place),
            line=Line(model_file.name),
            model_file=model_file,
            options=options,
            open_store=lambda: RedisStore(RedisConnection(redis)),
            keys=_keys(settings),
            check_store=lambda: RedisStore(RedisConnection(redis)).findings(),
        )
        for place, model_file in enumerate(map(parse_model_file, model_texts))
    ]
    learner = Keeper(specs, settings.learner)
    try:
        code = learner.run()
    except (StreamError, CheckpointError, ConfigError) as error:
        print(f"learner: {error}", flush=True)
        code = error.exit_code
    sys.exit(code)


def _keys(settings: Settings) -> Keys:
    from types import SimpleNamespace

    from checkpoints.records.signing import load_keys

    signing = settings.signing
    assert signing.learner_key is not None
    return load_keys(
        SimpleNamespace(
            learner_key=signing.learner_key.get_secret_value(),
            learner_public=None,
            operator_key=None,
            operator_public=signing.operator_public[0],
        )
    )
