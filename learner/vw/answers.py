"""Reading Vowpal Wabbit's predictions: one function for each kind of answer."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from learner.estimator import Native, Predicted
from learner.vw.arguments import Answer

Read: TypeAlias = Callable[[Any], Predicted]

# The kinds of answer that come with probabilities.
WITH_PROBABILITIES = frozenset({"probability", "logistic score", "class probabilities"})


def reader(kind: Answer, labels: Mapping[int, Native], *, wants_probabilities: bool) -> Read:
    """The function that reads an example's prediction.

    Args:
        kind: What VW answers.
        labels: The native label of each of VW's class numbers, in VW's order.
        wants_probabilities: Whether to give them, where VW does.
    """
    if kind == "class":
        return lambda example: (labels.get(example.get_multiclass_prediction()), None)
    if kind in {"class scores", "class probabilities"}:
        return _classes(tuple(labels.values()), wants_probabilities and kind != "class scores")
    if kind == "number":
        return lambda example: (example.get_simplelabel_prediction(), None)
    if kind == "probability":
        return _probability if wants_probabilities else _above_half
    if kind == "logistic score" and wants_probabilities:
        return _logistic_score
    return _sign


def _sign(example: Any) -> Predicted:
    return example.get_simplelabel_prediction() > 0.0, None


def _above_half(example: Any) -> Predicted:
    return example.get_simplelabel_prediction() > 0.5, None


def _probability(example: Any) -> Predicted:
    p = example.get_simplelabel_prediction()
    return p > 0.5, {False: 1.0 - p, True: p}


def _logistic_score(example: Any) -> Predicted:
    score = example.get_simplelabel_prediction()
    p = _logistic(score)
    return score > 0.0, {False: 1.0 - p, True: p}


def _logistic(score: float) -> float:
    """1 / (1 + e^-score), without overflow.

    >>> _logistic(0.0), _logistic(-1e4), _logistic(1e4)
    (0.5, 0.0, 1.0)
    """
    if score >= 0.0:
        return 1.0 / (1.0 + math.exp(-score))
    e = math.exp(score)
    return e / (1.0 + e)


def _classes(labels: tuple[Native, ...], wants_probabilities: bool) -> Read:
    def read(example: Any) -> Predicted:
        by_label = dict(zip(labels, example.get_scalars(), strict=True))
        best = max(by_label, key=by_label.__getitem__)
        return best, by_label if wants_probabilities else None

    return read
