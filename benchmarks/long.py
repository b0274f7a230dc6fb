"""`make bench-long`: what a model's size costs, and what ten million events cost, one by one.

First the figures of `sizes.py` from 2 KB to 64 MB. Then one learner on one topic of ten million
events, each with an id: at each million events/s, the memory of every process, and the commits'
cost. The model is bounded, so all of it should be flat. Each part is kept as soon as it is measured
and a second start goes on from there, with the same Kafka and Redis.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from benchmarks.bench import SIZE_SECTIONS, measure, place
from benchmarks.filling import BATCH_EVENTS, append, batch_of, make_topic, phishing
from benchmarks.journal import Journal, say
from benchmarks.machine import load
from benchmarks.program import end_in_order
from benchmarks.report import HERE, number, results, table
from benchmarks.samples import memory_mb, scrape
from checkpoints.dev_server import ValkeyServer
from checkpoints.records.manifest import Version
from config.processes.child import free_port
from stream.dev.kafka_server import KafkaServer
from tests.stream.rig import Rig, rig

MODEL = """
name: long
task: binary
learner: {river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}
metrics: [Accuracy, F1, ROCAUC]
drift: [{on: error, detector: ADWIN}]
"""
_TOPIC = "long.events"
STEPS = 10
# Beyond what is measured, so that the last step ends with a commit amid the stream.
_AHEAD = 200_000
_LOOK_S = 0.5
_STEP_LIMIT_S = 3600.0
_STALL = "weir_checkpoint_duration_seconds"
_WORK = "weir_checkpoint_work_seconds_total"


def main() -> int:
    """Measure what is not measured yet, print the tables, write `long.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    asked = parser.parse_args()
    end_in_order()
    journal = Journal(HERE / ".long.jsonl", f"{asked.events} events")
    measure(journal, SIZE_SECTIONS, runs=1, where=place)
    folder = HERE / ".long"
    if not any("events" in part for part in journal.parts):
        shutil.rmtree(folder, ignore_errors=True)
    curve(journal, folder, asked.events)
    steps = [part for part in journal.parts if "events" in part]
    sizes = [part for part in journal.parts if "section" in part]
    found = {**journal.origin, "sizes": results({}, sizes), "curve": steps}
    print(table(found["sizes"]["figures"]))
    _print(steps)
    (HERE / "long.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    journal.end()
    shutil.rmtree(folder)
    return 0


def curve(journal: Journal, folder: Path, events: int, *, steps: int = STEPS) -> None:
    """Learn `events` events in so many steps, each a part of the journal."""
    done = max((part["events"] for part in journal.parts if "events" in part), default=0)
    if done >= events:
        return
    for name in ("kafka", "redis"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with KafkaServer(folder / "kafka") as kafka, ValkeyServer(folder / "redis") as redis:
        _fill(kafka.address, events + _AHEAD)
        with _learner(kafka.address, redis, folder, events + _AHEAD) as watched:
            for step in range(done * steps // events + 1, steps + 1):
                found = watched.until_learned(events * step // steps)
                journal.add(events=events * step // steps, **found)
                say("  ".join(f"{name} {number(value)}" for name, value in found.items()))


def _fill(address: str, events: int) -> None:
    make_topic(address, _TOPIC)
    here = _end_of(address, _TOPIC)
    if here < events:
        say(f"writing {events - here:,} events")
        append(address, _TOPIC, _batches(here, events))


def _end_of(address: str, topic: str) -> int:
    with closing(KafkaConsumer(bootstrap_servers=address)) as consumer:
        key = TopicPartition(topic, 0)
        return int(consumer.end_offsets([key])[key])


def _batches(begin: int, end: int) -> Iterator[bytes]:
    """Batches of events that each have an id of their own."""
    encode = msgspec.json.Encoder().encode
    pairs = cycle(phishing())
    for first in range(begin, end, BATCH_EVENTS):
        numbers = range(first, min(end, first + BATCH_EVENTS))
        yield batch_of(
            encode({"id": f"event-{n}", "features": x, "label": y})
            for n, (x, y) in zip(numbers, islice(pairs, len(numbers)), strict=True)
        )


@dataclass(slots=True)
class _Watched:
    """A learner that is watched, and what was last seen of it."""

    at: Rig
    redis_pid: int
    metrics: str
    in_topic: int
    _was: dict[str, float]
    _learned: int
    _began: float

    def until_learned(self, count: int) -> dict[str, float]:
        """Wait for so many events; what they cost since the last time."""
        self.at.until(lambda: self._has(count), f"{count:,} are learned", limit_s=_STEP_LIMIT_S)
        head = self.at.head()
        assert head is not None, "it has learned"
        learned, cut_s = head.manifest.counts.learned, head.manifest.created_at_ms / 1000
        now = scrape(self.metrics)
        more = {name: now[name] - self._was.get(name, 0.0) for name in now}
        commits = max(1.0, more[f"{_STALL}_count"])
        rate = (learned - self._learned) / max(_LOOK_S, cut_s - self._began)
        self._was, self._learned, self._began = now, learned, cut_s
        source, learner = self.at.part("source"), self.at.part("learner")
        assert source is not None, "it runs"
        assert learner is not None, "it runs"
        return {
            "events/s": rate,
            "source, MB resident": memory_mb(source),
            "learner, MB resident": memory_mb(learner),
            "Redis, MB resident": memory_mb(self.redis_pid),
            "stall a commit, mean ms": more[f"{_STALL}_sum"] / commits * 1000,
            "work a commit, CPU s": more[_WORK] / commits,
            "load_before": load(),
        }

    def _has(self, count: int) -> bool:
        """Whether so many are learned, and more than the last time, as long as there are more."""
        time.sleep(_LOOK_S)
        head = self.at.head()
        learned = head.manifest.counts.learned if head else 0
        return learned >= self.in_topic or (learned >= count and learned > self._learned)


@contextmanager
def _learner(kafka: str, redis: ValkeyServer, folder: Path, events: int) -> Iterator[_Watched]:
    given: dict[str, Any] = {"kafka": kafka, "redis": redis.url, "folder": folder}
    port = free_port()
    metrics = f"http://127.0.0.1:{port}/metrics"
    with rig(**given, model_text=MODEL, metrics_port=port) as at:
        before = at.head()
        at.start()
        # What an earlier process committed was cut before this one began.
        at.until(lambda: _moved(at, before) or at.consumed() >= events, "it commits")
        at.until(lambda: bool(scrape(metrics)), "it can be watched")
        head = at.head()
        assert head is not None, "it has committed"
        yield _Watched(
            at=at,
            redis_pid=redis.pid,
            metrics=metrics,
            in_topic=events,
            _was={},
            _learned=head.manifest.counts.learned,
            _began=head.manifest.created_at_ms / 1000,
        )


def _moved(at: Rig, before: Version | None) -> bool:
    head = at.head()
    return head is not None and (before is None or head.number > before.number)


def _print(parts: list[dict[str, Any]]) -> None:
    names = [name for name in parts[0] if name not in {"events", "load_before", "load_after"}]
    print(f"{'events':>12}" + "".join(f"{name:>26}" for name in names))
    for part in parts:
        print(f"{part['events']:>12,}" + "".join(f"{number(part[name]):>26}" for name in names))


if __name__ == "__main__":
    sys.exit(main())
