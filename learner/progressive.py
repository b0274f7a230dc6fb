"""Progressive validation: each example is predicted and scored before the learner sees its label.

The one place that calls `learn`. The order is the contract: predict, score, detect, learn; a score
taken after learning would be a training score.

Source: Blum, Kalai and Langford, "Beating the hold-out", COLT 1999.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from learner.drift import Detection, Detectors
from learner.estimator import Estimator, Predicted
from learner.gate import Example
from learner.scores import Scores

Step = Callable[[Example], Sequence[Detection]]


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


def progressive_step(
    estimator: Estimator, scores: Scores, detectors: Detectors, tally: Tally, *, is_regression: bool
) -> Step:
    """The step for one learner: a function of an example, returning the drifts it raised.

    The function raises whatever the estimator raises; the learner is then half-updated and has
    to be thrown away.

    Args:
        estimator: Predicts and learns. One that predicts as it learns returns the prediction
            made before the update, which is scored just the same.
        scores: Updated with each finite prediction.
        detectors: Fed with each error: 0 or 1 for classes, the distance for regression.
        tally: Counts what happened.
        is_regression: Whether the error is a distance.
    """
    judge = _judge(scores, detectors, tally, is_regression=is_regression)
    learn = estimator.learn
    if estimator.predicts_as_it_learns:

        def step_within(example: Example) -> Sequence[Detection]:
            predicted = learn(example.x, example.y, example.w)
            assert predicted is not None, "an estimator that predicts as it learns did not"
            if scores.wants_loss:
                told = cast("ReportsLoss", estimator)
                scores.add_loss(told.last_loss, told.last_weight)
            tally.learned += 1
            return judge(example.y, predicted)

        return step_within

    predict = estimator.predict

    def step(example: Example) -> Sequence[Detection]:
        x = example.x
        detections = judge(example.y, predict(x))
        learn(x, example.y, example.w)
        tally.learned += 1
        return detections

    return step


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
