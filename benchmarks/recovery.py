"""From kill -9 to learning again: of each process under `weir dev`, of a learner with a standby.

Learning again is seen in the learner's own count of events taken, which begins at nought in every
life of its source.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import Popen
from typing import Any

import redis
from kafka import KafkaProducer

from benchmarks.filling import Streams, as_json, phishing
from benchmarks.parity import Servers
from benchmarks.program import Dev, dev, kill_whole, learning
from benchmarks.samples import scrape, until
from benchmarks.scale import Scale
from checkpoints.line import Line
from checkpoints.redis_connection import RedisConnection
from checkpoints.redis_store import RedisStore

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy]
drift: [{{on: error, detector: ADWIN}}]
"""
_LEARNED = "weir_events_processed_total"
_COMMITTED = "weir_model_examples_learned"
_CUT_AT = "weir_checkpoint_last_success_timestamp_seconds"
_EVENTS_A_SECOND, _PAUSE_S = 500, 0.02
# Learned before the first death, so that a count that begins anew is a smaller one.
_LEARNED_BEFORE = 2_000
_QUIET_S = 0.3
# More than a learner takes while it is brought to its end.
_AHEAD = 500_000


def under_dev(base: Path, *, run: int, scale: Scale) -> dict[str, float]:
    """Kill -9 of source, learner, Kafka and Redis under `weir dev`; seconds to learning again."""
    folder = base / f"dev-{run}"
    folder.mkdir()
    with dev(folder, MODEL.format(name="recovery")) as running, _sending(running) as feed:
        until(lambda: _learned(running) > _LEARNED_BEFORE, "there is something to lose")
        took = {
            "source": [_part(running, "source") for _ in range(scale.deaths)],
            "learner": [_part(running, "learner") for _ in range(scale.deaths)],
            "Kafka": [_kafka(running, feed) for _ in range(scale.deaths)],
        }
        commits = [_redis(running) for _ in range(scale.deaths)]
    figures = {}
    for name, seconds in took.items():
        figures |= _told(f"kill -9 of {name} to learning again", seconds)
    return figures | _told("kill -9 of Redis to the next version", commits)


def _told(what: str, seconds: list[float]) -> dict[str, float]:
    return {f"{what}, median s": median(seconds), f"{what}, max s": max(seconds)}


def _part(running: Dev, which: str) -> float:
    """The source or the learner: they start together, and the count begins anew."""
    # Both lives are long enough that this count is above what the next one begins with.
    until(lambda: _learned(running) > _LEARNED_BEFORE, "it has learned enough")
    before = _learned(running)
    killed = time.perf_counter()
    running.kill(which)
    return until(lambda: 0 < _learned(running) < before, f"it learns without its {which}") - killed


def _kafka(running: Dev, feed: "_Feed") -> float:
    """Everything is learned when Kafka dies, so that what is learned next came after."""
    with feed.paused():
        before = _settled(running)
        killed = time.perf_counter()
        running.kill("kafka")
    return until(lambda: _learned(running) not in {0, before}, "it learns") - killed


def _redis(running: Dev) -> float:
    """Learning goes on without Redis; what stops is the making of versions."""
    killed, killed_at = time.perf_counter(), time.time()
    running.kill("redis")
    again = until(lambda: scrape(running.metrics).get(_CUT_AT, 0.0) > killed_at, "it commits")
    return again - killed


def _learned(running: Dev) -> int:
    """Events taken by the source and the learner that live now; 0 while there are none."""
    return int(scrape(running.metrics).get(_LEARNED, 0.0))


def _settled(running: Dev) -> int:
    """The same, once it stands still."""
    while True:
        before = _learned(running)
        time.sleep(_QUIET_S)
        if before and _learned(running) == before:
            return before


class _Feed:
    """Sends events at a steady rate, from a process of its own, until told to end."""

    def __init__(self, address: str, topic: str) -> None:
        context = multiprocessing.get_context("forkserver")
        self._turn = context.Lock()
        self._process = context.Process(target=_send, args=(address, topic, self._turn))
        self._process.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is sent within, and what was sent is acknowledged."""
        with self._turn:
            yield

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _send(address: str, topic: str, turn: Any) -> None:
    """What the feed's process does."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # of the broker that is killed
    values = list(as_json(phishing()))[: int(_EVENTS_A_SECOND * _PAUSE_S)]
    with closing(
        KafkaProducer(
            bootstrap_servers=address,
            linger_ms=5,
            retry_backoff_ms=50,
            reconnect_backoff_max_ms=100,
        )
    ) as producer:
        while True:
            with turn:
                for value in values:
                    producer.send(topic, value)
                producer.flush()
            time.sleep(_PAUSE_S)


@contextmanager
def _sending(running: Dev) -> Iterator[_Feed]:
    feed = _Feed(running.file["kafka"], "recovery.events")
    try:
        yield feed
    finally:
        feed.end()


def cold_start(servers: Servers, streams: Streams, *, run: int, scale: Scale) -> dict[str, float]:
    """`weir learn` on a line that has versions: from the command to learning; seconds."""
    text = _on(streams.at_least(_AHEAD), f"cold-{run}")
    with learning(servers, text, "--new", "--create-topics") as (_, url):
        streams.at_least(_committed(url) + _AHEAD * scale.deaths)
    took = []
    for _ in range(scale.deaths):
        began = time.perf_counter()
        with learning(servers, text) as (process, url):
            took.append(until(_learns(process, url), "it learns") - began)
    return _told("cold weir learn to learning", took)


def standby(servers: Servers, streams: Streams, *, run: int, scale: Scale) -> dict[str, float]:
    """Kill -9 of a learner whole, with another waiting: to learning, and since the lease ended."""
    text = _on(streams.at_least(_AHEAD), f"standby-{run}")
    wholes, lapsed = [], []
    with ExitStack() as held:
        process, url = held.enter_context(
            learning(servers, text, "--new", "--create-topics", name="first")
        )
        _committed(url)
        for n in range(scale.deaths):
            name = f"next-{n}"
            successor, its_url = held.enter_context(learning(servers, text, name=name))
            until(partial(_waits, servers, f"standby-{run}", name), "the standby waits")
            streams.at_least(_committed(url) + _AHEAD)
            lease_s = _lease_s(servers.redis, f"standby-{run}")
            killed = time.perf_counter()
            kill_whole(process)
            wholes.append(until(_learns(successor, its_url), "the standby learns") - killed)
            lapsed.append(wholes[-1] - lease_s)
            process, url = successor, its_url
    return {
        **_told("kill -9 of a learner to its standby learning", wholes),
        **_told("the lease lapsed to the standby learning", lapsed),
    }


def _on(topic: str, name: str) -> str:
    return MODEL.format(name=name) + f"topics: {{events: {topic}}}\n"


def _learns(process: "Popen[bytes]", url: str) -> Callable[[], bool]:
    def has_learned() -> bool:
        assert process.poll() is None, f"weir learn ended with {process.returncode}"
        return scrape(url).get(_LEARNED, 0.0) > 0

    return has_learned


def _committed(url: str) -> int:
    """How much is learned and committed; more than nothing, once there is."""
    until(lambda: scrape(url).get(_COMMITTED, 0.0) > 0, "it commits")
    return int(scrape(url)[_COMMITTED])


def _lease_s(url: str, model: str) -> float:
    """What is left of the lease of a line."""
    with closing(redis.Redis.from_url(url)) as client:
        (key,) = client.scan_iter(match=f"*{{{model}/0}}*lease")
        return float(client.pttl(key)) / 1000


def _waits(servers: Servers, model: str, name: str) -> bool:
    """Whether a standby of that line and that name beats."""
    with closing(RedisStore(RedisConnection(servers.redis))) as store:
        return name in store.beats(Line(model), "standby")
