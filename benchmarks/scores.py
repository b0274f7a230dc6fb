"""`python -m benchmarks.scores`: what ten scores and three slices cost beside Accuracy alone.

CPU of a trainer that admits, predicts, scores and learns Phishing again and again, from examples in
memory, and of the snapshot that a version is made of: one model file, then the other, round after
round, each time in the other order.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

from benchmarks.data import Pair, shipped
from benchmarks.parity import CLASSIFIERS
from config.model_file import ModelFile
from learner.events.examples import Examples
from learner.trainer import Trainer

ALONE: Mapping[str, Any] = {"metrics": ["Accuracy"]}
ALL: Mapping[str, Any] = {
    "metrics": ["Accuracy", "F1", "CohenKappa", "ROCAUC", "LogLoss", "KappaT", "KappaM", "Brier",
                "ECE", "Value"],
    "value": {"true": {"true": 5, "false": -1}, "false": {"true": -20, "false": 0}},
    "slices": ["https", "is_popular", {"feature": "age_of_domain", "bins": [0.5]}],
}  # fmt: skip
# Of each learner: events of a turn, and the share of its speed that all scores must leave it.
GOALS = {
    "logistic regression": (40_000, 0.5),
    "Hoeffding tree": (20_000, 0.7),
    "ARF(10)": (2_500, 0.95),
}
_BATCH = 100  # as the source sends them


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU microseconds an event, and milliseconds to write the trainer down."""

    event_us: float
    snapshot_ms: float


def cost(learner: str, scored: Mapping[str, Any], batches: list[Examples]) -> Cost:
    """Of learning these examples, and of the snapshot after them, which tells all scores."""
    model = {"name": "scores", "task": "binary", "learner": {"river": CLASSIFIERS[learner]}}
    trainer = Trainer(ModelFile.model_validate({**model, **scored}))
    started = time.process_time()
    for batch in batches:
        trainer.take(batch)
    learned = time.process_time()
    trainer.snapshot(version="v1")
    written = time.process_time()
    events = sum(len(batch.xs) for batch in batches)
    return Cost(event_us=(learned - started) / events * 1e6, snapshot_ms=(written - learned) * 1e3)


def batches_of(pairs: list[Pair], events: int) -> list[Examples]:
    """So many events as the source hands them over: these again and again."""
    found, stream = [], islice(cycle(pairs), events)
    while batch := list(islice(stream, _BATCH)):
        xs, ys = map(list, zip(*batch, strict=True))
        names = sorted(set(chain.from_iterable(xs)))
        offsets, times = list(range(len(xs))), [0] * len(xs)
        found.append(Examples("scores.events", 0, offsets, times, xs, ys, names={"number": names}))
    return found


def rounds(learner: str, count: int, *, events: int) -> list[tuple[Cost, Cost]]:
    """Accuracy alone, and everything, of so many rounds."""
    batches = batches_of(shipped("Phishing"), events)
    found = []
    for turn in range(count):
        alone_first = turn % 2 == 0
        first, second = (ALONE, ALL) if alone_first else (ALL, ALONE)
        costs = cost(learner, first, batches), cost(learner, second, batches)
        found.append(costs if alone_first else costs[::-1])
    return found


def main() -> int:
    """Measure each learner, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for learner, (events, goal) in GOALS.items():
        found = rounds(learner, asked.rounds, events=events)
        ratios = [alone.event_us / everything.event_us for alone, everything in found]
        alone, everything = (
            statistics.median(each.event_us for each in of) for of in zip(*found, strict=True)
        )
        snapshot = statistics.median(each.snapshot_ms for _, each in found)
        print(
            f"{learner:<20} {statistics.median(ratios):.3f} of the events/s of Accuracy alone "
            f"({min(ratios):.3f} to {max(ratios):.3f}; goal {goal}): {alone:.2f} us, "
            f"{everything:.2f} us, a snapshot {snapshot:.1f} ms   (load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
