"""From kill -9 to learning again: of each process under `weir dev`, of a learner with a standby.

Learning again is seen in the learner's own count of events taken, which begins at nought in every
life of its source.
"""

import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median

import redis

from benchmarks.feed import Feed, feeding
from benchmarks.filling import Streams
from benchmarks.parity import Servers
from benchmarks.program import Dev, dev, learner, running
from benchmarks.samples import scrape, until
from benchmarks.scale import Scale
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore

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
_EVENTS_A_SECOND = 500
# Learned before the first death, so that a count that begins anew is a smaller one.
_LEARNED_BEFORE = 2_000
_QUIET_S = 0.3
# More than a learner takes while it is brought to its end.
_AHEAD = 500_000


def under_dev(base: Path, *, run: int, scale: Scale) -> dict[str, float]:
    """Kill -9 of source, learner, Kafka and Redis under `weir dev`; seconds to learning again."""
    folder = base / f"dev-{run}"
    folder.mkdir()
    with (
        dev(folder, MODEL.format(name="recovery")) as at,
        feeding(at.file["kafka"], ["recovery.events"], rate=_EVENTS_A_SECOND) as feed,
    ):
        until(lambda: _learned(at) > _LEARNED_BEFORE, "there is something to lose")
        took = {
            "source": [_part(at, "source") for _ in range(scale.deaths)],
            "learner": [_part(at, "learner") for _ in range(scale.deaths)],
            "Kafka": [_kafka(at, feed) for _ in range(scale.deaths)],
        }
        commits = [_redis(at) for _ in range(scale.deaths)]
    figures = {}
    for name, seconds in took.items():
        figures |= _told(f"kill -9 of {name} to learning again", seconds)
    return figures | _told("kill -9 of Redis to the next version", commits)


def _told(what: str, seconds: list[float]) -> dict[str, float]:
    return {f"{what}, median s": median(seconds), f"{what}, max s": max(seconds)}


def _part(at: Dev, which: str) -> float:
    """The source or the learner: they start together, and the count begins anew."""
    # Both lives are long enough that this count is above what the next one begins with.
    until(lambda: _learned(at) > _LEARNED_BEFORE, "it has learned enough")
    before = _learned(at)
    killed = time.perf_counter()
    at.kill(which)
    return until(lambda: 0 < _learned(at) < before, f"it learns without its {which}") - killed


def _kafka(at: Dev, feed: Feed) -> float:
    """Everything is learned when Kafka dies, so that what is learned next came after."""
    with feed.paused():
        before = _settled(at)
        killed = time.perf_counter()
        at.kill("kafka")
    return until(lambda: _learned(at) not in {0, before}, "it learns") - killed


def _redis(at: Dev) -> float:
    """Learning goes on without Redis; what stops is the making of versions."""
    killed, killed_at = time.perf_counter(), time.time()
    at.kill("redis")
    again = until(lambda: scrape(at.metrics).get(_CUT_AT, 0.0) > killed_at, "it commits")
    return again - killed


def _learned(at: Dev) -> int:
    """Events taken by the source and the learner that live now; 0 while there are none."""
    return int(scrape(at.metrics).get(_LEARNED, 0.0))


def _settled(at: Dev) -> int:
    """The same, once it stands still."""
    while True:
        before = _learned(at)
        time.sleep(_QUIET_S)
        if before and _learned(at) == before:
            return before


def cold_start(servers: Servers, streams: Streams, *, run: int, scale: Scale) -> dict[str, float]:
    """`weir learn` on a line that has versions: from the command to learning; seconds."""
    text = _on(streams.at_least(_AHEAD), f"cold-{run}")
    first, url = learner(servers, text, "--new", "--create-topics", ready=_has_committed)
    with running(first):
        streams.at_least(_committed(url) + _AHEAD * scale.deaths)
    took = []
    for _ in range(scale.deaths):
        cold, _ = learner(servers, text, ready=_learns)
        began = time.perf_counter()
        with running(cold):
            took.append(time.perf_counter() - began)
    return _told("cold weir learn to learning", took)


def standby(servers: Servers, streams: Streams, *, run: int, scale: Scale) -> dict[str, float]:
    """Kill -9 of a learner, with another waiting: to learning, and since the lease ended."""
    name = f"standby-{run}"
    text = _on(streams.at_least(_AHEAD), name)
    wholes, lapsed = [], []
    with ExitStack() as held:
        holder, url = learner(servers, text, "--new", "--create-topics", ready=_has_committed)
        held.enter_context(running(holder))
        for n in range(scale.deaths):
            waits = partial(_waits, servers, name, f"next-{n}")
            successor, its_url = learner(servers, text, name=f"next-{n}", ready=waits)
            held.enter_context(running(successor))
            streams.at_least(_committed(url) + _AHEAD)
            lease_s = _lease_s(servers.redis, name)
            killed = time.perf_counter()
            holder.kill()
            wholes.append(until(partial(_learns, its_url), "the standby learns") - killed)
            lapsed.append(wholes[-1] - lease_s)
            holder, url = successor, its_url
            until(partial(_has_committed, url), "it commits")
    return {
        **_told("kill -9 of a learner to its standby learning", wholes),
        **_told("the lease lapsed to the standby learning", lapsed),
    }


def _on(topic: str, name: str) -> str:
    return MODEL.format(name=name) + f"topics: {{events: {topic}}}\n"


def _learns(url: str) -> bool:
    """Whether the source and the learner with these metrics have taken an event."""
    return scrape(url).get(_LEARNED, 0.0) > 0


def _has_committed(url: str) -> bool:
    return _committed(url) > 0


def _committed(url: str) -> int:
    """Events learned and committed."""
    return int(scrape(url).get(_COMMITTED, 0.0))


def _lease_s(url: str, model: str) -> float:
    """What is left of the lease of a line."""
    with closing(redis.Redis.from_url(url)) as client:
        (key,) = client.scan_iter(match=f"*{{{model}/0}}*lease")
        return float(client.pttl(key)) / 1000


def _waits(servers: Servers, model: str, name: str, _: str) -> bool:
    """Whether the standby of that line and that name beats."""
    with closing(RedisStore(RedisConnection(servers.redis))) as store:
        return name in store.beats(Line(model), "standby")
