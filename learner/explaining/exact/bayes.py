"""Naive Bayes: a sum of log-likelihoods, one a feature, so the log-odds of two classes are one."""

from collections.abc import Callable, Mapping
from math import inf, log
from typing import Any

from river.naive_bayes.base import BaseNB

from learner.explaining.exact.parts import AnswerParts, AnswerTarget, additive, logistic

_Z = Mapping[str, Any]


def bayes_parts(model: Any, z: _Z, target: AnswerTarget) -> AnswerParts | None:
    """The parts of a naive Bayes model's log-odds; None: it is none, or knows one class only.

    >>> from river import naive_bayes
    >>> model = naive_bayes.GaussianNB()
    >>> for x, y in [(1.0, True), (2.0, True), (3.0, False), (5.0, False)]:
    ...     model.learn_one({"x": x}, y)
    >>> parts = bayes_parts(model, {"x": 2.5}, AnswerTarget(True, False))
    >>> predicted = (True, model.predict_proba_one({"x": 2.5}))
    >>> parts.are_exact(predicted, AnswerTarget(True, False))
    True
    """
    if not issubclass(type(model), BaseNB):
        return None
    return log_odds_parts(model.joint_log_likelihood, z, target)


def leaf_parts(leaf: Any, z: _Z, target: AnswerTarget) -> AnswerParts | None:
    """The same of a leaf of a tree that answers by naive Bayes.

    Source: `river.tree.utils.do_naive_bayes_prediction`, whose votes are these, made chances.
    """

    def likelihoods(each: _Z) -> dict[Any, float]:
        total, seen = sum(leaf.stats.values()), [name for name in each if name in leaf.splitters]
        return {
            label: log(weight / total)
            + sum(_log_chance(leaf.splitters[name], each[name], label) for name in seen)
            for label, weight in leaf.stats.items()
            if weight > 0
        }

    return log_odds_parts(likelihoods, z, target)


def _log_chance(splitter: Any, value: Any, label: Any) -> float:
    """What a value says of a class; nothing where its chance is 0, as River has it."""
    if hasattr(splitter, "cond_log_proba"):
        found = float(splitter.cond_log_proba(value, label))
        return found if found > -inf else 0.0
    chance = splitter.cond_proba(value, label)
    return log(chance) if chance > 0 else 0.0


def log_odds_parts(
    likelihoods: Callable[[_Z], Mapping[Any, float]], z: _Z, target: AnswerTarget
) -> AnswerParts | None:
    """Of log-likelihoods by class; None where one of the two classes has none."""
    mine, other = target.label, target.against
    asked = [likelihoods({}), *(likelihoods({name: value}) for name, value in z.items())]
    if any(mine not in each or other not in each for each in asked):
        return None
    answers = iter(each[mine] - each[other] for each in asked)
    return additive(lambda _: next(answers), z, "log_odds", logistic)
