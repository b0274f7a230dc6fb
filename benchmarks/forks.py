"""What a fork costs the learner: the pages that it writes to next are copied, one by one.

`python -m benchmarks.forks` measures it alone: the same number of events is learned, each time
after another fork, or without; the copy makes a version beside it, as in a learner. What is told is
the learner's own CPU, so that what else the machine does matters little.
"""

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from benchmarks.ballast import MODEL as BALLAST
from benchmarks.made import Pair, floats
from benchmarks.wide import GROWING
from checkpoints.records.segments import pack
from config.model_file import ModelFile, parse_model_file
from config.processes.fork import ended, fork
from learner.build import build_screen
from learner.events.examples import Examples
from learner.trainer import Trainer
from learner.values import Event

_BATCH = 200
_STRETCH_S = 1.0  # as long as a version's interval is
_PAIRS = 10
_TURN_EVENTS = 50_000  # the tree grows for ever
_RIVER = "name: forks\ntask: binary\nlearner: {{river: {river}}}\nmetrics: [Accuracy]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """A learner, and how large it is to be before it is measured.

    Attributes:
        grows_to: Bytes of its model; 0: it is as large as it begins.
    """

    text: str
    grows_to: int = 0


CASES = {
    "2 KB": Forked(text=BALLAST.format(name="forks", size="0")),
    "growing tree, 8 MB": Forked(text=_RIVER.format(river=GROWING), grows_to=8_000_000),
    "growing tree, 16 MB": Forked(text=_RIVER.format(river=GROWING), grows_to=16_000_000),
    "16 MB": Forked(text=BALLAST.format(name="forks", size="16")),
    "64 MB": Forked(text=BALLAST.format(name="forks", size="64")),
}


def fork_cost(name: str, *, pairs: int = _PAIRS, stretch_s: float = _STRETCH_S) -> dict[str, float]:
    """Milliseconds of the learner's CPU a fork, and what share of a second's learning that is."""
    at = _Learner(CASES[name])
    at.grow()
    size, count = at.size(), at.events_in(stretch_s)
    calls_ms, costs_ms, shares = [], [], []
    for pair in range(pairs):
        found = {}
        for is_forked in (pair % 2 == 0, pair % 2 == 1):
            found[is_forked] = at.learned(count, is_forked=is_forked)
        calls_ms.append(found[True].call_s * 1000)
        costs_ms.append((found[True].cpu_s - found[False].cpu_s) * 1000)
        shares.append(1 - found[False].cpu_s / found[True].cpu_s)
    return {
        f"fork, {name}: the call, ms": statistics.median(calls_ms),
        f"fork, {name}: the learner's CPU, ms": statistics.median(costs_ms),
        f"fork, {name}: share of a second's learning, one a second": statistics.median(shares),
        f"fork, {name}: size at first, MB": size / 1e6,
        f"fork, {name}: size at last, MB": at.size() / 1e6,
        f"fork, {name}: events a CPU-second at first": count / stretch_s,
    }


@dataclass(frozen=True, slots=True)
class _Took:
    call_s: float
    cpu_s: float


class _Learner:
    """A trainer and the stream that it learns."""

    def __init__(self, forked: Forked) -> None:
        self._file: ModelFile = parse_model_file(forked.text)
        self._grows_to = forked.grows_to
        self._screen = build_screen(self._file)
        self._trainer = Trainer(self._file)
        self._pairs = floats(14, turn_events=_TURN_EVENTS)
        self._offset = 0
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)  # as in a learner

    def grow(self) -> None:
        """Learn until it is as large as it is to be."""
        self._learn(5 * _BATCH)
        while self._grows_to and self.size() < self._grows_to:
            self._learn(5_000)

    def size(self) -> int:
        """Bytes of the model."""
        return len(self._trainer.snapshot(version="v1").segments["model"])

    def events_in(self, seconds: float) -> int:
        """How many are learned in so many seconds."""
        batches = list(self._batches(10 * _BATCH))
        began = time.process_time()
        for each in batches:
            self._trainer.take(each)
        rate = 10 * _BATCH / (time.process_time() - began)
        return max(_BATCH, round(rate * seconds / _BATCH) * _BATCH)

    def learned(self, count: int, *, is_forked: bool) -> _Took:
        """Learn so many; the CPU that it took, and of that the call of fork."""
        batches = list(self._batches(count))
        began, pid, call_s = time.process_time(), None, 0.0
        if is_forked:
            pid = fork(self._make_version)
            call_s = time.process_time() - began
        for each in batches:
            self._trainer.take(each)
        took = _Took(call_s, time.process_time() - began)
        if pid is not None:
            ended(pid, wait=True)
        return took

    def _make_version(self) -> int:
        """What the copy does, but for the store."""
        for raw in self._trainer.snapshot(version="v2").segments.values():
            pack(raw)
        return 0

    def _learn(self, count: int) -> None:
        for each in self._batches(count):
            self._trainer.take(each)

    def _batches(self, count: int) -> Iterator[Examples]:
        for _ in range(count // _BATCH):
            yield self._batch(list(islice(self._pairs, _BATCH)))

    def _batch(self, pairs: list[Pair]) -> Examples:
        xs: list[Any] = [self._screen.check(Event(features=x, label=y)) for x, y in pairs]
        offsets = list(range(self._offset, self._offset + len(xs)))
        self._offset += len(xs)
        return Examples("bench", 0, offsets, [0] * len(xs), xs, [y for _, y in pairs])


def in_a_process(work: Callable[[], int]) -> None:
    """Each case by itself: what another has left in memory would be forked with it."""
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    os.waitpid(pid, 0)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=";".join(CASES), help="such as '2 KB;64 MB'")
    parser.add_argument("--pairs", type=int, default=_PAIRS)
    given = parser.parse_args()

    def work(name: str) -> int:
        for what, value in fork_cost(name, pairs=given.pairs).items():
            print(f"{what:<62} {value:>10,.4g}", flush=True)
        return 0

    for name in given.cases.split(";"):
        in_a_process(lambda name=name: work(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
