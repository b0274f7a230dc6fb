"""Drift detection on the learner's error, by River's detectors.

Pure code. `learner/progressive.py` feeds the error of each scored event; a detection is each update
after which the detector's flag is true. The flag is an edge that the next update clears, so it is
read once per update.

A detector whose defaults are made for values from 0 to 1 cannot watch a distance with them. Where
the model file does not set them, it is fed the relative error e / (e + m), m the mean error since
its last detection: between 0 and 1 whatever the unit, a half where the error is as usual.
"""

import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from config.model.parts import Drift
from config.model_file import TaskName
from learner.drift.detectors import build_detector, detector_kind
from learner.errors import SpecError
from learner.river.inline_attributes import set_attributes
from learner.tasks import TASKS

# The values that `after` is the mean of.
RECENT = 100
# A detection within so many scored events of the detector's last one belongs to its episode.
EPISODE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One alarm of one detector.

    Args:
        detector: Its name in the model file.
        on: The signal it watches: "error".
        index: Events scored before the one that raised it.
        before: Mean of the signal since this detector's last detection, or since its start.
        after: Mean of the signal's last 100 values.
        direction: "worse" where the error rose: where `after` lies above `before`, or, since a
            detection less than 100 values ago, the later half of these above the earlier.
        episode: Counts from 1 for each detector; alarms in quick succession share one.
    """

    detector: str
    on: str
    index: int
    before: float
    after: float
    direction: Literal["worse", "better"]
    episode: int


_NONE: tuple[Detection, ...] = ()


class Detectors:
    """The drift detectors that a model file lists.

    Args:
        specs: Which, with their arguments.
        task: What the learner learns; of a regression the error is a distance, which a detector
            of zeros and ones cannot read.

    Attributes:
        notes: What was settled for the user when they were built.

    Raises:
        SpecError: A detector or an argument is unknown, with the nearest right name, or unsuited.

    >>> detectors = Detectors([Drift(detector="ADWIN")], "binary")
    >>> raised = [detectors.update(int(i >= 2000), i) for i in range(3000)]
    >>> [(found.index, found.direction) for each in raised for found in each]
    [(2015, 'worse')]
    """

    def __init__(self, specs: Sequence[Drift], task: TaskName) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._watches = [
            _watch(spec, task, f"drift[{position}]") for position, spec in enumerate(specs)
        ]
        self.notes = tuple(
            f"{watch.entry['detector']} watches the error relative to its mean, e / (e + mean): "
            "its default delta and threshold are for values from 0 to 1; where one is given, it "
            "watches the error itself"
            for watch in self._watches
            if watch.relative
        )

    def update(self, signal: float, index: int) -> Sequence[Detection]:
        """Feed the error of one scored event to every detector; nearly always finds nothing.

        Args:
            signal: 0 or 1 (wrong) for classes, the distance for a regression; finite.
            index: Events scored before this one.
        """
        assert isfinite(signal), f"a detector must never see {signal} (scored event {index})"
        self._recent.append(signal)
        found = _NONE
        for watch in self._watches:
            watch.total += signal
            watch.count += 1
            detector = watch.detector
            detector.update(watch.fed(signal) if watch.is_changed else signal)
            if detector.drift_detected:
                found = (*found, watch.detected(index, self._recent))
        return found

    def dump(self) -> dict[str, Any]:
        """The state, to be pickled before the next update: it shares what is updated."""
        return {
            "recent": list(self._recent),
            "watches": [watch.dump() for watch in self._watches],
        }

    def restore(self, dumped: dict[str, Any]) -> None:
        """Continue from a dump, perhaps of another list: entries unchanged go on, others start."""
        self._recent.extend(dumped["recent"])
        states: list[dict[str, Any]] = list(dumped["watches"])
        for watch in self._watches:
            state = next((each for each in states if each["entry"] == watch.entry), None)
            if state is not None:
                states.remove(state)
                watch.load(state)


class _Watch:
    """A detector, and what is told of the signal when it raises an alarm."""

    __slots__ = (
        "count",
        "detector",
        "entry",
        "episode",
        "inverted",
        "is_changed",
        "last",
        "relative",
        "total",
    )

    def __init__(
        self, entry: dict[str, Any], detector: Any, *, inverted: bool, relative: bool
    ) -> None:
        self.entry, self.detector = entry, detector
        self.inverted, self.relative = inverted, relative
        self.is_changed = inverted or relative
        self.total: float = 0
        self.count = 0  # values in `total`: those since the last detection
        self.last: int | None = None  # index of the last detection
        self.episode = 0

    def fed(self, signal: float) -> float:
        """What the detector is fed instead of the signal, which is in `total` already."""
        if self.inverted:
            return 1 - signal
        return signal / (signal + self.total / self.count) if signal else 0.0

    def detected(self, index: int, recent: deque[float]) -> Detection:
        """The detection raised at `index`; the signal's mean is taken anew from here."""
        before, after = self.total / self.count, sum(recent) / len(recent)
        if self.last is None or index - self.last > EPISODE:
            self.episode += 1
        is_worse = _rises(list(recent)[-self.count :]) if self.count <= RECENT else after > before
        self.total, self.count, self.last = 0, 0, index
        return Detection(
            detector=self.entry["detector"],
            on=self.entry["on"],
            index=index,
            before=before,
            after=after,
            direction="worse" if is_worse else "better",
            episode=self.episode,
        )

    def dump(self) -> dict[str, Any]:
        return {
            "entry": self.entry,
            "detector": _state(self.detector),
            "since": [self.total, self.count],
            "last": self.last,
            "episode": self.episode,
        }

    def load(self, dumped: dict[str, Any]) -> None:
        set_attributes(self.detector, dumped["detector"])
        self.total, self.count = dumped["since"]
        self.last, self.episode = dumped["last"], dumped["episode"]


def _rises(signal: list[float]) -> bool:
    """Whether the later half lies above the earlier one.

    What `before` is compared with after a detection that is less than 100 values old: the last
    100 would reach back past it.
    """
    half = len(signal) // 2
    earlier, later = signal[:half], signal[half:]
    return sum(later) / len(later) > sum(earlier) / max(1, half)


def _watch(spec: Drift, task: TaskName, key: str) -> _Watch:
    kind = detector_kind(spec.detector, key)
    is_distance = not TASKS[task].has_classes
    if kind.binary and is_distance:
        what = f"reads right or wrong, and the error of a {task} is a distance"
        raise SpecError(f"{key}.detector", f"{spec.detector} {what}: take ADWIN")
    arguments = dict(spec.arguments)
    entry = {"on": spec.on, "detector": spec.detector, "arguments": arguments}
    relative = is_distance and bool(kind.in_unit) and not kind.in_unit & arguments.keys()
    if relative:  # what one of another version was fed does not go on with this
        entry["fed"] = "relative"
    return _Watch(
        entry,
        build_detector(spec.detector, arguments, key),
        inverted=kind.inverted,
        relative=relative,
    )


def _state(detector: Any) -> dict[str, Any]:
    """The detector's attributes, without what its constructor sets anew.

    Not the detector itself: PageHinkley holds a bound method, which pickles as a call of `getattr`
    that no safe unpickler lets through; KSWIN holds a numpy number where a float does.
    """
    return {
        name: float(value) if isinstance(value, float) else value
        for name, value in vars(detector).items()
        if not inspect.ismethod(value)
    }
