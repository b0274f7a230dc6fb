"""What a trial of rewinds and rebuilds is about, and the events that it sends.

The events are made up, or those of a stream in a folder of `benchmarks/data.py`, again and again.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from benchmarks.data import Pair, from_folder
from tests.stream.rig import Rig

LEARNERS = {
    "logreg": "{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}",
    "tree": "{river: [{tree.HoeffdingTreeClassifier: {grace_period: 50}}]}",
    "arf": "{river: [{forest.ARFClassifier: {n_models: 10, seed: 42}}]}",
    "vw": "{vw: '--loss_function logistic --link logistic -b 12'}",
}
# Events sent before the order, by what they cost.
EVENTS = {"logreg": 4_000, "tree": 2_500, "arf": 700, "vw": 4_000}
MODEL = """
name: {name}
task: binary
learner: {learner}
metrics: [Accuracy, LogLoss]
drift: [{{on: error, detector: ADWIN}}]
checkpoint: {{every_seconds: {every_seconds}, keep: {{last: {last}, minutely: 0}}}}
"""
LATE = "late_labels: {horizon: 1d}\n"
FIRST_S = 1_700_000_000  # the `ts` of the first record


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Events with boolean labels of a folder of streams, by the name of their file."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one trial is about; the seed makes it again."""

    learner: str
    partitions: int
    late_topics: int = 0  # 0: each event has its label; 1: labels on the same topic; 2: their own
    kills: int = 0
    is_cancelled: bool = False
    seed: int = 0
    last: int = 300  # versions that are kept
    stream: Stream | None = None  # whose events these are; None: made up

    def model_text(self, name: str) -> str:
        """The model file."""
        text = MODEL.format(
            name=name, learner=LEARNERS[self.learner], every_seconds=0.03, last=self.last
        )
        return text + (LATE if self.late_topics == 2 else "")


class Sender:
    """Publishes records in turn, each with its time and its source.

    Args:
        case: How labels come.
        rng: Which partition a record goes to.
    """

    def __init__(self, at: Rig, case: Case, rng: random.Random) -> None:
        self._at, self._case, self._rng = at, case, rng
        self._made, self._waiting = 0, list[dict[str, Any]]()
        self._poison = rng.choice(("labels", "values"))
        self._pairs = made_up(rng) if case.stream is None else cycle(pairs_of(case.stream))
        self.sent = 0

    def send(self, events: int, *, is_bad: bool = False) -> None:
        """So many events, and the labels that come meanwhile."""
        topics = self._at.model_file.topics
        source = b"bad" if is_bad else b"good"
        with closing(KafkaProducer(bootstrap_servers=self._at.kafka, linger_ms=5)) as producer:
            futures = []
            for record in self._records(events, is_bad=is_bad):
                is_lone = "features" not in record
                is_elsewhere = is_lone and self._case.late_topics == 2
                futures.append(
                    producer.send(
                        topics.labels if is_elsewhere else topics.events,
                        value=msgspec.json.encode({**record, "ts": FIRST_S + self.sent}),
                        headers=[("weir-source", source)],
                        partition=self._rng.randrange(self._at.partitions),
                    )
                )
                self.sent += 1
            for future in futures:
                future.get(timeout=30)

    def _records(self, events: int, *, is_bad: bool) -> Iterator[dict[str, Any]]:
        for _ in range(events):
            event = self._event(is_bad=is_bad)
            if not self._case.late_topics:
                yield event
                continue
            yield {name: event[name] for name in ("id", "features")}
            self._waiting.append({name: event[name] for name in ("id", "label")})
            while self._waiting and self._rng.random() < 0.55:
                yield self._waiting.pop(self._rng.randrange(len(self._waiting)))

    def _event(self, *, is_bad: bool) -> dict[str, Any]:
        self._made += 1
        x, y = next(self._pairs)
        times = 1_000 if is_bad and self._poison == "values" else 1
        return {
            "id": f"e-{self._made}",
            "features": {name: value * times for name, value in x.items()},
            "label": y != (is_bad and self._poison == "labels"),
        }


def made_up(rng: random.Random) -> Iterator[Pair]:
    """Three numbers, of which two tell the label, and one in ten labels wrong."""
    while True:
        a, b, c = (rng.uniform(-1, 1) for _ in range(3))
        yield {"a": a, "b": b, "c": c}, (a + b > 0) != (rng.random() < 0.1)


@cache
def pairs_of(stream: Stream) -> list[Pair]:
    """Its first events, more than a trial sends."""
    return from_folder(stream.folder, stream.name, 10_000)


def cases(seed: int, *, kills: int = 0, streams: Sequence[Stream] = ()) -> Iterator[Case]:
    """Trials without end: each learner, on one partition and on four, with late labels in some.

    Args:
        streams: Whose events are sent, in turn; none: they are made up.
    """
    while True:
        for learner in LEARNERS:
            rng = random.Random(seed)
            yield Case(
                learner=learner,
                partitions=rng.choice((1, 1, 4)),
                late_topics=rng.choice((0, 0, 1, 2)),
                kills=kills,
                is_cancelled=rng.random() < 0.25,
                seed=seed,
                last=rng.choice((4, 300)),
                stream=streams[seed % len(streams)] if streams else None,
            )
            seed += 1


def rebuild_cases(seed: int, streams: Sequence[Stream] = ()) -> Iterator[Case]:
    """Each learner on one partition and on four; of one, labels come late. That of each stream."""
    for stream in streams or (None,):
        for learner in LEARNERS:
            for partitions in (1, 4):
                yield Case(
                    learner=learner, partitions=partitions, seed=seed, stream=stream,
                    last=300 if partitions == 1 else 40,
                )  # fmt: skip
        yield Case(learner="tree", partitions=4, late_topics=2, seed=seed, stream=stream)
