"""The parts of an answer: what an exact explanation is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, isfinite
from typing import Any, Literal, NamedTuple, TypeAlias

from learner.estimator import Native, Predicted

Scale: TypeAlias = Literal["log_odds", "probability", "label", "score", "value"]
Score: TypeAlias = Callable[[Mapping[str, Any]], float]
_TOLERANCE = 1e-9


class NoAnswerError(Exception):
    """The model has no answer, or none that is a finite number, where one was to be explained."""


class AnswerTarget(NamedTuple):
    """What of an answer is explained.

    Attributes:
        label: The class; None: the answer is a number.
        against: The class that log-odds compare it with; None where there is one only.
    """

    label: Native | None = None
    against: Native | None = None

    def value(self, predicted: Predicted) -> float:
        """The answer as a number: itself, or the probability of the class.

        Without probabilities the class is right or wrong: 1 or 0.

        Raises:
            NoAnswerError: There is none.

        >>> AnswerTarget(True, False).value((True, {False: 0.25, True: 0.75}))
        0.75
        """
        answer, chances = predicted
        if answer is None:
            raise NoAnswerError("the model answers nothing")
        if self.label is None:
            found = float(answer)
        else:
            found = float(answer == self.label) if not chances else chances.get(self.label, 0.0)
        if not isfinite(found):
            raise NoAnswerError(f"the model answers {found}")
        return found

    def share(self, predicted: Predicted) -> float:
        """The probability of the class if it must be that or the one it is compared with."""
        _, chances = predicted
        if not chances:
            return self.value(predicted)
        mine, other = chances.get(self.label, 0.0), chances.get(self.against, 0.0)  # type: ignore[arg-type]
        if not mine + other:
            raise NoAnswerError("the model gives both classes the probability 0")
        return mine / (mine + other)


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """An answer taken apart: `base` and all contributions together are read as the answer.

    Attributes:
        base: What the answer is made of before any feature.
        contributions: By the feature's name as the last step has it.
        scale: What they are measured on.
        read: Their sum as the answer.
        path: Of a tree, the way through it.
    """

    base: float
    contributions: dict[str, float]
    scale: Scale
    read: Callable[[float], float] = float
    path: tuple[dict[str, Any], ...] | None = None

    @property
    def sum(self) -> float:
        """Base and contributions."""
        return self.base + sum(self.contributions.values())

    def residual(self, predicted: Predicted, target: AnswerTarget) -> float:
        """The sum, read as the answer, less the answer."""
        answer = target.share if self.scale == "log_odds" else target.value
        return self.read(self.sum) - answer(predicted)

    def are_exact(
        self, predicted: Predicted, target: AnswerTarget, within: float = _TOLERANCE
    ) -> bool:
        """Whether the sum is the answer, within the tolerance or so large a part of it."""
        allowed = within * max(1.0, abs(target.value(predicted)))
        return abs(self.residual(predicted, target)) <= allowed


def additive(
    score: Score, z: Mapping[str, Any], scale: Scale, read: Callable[[float], float] = float
) -> AnswerParts:
    """The parts of a score that is a sum over features: each is asked for alone.

    >>> def score(z):
    ...     return 1.0 + 2 * z.get("a", 0) - z.get("b", 0)
    >>> parts = additive(score, {"a": 3, "b": 1}, "value")
    >>> parts.base, parts.contributions, parts.sum
    (1.0, {'a': 6.0, 'b': -1.0}, 6.0)
    """
    base = score({})
    alone = {name: score({name: value}) - base for name, value in z.items()}
    return AnswerParts(base, alone, scale, read)


def logistic(score: float) -> float:
    """1 / (1 + e^-score), without overflow.

    >>> logistic(0.0), logistic(-1e4), logistic(1e4)
    (0.5, 0.0, 1.0)
    """
    if score >= 0.0:
        return 1.0 / (1.0 + exp(-score))
    e = exp(score)
    return e / (1.0 + e)
