"""The scores that are more than a metric of River's: a row each.

Most are means over events, of the loss of one event. Only these can fade: each event has a value of
its own. The formulas are River's to the last bit, so that a lifetime value equals River's metric
fed with the same events.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from config.model_file import TaskName
from learner.scores.business import ValueTally
from learner.scores.calibration import CalibrationTally
from learner.scores.kappas import KappaTally
from learner.scores.means import Interval
from learner.scores.states import (
    CurveTally,
    Loss,
    LossTally,
    MeanTally,
    Present,
    SquaresTally,
)
from learner.scores.tally import MakeTally
from learner.tasks import TASKS

# River's bounds on a probability under a logarithm.
_P_MIN, _P_MAX = 1e-15, 1 - 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is to be known of one score.

    Args:
        tally: Makes what remembers it, and has its values. Scores of one class share it.
        reads: What it is fed with; `vw_loss` is what Vowpal Wabbit tells as it learns.
        tasks: Those it suits, of a score of our own; else River's metric of its name says it.
    """

    tally: MakeTally
    reads: Literal["labels", "probabilities", "vw_loss"]
    tasks: Collection[TaskName] = ()


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


def _mean(loss: Loss, present: Present = float, *, most: float = math.inf) -> Score:
    """The mean of a loss of labels, from 0 to `most`, and what becomes of it."""
    bounds: Interval = (0.0, most)
    return Score(
        tally=partial(MeanTally, loss=loss, present=present, bounds=bounds), reads="labels"
    )


def _mean_of_chances(loss: Loss) -> Score:
    """The mean of a loss of probabilities: of the logarithm of one within River's bounds."""
    bounds: Interval = (0.0, -math.log(1 - _P_MAX))
    tally = partial(MeanTally, loss=loss, bounds=bounds, reads_labels=False)
    return Score(tally=tally, reads="probabilities")


_CLASSES: Collection[TaskName] = [name for name, task in TASKS.items() if task.has_classes]

SCORES = {
    "MAE": _mean(_absolute),
    "MSE": _mean(_squared),
    "RMSE": _mean(_squared, _root),
    "RMSLE": _mean(_squared_log, _root),
    "MAPE": _mean(_percentage, _percent),
    "SMAPE": _mean(_symmetric_percentage, _percent, most=2.0),
    "R2": Score(tally=SquaresTally, reads="labels"),
    "LogLoss": _mean_of_chances(_log_loss),
    "CrossEntropy": _mean_of_chances(_cross_entropy),
    "ROCAUC": Score(tally=CurveTally, reads="probabilities"),
    "KappaT": Score(tally=KappaTally, reads="labels", tasks=_CLASSES),
    "KappaM": Score(tally=KappaTally, reads="labels", tasks=_CLASSES),
    "Brier": Score(tally=CalibrationTally, reads="probabilities", tasks=_CLASSES),
    "ECE": Score(tally=CalibrationTally, reads="probabilities", tasks=_CLASSES),
    "Value": Score(tally=ValueTally, reads="labels", tasks=TASKS.keys()),
    "VWLoss": Score(tally=LossTally, reads="vw_loss", tasks=TASKS.keys()),
}
