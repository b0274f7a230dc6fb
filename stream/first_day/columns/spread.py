"""A bounded sample of a stream whose length is not known, spread evenly over it. Pure."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Spread(Generic[T]):
    """Every n-th of the things that were added, n being doubled whenever there are too many.

    Args:
        most: How many are kept.

    >>> spread = Spread[int](4)
    >>> for number in range(10):
    ...     spread.add(number)
    >>> spread.kept
    [0, 4, 8]
    """

    def __init__(self, most: int) -> None:
        self.kept: list[T] = []
        self._most, self._every, self._seen = most, 1, 0

    def add(self, thing: T) -> None:
        """One more."""
        if self._seen % self._every == 0:
            if len(self.kept) == self._most:
                self.kept = self.kept[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self.kept.append(thing)
        self._seen += 1
