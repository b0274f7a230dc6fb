"""Vowpal Wabbit's answers: the terms of its score, and how the score is read."""

from collections.abc import Callable, Mapping
from typing import Any

from learner.estimator import Estimator
from learner.explaining.exact.parts import AnswerParts, AnswerTarget, Scale, logistic
from learner.tasks import Task
from learner.vw.estimator import VWEstimator
from learner.vw.terms import Auditor, auditable, link_of

_CONSTANT = "Constant"


class VWTerms:
    """The parts of a model's answers.

    Args:
        auditor: Tells the terms.
        scale: Of the score.
        read: The answer to a score: the number, or the probability of True.
    """

    def __init__(self, auditor: Auditor, scale: Scale, read: Callable[[float], float]) -> None:
        self._auditor, self._scale, self._read = auditor, scale, read

    @classmethod
    def of(cls, estimator: Estimator, task: Task) -> "VWTerms | None":
        """Those of an estimator; None: its score is not one sum that can be told."""
        if not isinstance(estimator, VWEstimator) or estimator.scratch is None:
            return None
        arguments = estimator.arguments
        if not auditable(arguments):
            return None
        scale, read = _reading(task.vw_answer(arguments), link_of(arguments))
        auditor = Auditor(arguments, estimator.dump()["model"], estimator.scratch)
        return cls(auditor, scale, read)

    def parts(self, x: Mapping[str, Any], target: AnswerTarget) -> AnswerParts | None:
        """The terms of the answer to these features; of the class False the opposite ones.

        None: there are too many.
        """
        terms = self._auditor.terms(x)
        if terms is None:
            return None
        sign = -1.0 if target.label is False else 1.0
        base, contributions = 0.0, dict[str, float]()
        for term in terms:
            each = sign * term.value * term.weight
            if term.name == _CONSTANT:
                base += each
            else:
                contributions[term.name] = contributions.get(term.name, 0.0) + each
        read = self._read
        if target.label is False:
            return AnswerParts(base, contributions, self._scale, lambda score: 1.0 - read(-score))
        return AnswerParts(base, contributions, self._scale, read)


def _reading(kind: str, link: Callable[[float], float]) -> tuple[Scale, Callable[[float], float]]:
    if kind in {"probability", "logistic score"}:
        return "log_odds", logistic
    if kind == "sign":
        return "score", lambda score: float(score > 0.0)
    return ("value" if link is float else "score"), link
