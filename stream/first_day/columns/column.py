"""What a column of a file holds, gathered value by value, in memory that does not grow."""

import math
from collections import Counter
from typing import TypeAlias

from learner.events.words import is_usual_missing, shown

Value: TypeAlias = bool | int | float | str

# Different values that are remembered; where there are more, how soon there were so many.
DISTINCT_MAX = 1_000
_SAMPLES = 3
_NAMES = {bool: "bool", int: "int", float: "float", str: "string"}


class Column:
    """One column, or one feature of events.

    Attributes:
        name: What it is called.
        present: Values that it has.
        kinds: How many of them are bool, int, float and string.
        values: The first different ones, as text, each with how often it came.
        words: Texts that usually mean that nothing is there, each with how often it came.
        text: The first of the other texts; empty: there is none.
        least, most: Of its numbers.
        longest: Characters of its longest text.
        falls: Some number is below the one before.

    >>> price = Column("price")
    >>> for value in (3, 2.5, "NA"):
    ...     price.add(value)
    >>> dict(price.kinds), dict(price.words), price.least, price.most
    ({'int': 1, 'float': 1, 'string': 1}, {'NA': 1}, 2.5, 3)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.present = 0
        self.kinds: Counter[str] = Counter()
        self.values: dict[str, int] = {}
        self.words: Counter[str] = Counter()
        self.text = ""
        self.least, self.most = math.inf, -math.inf
        self.longest = 0
        self._full_after = 0
        self._last: float | None = None
        self._steps: set[float] = set()
        self.falls = False

    def add(self, value: Value) -> None:
        """One more value."""
        self.present += 1
        kind = _NAMES[type(value)]
        self.kinds[kind] += 1
        text = str(value)
        if text in self.values:
            self.values[text] += 1
        elif len(self.values) < DISTINCT_MAX:
            self.values[text] = 1
            self._full_after = self.present
        if isinstance(value, str):
            self.longest = max(self.longest, len(value))
            if is_usual_missing(value):
                self.words[value] += 1
            else:
                self.text = self.text or value
        else:
            self._measure(value)

    def _measure(self, number: float) -> None:
        self.least = min(self.least, number)
        self.most = max(self.most, number)
        if self._last is not None and len(self._steps) < 2:  # a second one says it all
            self._steps.add(number - self._last)
        if self._last is not None and number < self._last:
            self.falls = True
        self._last = number

    @property
    def share_distinct(self) -> float:
        """How many of its values are different ones, as a share, while they were counted."""
        is_full = len(self.values) == DISTINCT_MAX
        counted = self._full_after if is_full else self.present
        return len(self.values) / counted if counted else 0.0

    @property
    def is_flag(self) -> bool:
        """Whether its numbers are 0 and 1 alone, or true and false."""
        return not self.kinds["float"] and self.least >= 0 and self.most <= 1

    @property
    def is_even(self) -> bool:
        """Whether each number is above, or below, the one before by the same step."""
        return len(self._steps) == 1 and 0 not in self._steps

    @property
    def samples(self) -> list[str]:
        """The first values, cut."""
        numbers = self.kinds.keys() != {"string"}
        first = list(self.values)[:_SAMPLES]
        return first if numbers and not self.kinds["string"] else [shown(text) for text in first]
