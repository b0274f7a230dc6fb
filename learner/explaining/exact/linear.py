"""Linear models: what a feature adds is its weight times its value, as the last step sees it."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from river import linear_model, optim, utils

from learner.explaining.exact.parts import AnswerParts, AnswerTarget, Score, additive, logistic

_Z = Mapping[str, Any]
# Before the link; it has no public name.
_raw_dot_one: Callable[[Any], Score] = attrgetter("_raw_dot_one")


def linear_parts(model: Any, z: _Z, target: AnswerTarget) -> AnswerParts | None:
    """The parts of a linear model's answer; None: it is none that is known here.

    >>> from river import linear_model
    >>> model = linear_model.LinearRegression(intercept_init=1.0)
    >>> model.learn_one({"x": 2.0}, 3.0)
    >>> parts = linear_parts(model, {"x": 2.0}, AnswerTarget())
    >>> parts.sum == model.predict_one({"x": 2.0})
    True
    """
    if isinstance(model, linear_model.LogisticRegression):  # Perceptron is one
        return additive(_signed(_raw_dot_one(model), target), z, "log_odds", logistic)
    if isinstance(model, linear_model.LinearRegression):
        read = model.loss.mean_func
        is_plain = type(model.loss).mean_func is optim.losses.RegressionLoss.mean_func
        return additive(_raw_dot_one(model), z, "value" if is_plain else "score", read)
    if isinstance(model, linear_model.PARegressor | linear_model.BayesianLinearRegression):
        return additive(model.predict_one, z, "value")
    if isinstance(model, linear_model.PAClassifier):
        score = _dot(model.weights, model.intercept)
        return additive(_signed(score, target), z, "log_odds", logistic)
    if isinstance(model, linear_model.ALMAClassifier):
        return additive(_signed(_dot(model.w), target), z, "log_odds", logistic)
    if isinstance(model, linear_model.SoftmaxRegression):
        return _softmax(model, z, target)
    return None


def _dot(weights: Mapping[str, float], intercept: float = 0.0) -> Score:
    return lambda z: float(utils.math.dot(z, weights) + intercept)


def _signed(score: Score, target: AnswerTarget) -> Score:
    """The log-odds of the class: the score is those of True."""
    return score if target.label is not False else lambda z: -score(z)


def _softmax(model: Any, z: _Z, target: AnswerTarget) -> AnswerParts | None:
    weights = model.weights
    if target.label not in weights or target.against not in weights:
        return None
    mine, other = _dot(weights[target.label]), _dot(weights[target.against])
    return additive(lambda each: mine(each) - other(each), z, "log_odds", logistic)
