"""What every score is shown beside: predictors that read no feature.

`no_change` predicts the last label, `majority` the most frequent one so far, `mean` the mean of
the labels so far. They are River's `dummy.NoChangeClassifier`, `dummy.PriorClassifier` and
`dummy.StatisticRegressor(stats.Mean())`, of the scored events; before the first label they predict
nothing, and are not scored.

Source: Žliobaitė, Bifet, Read, Pfahringer and Holmes, "Evaluation methods and decision theory for
classification of streaming data with temporal dependence", Machine Learning 98, 2015.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

State = dict[str, Any]


class Baselines(ABC):
    """The predictors of one task, asked before they learn, as every learner here.

    Attributes:
        names: Of each, in the order in which `foresee` answers.
    """

    names: ClassVar[tuple[str, str]]

    @abstractmethod
    def foresee(self, ys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What each predicts for these truths, which it then learns one after the other."""

    @abstractmethod
    def dump(self) -> State:
        """The state, for `load`."""

    @abstractmethod
    def load(self, state: State) -> None:
        """Continue from a dumped state."""


class ClassBaselines(Baselines):
    """The last label, and the most frequent; of equally frequent ones the one that came first.

    >>> ClassBaselines().foresee(["a", "b", "b", "a"])
    ([None, 'a', 'b', 'b'], [None, 'a', 'a', 'b'])
    """

    names = ("no_change", "majority")

    def __init__(self) -> None:
        self._last: Any = None
        self._majority: Any = None
        self._counts: dict[Any, int] = {}
        self._ranks: dict[Any, int] = {}

    def foresee(self, ys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        counts, ranks, majority = self._counts, self._ranks, self._majority
        top = counts.get(majority, 0)
        foreseen: list[Any] = []
        for y in ys:
            foreseen.append(majority)
            count = counts[y] = counts.get(y, 0) + 1
            if count == 1:
                ranks[y] = len(ranks)
            if count > top or (count == top and ranks[y] < ranks[majority]):
                majority, top = y, count
        last = [self._last, *ys[:-1]]
        self._last, self._majority = ys[-1], majority
        return last, foreseen

    def dump(self) -> State:
        return {"last": self._last, "majority": self._majority, "counts": dict(self._counts)}

    def load(self, state: State) -> None:
        self._last, self._majority = state["last"], state["majority"]
        self._counts = dict(state["counts"])
        self._ranks = {label: rank for rank, label in enumerate(self._counts)}


class NumberBaselines(Baselines):
    """The last label, and the mean of all, in the arithmetic of River's `stats.Mean`.

    >>> NumberBaselines().foresee([1.0, 3.0, 8.0])
    ([None, 1.0, 3.0], [None, 1.0, 2.0])
    """

    names = ("no_change", "mean")

    def __init__(self) -> None:
        self._last: float | None = None
        self._count = self._mean = 0.0

    def foresee(self, ys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        count, mean = self._count, self._mean
        foreseen: list[Any] = []
        for y in ys:
            foreseen.append(mean if count else None)
            count += 1.0
            mean += (1.0 / count) * (y - mean)
        last = [self._last, *ys[:-1]]
        self._last, self._count, self._mean = ys[-1], count, mean
        return last, foreseen

    def dump(self) -> State:
        return {"last": self._last, "count": self._count, "mean": self._mean}

    def load(self, state: State) -> None:
        self._last, self._count, self._mean = state["last"], state["count"], state["mean"]
