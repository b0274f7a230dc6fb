"""Scores that are a mean over events: the loss of one event, and how the mean is presented.

Only such scores can fade: each event has a value of its own. The formulas are River's to the last
bit, so that a lifetime value equals River's metric fed with the same events.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

# (truth, predicted label or number, probabilities) -> this event's loss.
Loss: TypeAlias = Callable[[Any, Any, Any], float]

# River's bounds on a probability under a logarithm.
_P_MIN, _P_MAX = 1e-15, 1 - 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanScore:
    """A score that is the mean of a loss.

    Args:
        loss: One event's loss.
        present: What becomes of the mean: a root, a percentage.
    """

    loss: Loss
    present: Callable[[float], float] = float


def _absolute(y: float, y_pred: float, _: object) -> float:
    return abs(y - y_pred)


def _squared(y: float, y_pred: float, _: object) -> float:
    try:
        return float((y - y_pred) ** 2)
    except OverflowError:
        return math.inf


def _squared_log(y: float, y_pred: float, _: object) -> float:
    try:
        return (math.log(y + 1) - math.log(y_pred + 1)) ** 2
    except ValueError:  # there is no logarithm at or below -1: the score has no value from here on
        return math.nan


def _percentage(y: float, y_pred: float, _: object) -> float:
    return abs(y - y_pred) / abs(y) if y else 0.0


def _symmetric_percentage(y: float, y_pred: float, _: object) -> float:
    size = abs(y) + abs(y_pred)
    return 2.0 * abs(y - y_pred) / size if size else 0.0


def _log_loss(y: bool, _: object, probabilities: dict[Any, float]) -> float:
    p = probabilities.get(True, 0.0)
    if not _P_MIN <= p <= _P_MAX:
        p = max(min(p, _P_MAX), _P_MIN)
    return -math.log(p) if y else -math.log(1 - p)


def _cross_entropy(y: Any, _: object, probabilities: dict[Any, float]) -> float:
    if y not in probabilities:
        return 0.0  # River's rule: a label never heard of costs nothing
    return -math.log(max(min(probabilities[y], _P_MAX), _P_MIN))


def _root(mean: float) -> float:
    return float(mean**0.5)


def _percent(mean: float) -> float:
    return 100 * mean


MEAN_SCORES = {
    "MAE": MeanScore(loss=_absolute),
    "MSE": MeanScore(loss=_squared),
    "RMSE": MeanScore(loss=_squared, present=_root),
    "RMSLE": MeanScore(loss=_squared_log, present=_root),
    "MAPE": MeanScore(loss=_percentage, present=_percent),
    "SMAPE": MeanScore(loss=_symmetric_percentage, present=_percent),
    "LogLoss": MeanScore(loss=_log_loss),
    "CrossEntropy": MeanScore(loss=_cross_entropy),
}
