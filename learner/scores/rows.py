"""The scores that are more than a metric of River's: a row each.

Most are means over events, of the loss of one event. Only these can fade: each event has a value of
its own. The formulas are River's to the last bit, so that a lifetime value equals River's metric
fed with the same events.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from config.model_file import TaskName
from learner.scores.states import CurveTally, Loss, LossTally, MakeTally, MeanTally
from learner.tasks import TASKS

# River's bounds on a probability under a logarithm.
_P_MIN, _P_MAX = 1e-15, 1 - 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is to be known of one score.

    Args:
        tally: Makes what remembers it, and has its values.
        tasks: Those it suits, of a score of our own; else River's metric of its name says it.
        reads: What it is fed with, likewise; `vw_loss` is what Vowpal Wabbit tells as it learns.
    """

    tally: MakeTally
    tasks: Collection[TaskName] = ()
    reads: Literal["labels", "probabilities", "vw_loss"] | None = None

    def __post_init__(self) -> None:
        if bool(self.tasks) != (self.reads is not None):
            raise ValueError("a score of our own says both what it suits and what it reads")


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


def _mean(loss: Loss, present: Callable[[float], float] = float, **own: Any) -> Score:
    """The mean of a loss, and what becomes of it: a root, a percentage.

    Args:
        own: `tasks` and `reads`, of a score that River does not have.
    """
    return Score(tally=partial(MeanTally, loss=loss, present=present), **own)


SCORES = {
    "MAE": _mean(_absolute),
    "MSE": _mean(_squared),
    "RMSE": _mean(_squared, _root),
    "RMSLE": _mean(_squared_log, _root),
    "MAPE": _mean(_percentage, _percent),
    "SMAPE": _mean(_symmetric_percentage, _percent),
    "LogLoss": _mean(_log_loss),
    "CrossEntropy": _mean(_cross_entropy),
    "ROCAUC": Score(tally=CurveTally),
    "VWLoss": Score(tally=LossTally, tasks=TASKS.keys(), reads="vw_loss"),
}
