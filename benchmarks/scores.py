"""`python -m benchmarks.scores`: what ten scores cost the learner's loop beside Accuracy alone.

CPU of the loop that predicts, scores and learns, over events in memory, and of the report that each
version has: one list of scores, then the other, round after round, each time in the other order.
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import islice

from benchmarks.made import Pair, floats
from benchmarks.parity import CLASSIFIERS
from config.model_file import ModelFile
from learner.build import build_estimator
from learner.drift.monitor import Detectors
from learner.progressive import ExampleCounts, progressive_steps
from learner.scores.scores import scores_of

ALONE = ("Accuracy",)
TEN = ("Accuracy", "F1", "CohenKappa", "ROCAUC", "LogLoss", "KappaT", "KappaM", "Brier", "ECE",
       "Value")  # fmt: skip
VALUE = {"true": {"true": 5, "false": -1}, "false": {"true": -20, "false": 0}}
# Of each learner: events of a turn, and the share of its speed that ten scores must leave it.
GOALS = {
    "logistic regression": (40_000, 0.5),
    "Hoeffding tree": (20_000, 0.7),
    "ARF(10)": (1_500, 0.95),
}
_BATCH = 500
_WIDTH = 8
_TURN_EVENTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU microseconds an event, and milliseconds a report."""

    event_us: float
    report_ms: float


def cost(learner: str, names: tuple[str, ...], pairs: list[Pair]) -> Cost:
    """Of learning these events, and of one report after them."""
    model_file = ModelFile.model_validate(
        {
            "name": "scores",
            "task": "binary",
            "learner": {"river": CLASSIFIERS[learner]},
            "metrics": list(names),
            "value": VALUE,
        }
    )
    scores = scores_of(model_file, model_file.metrics)
    estimator = build_estimator(model_file, wants_probabilities=scores.wants_probabilities)
    watches = Detectors(model_file.drift, model_file.task)
    steps = progressive_steps(estimator, scores, watches, ExampleCounts(), is_regression=False)
    started = time.process_time()
    for first in range(0, len(pairs), _BATCH):
        xs, ys = zip(*pairs[first : first + _BATCH], strict=True)
        steps(xs, ys, None)
    learned = time.process_time()
    scores.report()
    reported = time.process_time()
    return Cost(
        event_us=(learned - started) / len(pairs) * 1e6, report_ms=(reported - learned) * 1e3
    )


def rounds(learner: str, count: int, *, events: int) -> list[tuple[Cost, Cost]]:
    """Accuracy alone, and ten scores, of so many rounds."""
    pairs = list(islice(floats(_WIDTH, turn_events=_TURN_EVENTS), events))
    found = []
    for turn in range(count):
        of = {
            names: cost(learner, names, pairs) for names in (ALONE, TEN)[:: 1 if turn % 2 else -1]
        }
        found.append((of[ALONE], of[TEN]))
    return found


def main() -> int:
    """Measure each learner, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for learner, (events, goal) in GOALS.items():
        found = rounds(learner, asked.rounds, events=events)
        ratios = [alone.event_us / ten.event_us for alone, ten in found]
        alone, ten = (
            statistics.median(each.event_us for each in of) for of in zip(*found, strict=True)
        )
        report = statistics.median(ten.report_ms for _, ten in found)
        print(
            f"{learner:<20} {statistics.median(ratios):.3f} of the events/s of Accuracy alone "
            f"({min(ratios):.3f} to {max(ratios):.3f}; goal {goal}): {alone:.2f} us, {ten:.2f} us, "
            f"a report {report:.1f} ms   (load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
