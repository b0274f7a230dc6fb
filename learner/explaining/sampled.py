"""Contributions found by asking: what the answer becomes when features have other events' values.

A feature's value is replaced by that of a row of the background, whatever the other features are
(interventional): of features that go together this makes rows that never come. What a row has not
is left out, and not made 0. Each step asks once, so that whoever takes the steps may stop.

Source: Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with
feature contributions", KAIS 2014; antithetic: Mitchell et al., "Sampling permutations for Shapley
value estimation", JMLR 2022.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import sqrt
from random import Random
from statistics import fmean, variance
from typing import Any

from learner.explaining.cells import Cell, cells_of, get, name_of, only, replaced

ROWS_USUAL, ROUNDS_USUAL = 8, 25
Ask = Callable[[Mapping[str, Any]], float]


class Sampling(ABC):
    """Contributions under way.

    Args:
        ask: The answer to some features, as a number.
        x: The features whose answer is explained.
        answer: That answer.
        background: Rows of other events; where there is none, features are left out.

    Attributes:
        asked: How often the model was asked.
        rounds: How often each feature was; the last round may be under way.
    """

    usual: int

    def __init__(
        self, ask: Ask, x: Mapping[str, Any], answer: float, background: Sequence[Mapping[str, Any]]
    ) -> None:
        self._ask, self._x, self._answer = ask, x, answer
        self._cells = cells_of(x)
        self._random = Random(0)  # the same question has the same explanation
        self._rows = self._random.sample(list(background) or [{}], k=max(1, len(background)))
        self._bases: list[float] = []
        self._found: dict[Cell, list[float]] = {cell: [] for cell in self._cells}
        self.asked = self.rounds = 0

    def steps(self, rounds: int | None = None) -> Iterator[None]:
        """Ask, once a step.

        Args:
            rounds: Each with the next row; the kind's usual number if None.

        Raises:
            Exception: Whatever the model raises.
        """
        for number in range(rounds or self.usual):
            yield from self._round(self._rows[number % len(self._rows)])
            self.rounds += 1

    @property
    def base(self) -> float:
        """The mean answer to rows of the background."""
        return fmean(self._bases) if self._bases else 0.0

    @property
    def contributions(self) -> dict[str, float]:
        """Of the features that were reached."""
        return {name_of(cell): fmean(each) for cell, each in self._found.items() if each}

    @property
    def errors(self) -> dict[str, float | None]:
        """The standard error of each; None where it was found once only."""
        return {
            name_of(cell): sqrt(variance(each) / len(each)) if len(each) > 1 else None
            for cell, each in self._found.items()
            if each
        }

    @property
    def unreached(self) -> int:
        """Features that no answer tells of yet."""
        return sum(not each for each in self._found.values())

    @abstractmethod
    def _round(self, row: Mapping[str, Any]) -> Iterator[None]:
        """Ask about all features once, against a row."""

    def _value(self, x: Mapping[str, Any]) -> float:
        self.asked += 1
        return self._ask(x)


class LeaveOneOut(Sampling):
    """What is lost where one feature alone has another event's value.

    >>> sampling = LeaveOneOut(lambda x: x["a"] * x["b"], {"a": 2, "b": 3}, 6, [{"a": 1, "b": 1}])
    >>> for _ in sampling.steps():
    ...     pass
    >>> sampling.contributions, sampling.base
    ({'a': 3.0, 'b': 4.0}, 1.0)
    """

    usual = ROWS_USUAL

    def _round(self, row: Mapping[str, Any]) -> Iterator[None]:
        self._bases.append(self._value(only(row, self._x)))  # first: the budget may end the round
        yield
        for cell in self._cells:
            own, other = get(self._x, cell), get(row, cell)
            lost = 0.0
            if type(own) is not type(other) or own != other:
                lost = self._answer - self._value(replaced(self._x, cell, other))
            self._found[cell].append(lost)
            yield


class Shapley(Sampling):
    """Shapley values: what each adds when the features are put in one after the other.

    Each round puts them into a row of the background in a random order, and in the reverse of it,
    so the contributions and the base are the answer, however few rounds there were.

    >>> sampling = Shapley(lambda x: x["a"] * x["b"], {"a": 2, "b": 3}, 6, [{"a": 1, "b": 1}])
    >>> for _ in sampling.steps():
    ...     pass
    >>> sampling.contributions, sampling.base
    ({'a': 2.0, 'b': 3.0}, 1.0)
    """

    usual = ROUNDS_USUAL

    def _round(self, row: Mapping[str, Any]) -> Iterator[None]:
        order = self._random.sample(self._cells, k=len(self._cells))
        start = only(row, self._x)
        first = self._value(start)
        yield
        added = dict.fromkeys(self._cells, 0.0)
        for cells in (order, order[::-1]):
            z, before = start, first
            for cell in cells[:-1]:
                z = replaced(z, cell, get(self._x, cell))
                after = self._value(z)
                yield
                added[cell] += (after - before) / 2
                before = after
            for cell in cells[-1:]:
                added[cell] += (self._answer - before) / 2
        self._bases.append(first)
        for cell, each in added.items():
            self._found[cell].append(each)
