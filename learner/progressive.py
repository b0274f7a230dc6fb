"""Progressive validation: each example is predicted and scored before the learner sees its label.

The one place that calls `learn`. The order is the contract: predict, score, detect, learn; a score
taken after learning would be a training score.

Source: Blum, Kalai and Langford, "Beating the hold-out", COLT 1999.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from math import isfinite
from typing import Any, Protocol, TypeAlias, cast

from learner.drift.monitor import Detection, Detectors
from learner.errors import told
from learner.estimator import Predicted, are_wild
from learner.scores.scores import Scores
from learner.slices.slices import Slices

Found: TypeAlias = list[tuple[int, Detection]]
Steps: TypeAlias = Callable[[Sequence[Any], Sequence[Any], Sequence[float | None] | None], Found]


class StepFailedError(Exception):
    """The learner raised on an example and may be half-updated.

    Attributes:
        place: Which of the examples given.
        cause: What it raised.
    """

    def __init__(self, place: int, cause: BaseException) -> None:
        super().__init__(f"example {place}: {told(cause)}")
        self.place, self.cause = place, cause


class PredictFailedError(Exception):
    """The learner raised when it was asked, which has changed nothing.

    Attributes:
        place: Which of the examples given. Those before it are learned, those after it are not yet.
        cause: What it raised.
        found: The drifts that those before it raised.
    """

    def __init__(self, place: int, cause: BaseException, found: "Found") -> None:
        super().__init__(f"example {place}: {told(cause)}")
        self.place, self.cause, self.found = place, cause, found


class ReportsLoss(Protocol):
    """What an estimator that predicts as it learns tells of the example it learned last.

    Attributes:
        last_loss: Its loss, times its weight.
        last_weight: Its weight.
    """

    last_loss: float
    last_weight: float


class Steppable(Protocol):
    """What the steps ask of an estimator; see `Estimator`."""

    predicts_as_it_learns: bool
    draws_when_asked: bool

    def predict(self, x: Any, /) -> Predicted:
        """The prediction; learns nothing."""

    def learn(self, x: Any, y: Any, w: float | None, /) -> Predicted | None:
        """Learn; the prediction made before it, where `predicts_as_it_learns`."""


class Watch(Protocol):
    """Hears of each example that is learned, in order; what a comparison of learners is made of."""

    def scored(self, y: Any, predicted: Any, probabilities: Any, /) -> None:
        """The prediction for this truth was scored; what it is given may be changed later."""

    def unscored(self) -> None:
        """There was no prediction to score."""


# Stands for a prediction until there is one.
_ASKED: Any = object()


class ExampleCounts:
    """How many examples were learned, and what became of their predictions.

    Attributes:
        learned: Examples learned.
        scored: Those whose prediction was scored.
        nonfinite: Predictions that were NaN or infinite. None is scored, but for a label whose
            probability is NaN where all scores read labels alone: they are River's own then.
        unscored: Examples of which there was no prediction; None: all that is left.
        raised: Examples that were refused because the learner raised on them.
    """

    __slots__ = ("learned", "nonfinite", "raised", "scored", "unscored")

    def __init__(
        self,
        learned: int = 0,
        scored: int = 0,
        nonfinite: int = 0,
        unscored: int | None = None,
        raised: int = 0,
    ) -> None:
        self.learned, self.scored, self.nonfinite = learned, scored, nonfinite
        self.unscored = learned - scored - nonfinite if unscored is None else unscored
        self.raised = raised

    def count(self, learned: int, scored: int, nonfinite: int, unscored: int) -> None:
        """So many more were learned, not finite, without a prediction; `scored` in all."""
        self.learned += learned
        self.scored, self.nonfinite = scored, self.nonfinite + nonfinite
        self.unscored += unscored


def progressive_steps(
    estimator: Steppable,
    scores: Scores,
    detectors: Detectors,
    tally: ExampleCounts,
    *,
    is_regression: bool,
    slices: Slices | None = None,
    watch: Watch | None = None,
) -> Steps:
    """The steps of one learner: a function of examples in order, returning the drifts they raised.

    The function takes features, native labels and weights (None: no example has one) of equal
    length. It returns each detection with the place of its example. It raises PredictFailedError
    where the estimator cannot be asked, which costs that example; and StepFailedError where it
    raises otherwise, or has no memory left: it is then half-updated and has to be thrown away.

    Args:
        estimator: Predicts and learns. One that predicts as it learns returns the prediction
            made before the update, which is scored just the same.
        scores: Updated with each finite prediction.
        detectors: Fed with each error: 0 or 1 for classes, the distance for regression.
        tally: Counts what happened.
        is_regression: Whether the error is a distance.
        slices: Fed with the features of each event before it is scored; None: there are none.
        watch: Hears of what is not scored; of the rest it hears as one of `scores.feeds`.
    """
    learn: Any = _learning(estimator, scores)  # what it returns depends on `is_within`
    predict, is_within = estimator.predict, estimator.predicts_as_it_learns
    feeds, detect = scores.feeds, detectors.update
    reads_chances = scores.wants_probabilities
    feed_slices = None if slices is None else slices.feed
    missed = _unheard if watch is None else watch.unscored
    changes_when_asked = is_within or estimator.draws_when_asked

    def steps(xs: Sequence[Any], ys: Sequence[Any], ws: Sequence[float | None] | None) -> Found:
        # All in one loop: a call costs as much as a score, and this is where every event passes.
        found: Found = []
        place, scored, nonfinite, unscored = 0, tally.scored, 0, 0
        predicted: Any = None  # as the task has it
        try:
            for x, y, w in zip(xs, ys, repeat(None) if ws is None else ws, strict=False):
                predicted = _ASKED
                predicted, probabilities = learn(x, y, w) if is_within else predict(x)
                if predicted is None:
                    unscored += 1
                    missed()
                elif (
                    not isfinite(predicted)
                    if is_regression  # a label that is a float is NaN or infinite
                    else type(predicted) is float or (reads_chances and are_wild(probabilities))
                ):
                    nonfinite += 1
                    missed()
                else:
                    # Scored by its label, and counted.
                    nonfinite += (
                        probabilities is not None and not reads_chances and are_wild(probabilities)
                    )
                    if feed_slices is not None:
                        feed_slices(x)
                    for feed in feeds:
                        feed(y, predicted, probabilities)
                    error = abs(y - predicted) if is_regression else int(predicted != y)
                    for detection in detect(error, scored):
                        found.append((place, detection))
                    scored += 1
                if not is_within:
                    learn(x, y, w)
                place += 1
        except BaseException as problem:  # River's Rust panics with what is no Exception
            tally.count(place, scored, nonfinite, unscored)
            has_changed = predicted is not _ASKED or changes_when_asked
            raise _failure(place, problem, found, has_changed=has_changed) from problem
        tally.count(place, scored, nonfinite, unscored)
        return found

    return steps


def _unheard() -> None:
    """Nobody watches."""


def _learning(estimator: Steppable, scores: Scores) -> Callable[..., Any]:
    """The estimator's own way to learn; where its loss is a score, that is added each time."""
    if not scores.wants_loss:
        return estimator.learn
    learn, reported = estimator.learn, cast("ReportsLoss", estimator)

    def learn_and_report(x: Any, y: Any, w: float | None) -> Any:
        found = learn(x, y, w)
        scores.add_loss(reported.last_loss, reported.last_weight)
        return found

    return learn_and_report


def _failure(
    place: int, cause: BaseException, found: Found, *, has_changed: bool
) -> StepFailedError | PredictFailedError:
    """What is raised for `cause`. Want of memory is the machine's, and no example's."""
    if has_changed or isinstance(cause, MemoryError):
        return StepFailedError(place, cause)
    return PredictFailedError(place, cause, found)
