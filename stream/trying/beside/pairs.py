"""How far one model's score is from another's on the same events, and how sure that is.

The two are compared event by event: what both found easy, or hard, is no difference between them.
That is why the interval of a difference is narrower than the scores' own suggest.

Source: the confidence sequences of `learner/scores/means.py`, of the differences of the losses.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from learner.progressive import Watch
from learner.scores.means import Interval, RunningMean
from learner.scores.tally import EventLoss
from stream.trying.rows import ScoreDifference, TrialRow

_NO_FADING = 1.0


class Scored(NamedTuple):
    """What one model made of a stretch of records.

    Attributes:
        places: Which of the records it learned, in order.
        losses: Of each score that is a mean over events, the loss of each of them; NaN where there
            was no prediction to score.
    """

    places: Sequence[int]
    losses: Mapping[str, Sequence[float]]


class LossWatch:
    """Notes the losses of what is scored, until they are taken: a `Watch` of the learner's.

    Args:
        losses: By the scores' names.
    """

    def __init__(self, losses: Mapping[str, EventLoss]) -> None:
        self._noted: dict[str, list[float]] = {name: [] for name in losses}
        self._columns = [(self._noted[name].append, loss.of) for name, loss in losses.items()]

    def scored(self, y: Any, predicted: Any, probabilities: Any) -> None:
        """Note the losses of one event."""
        for note, loss in self._columns:
            note(loss(y, predicted, probabilities))

    def unscored(self) -> None:
        """Note that there is none."""
        for note, _ in self._columns:
            note(math.nan)

    def take(self) -> dict[str, list[float]]:
        """What was noted since this was last asked."""
        taken = {name: noted[:] for name, noted in self._noted.items()}
        for noted in self._noted.values():
            noted.clear()
        return taken


class Watches:
    """Several watches as one."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches

    @property
    def narrowed(self) -> Watch | None:
        """As the learner is handed it, which calls it for every event: none, the only one, all."""
        return self if len(self._watches) > 1 else next(iter(self._watches), None)

    def scored(self, y: Any, predicted: Any, probabilities: Any) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.scored(y, predicted, probabilities)

    def unscored(self) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.unscored()


class EventPairs:
    """Compares one model with the first on each stretch that both have taken.

    Args:
        losses: Of the scores that both have.

    >>> hits = EventLoss(lambda y, predicted, _: float(y == predicted), (0.0, 1.0))
    >>> pair = EventPairs({"Accuracy": hits})
    >>> pair.take(Scored([0, 1], {"Accuracy": [1.0, 0.0]}), Scored([1], {"Accuracy": [1.0]}))
    >>> pair.differences()["Accuracy"].mean, pair.differences()["Accuracy"].events
    (1.0, 1)
    """

    def __init__(self, losses: Mapping[str, EventLoss]) -> None:
        self._bounds = {name: _of_differences(loss.bounds) for name, loss in losses.items()}
        self._means = {name: RunningMean(_NO_FADING) for name in losses}

    def take(self, first: Scored, other: Scored) -> None:
        """Take what both made of the same records."""
        for name, mean in self._means.items():
            mean.update(_differences(first, other, name))

    def taking(self, first: Sequence[float], other: Sequence[float], name: str) -> "EventPairs":
        """The same, of all losses by which both were scored, of the first records on."""
        places = range(min(len(first), len(other)))
        both = (Scored(places, {name: losses[: len(places)]}) for losses in (first, other))
        self.take(*both)
        return self

    def differences(self) -> dict[str, ScoreDifference]:
        """Of each score that both have scored an event by."""
        return {name: self._told(name, mean) for name, mean in self._means.items() if mean.count}

    def _told(self, name: str, mean: RunningMean) -> ScoreDifference:
        low, high = mean.interval(self._bounds[name]) or (None, None)
        return ScoreDifference(mean=mean.mean, low=low, high=high, events=int(mean.count))


def _of_differences(bounds: Interval) -> Interval:
    low, high = bounds
    return low - high, high - low


def _differences(first: Scored, other: Scored, name: str) -> list[float]:
    """Of the records that both have scored."""
    ours, theirs = other.losses[name], first.losses[name]
    if first.places == other.places:
        pairs = zip(ours, theirs, strict=True)
    else:
        at = dict(zip(first.places, theirs, strict=True))
        found = zip(other.places, ours, strict=True)
        pairs = ((loss, at[place]) for place, loss in found if place in at)  # type: ignore[assignment]
    return [a - b for a, b in pairs if a == a and b == b]


def compared(row: TrialRow, pair: EventPairs) -> TrialRow:
    """The row with how far its scores are from the first row's."""
    metrics = dict(row.metrics)
    for name, found in pair.differences().items():
        if name in metrics:  # of a trial whose process died nothing is known
            metrics[name] = replace(metrics[name], difference=found)
    return replace(row, metrics=metrics)
