"""Progressive validation: each example is predicted and scored before the learner sees its label.

The one place that calls `learn`. The order is the contract: predict, score, detect, learn; a score
taken after learning would be a training score.

Source: Blum, Kalai and Langford, "Beating the hold-out", COLT 1999.
"""

import math
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Protocol, TypeAlias, cast

from learner.drift import Detection, Detectors
from learner.estimator import Estimator, Predicted
from learner.scores import Scores

Found: TypeAlias = list[tuple[int, Detection]]
Steps: TypeAlias = Callable[[Sequence[Any], Sequence[Any], Sequence[float | None] | None], Found]


class StepFailedError(Exception):
    """The learner raised on an example and may be half-updated.

    Attributes:
        place: Which of the examples given.
        cause: What it raised.
    """

    def __init__(self, place: int, cause: BaseException) -> None:
        super().__init__(f"example {place}: {type(cause).__name__}: {cause}")
        self.place, self.cause = place, cause


class ReportsLoss(Protocol):
    """What an estimator that predicts as it learns tells of the example it learned last.

    Attributes:
        last_loss: Its loss, times its weight.
        last_weight: Its weight.
    """

    last_loss: float
    last_weight: float


class Tally:
    """How many examples were learned, and what became of their predictions.

    Attributes:
        learned: Examples learned.
        scored: Those whose prediction was scored; `learned - scored - nonfinite` had none.
        nonfinite: Predictions that were NaN or infinite: learned, never scored.
    """

    __slots__ = ("learned", "nonfinite", "scored")

    def __init__(self, learned: int = 0, scored: int = 0, nonfinite: int = 0) -> None:
        self.learned, self.scored, self.nonfinite = learned, scored, nonfinite


def progressive_steps(
    estimator: Estimator, scores: Scores, detectors: Detectors, tally: Tally, *, is_regression: bool
) -> Steps:
    """The steps of one learner: a function of examples in order, returning the drifts they raised.

    The function takes features, native labels and weights (None: no example has one) of equal
    length. It returns each detection with the place of its example, and raises StepFailedError
    when the estimator raises; the learner is then half-updated and has to be thrown away.

    Args:
        estimator: Predicts and learns. One that predicts as it learns returns the prediction
            made before the update, which is scored just the same.
        scores: Updated with each finite prediction.
        detectors: Fed with each error: 0 or 1 for classes, the distance for regression.
        tally: Counts what happened.
        is_regression: Whether the error is a distance.
    """
    judge = _judge(scores, detectors, tally, is_regression=is_regression)
    learn, predict = estimator.learn, estimator.predict

    def learn_within(x: Any, y: Any, w: float | None) -> Sequence[Detection]:
        predicted = learn(x, y, w)
        assert predicted is not None, "an estimator that predicts as it learns did not"
        if scores.wants_loss:
            told = cast("ReportsLoss", estimator)
            scores.add_loss(told.last_loss, told.last_weight)
        return judge(y, predicted)

    def predict_then_learn(x: Any, y: Any, w: float | None) -> Sequence[Detection]:
        detections = judge(y, predict(x))
        learn(x, y, w)
        return detections

    step = learn_within if estimator.predicts_as_it_learns else predict_then_learn

    def steps(xs: Sequence[Any], ys: Sequence[Any], ws: Sequence[float | None] | None) -> Found:
        found: Found = []
        place = 0
        try:
            for x, y, w in zip(xs, ys, repeat(None) if ws is None else ws, strict=False):
                detections = step(x, y, w)
                if detections:
                    found += [(place, each) for each in detections]
                place += 1
        except (Exception, SystemExit) as error:
            raise StepFailedError(place, error) from error
        finally:
            tally.learned += place
        return found

    return steps


def _judge(
    scores: Scores, detectors: Detectors, tally: Tally, *, is_regression: bool
) -> Callable[[Any, Predicted], Sequence[Detection]]:
    """Scores a prediction and feeds the detectors, if there is a finite prediction to score."""
    update_scores, detect = scores.update, detectors.update

    def judge(y: Any, predicted: Predicted) -> Sequence[Detection]:
        y_pred, probabilities = predicted
        if y_pred is None:
            return ()
        if is_regression:
            if not math.isfinite(cast("float", y_pred)):
                tally.nonfinite += 1
                return ()
            signal = abs(y - cast("float", y_pred))
        else:
            if probabilities is not None and not math.isfinite(sum(probabilities.values())):
                tally.nonfinite += 1
                return ()
            signal = 0 if y_pred == y else 1
        update_scores(y, y_pred, probabilities)
        index = tally.scored
        tally.scored = index + 1
        return detect(signal, index)

    return judge
