"""A course over time in a bounded number of points: where they are too many, every second goes."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")
POINTS_MAX = 64


class Thinned(Generic[T]):
    """Every so many of what is added is kept.

    >>> course = Thinned()
    >>> for number in range(200):
    ...     course.add(lambda: number)
    >>> course.items[:3], len(course.items)
    ([0, 4, 8], 50)
    """

    def __init__(self) -> None:
        self.items: list[T] = []
        self._every, self._count = 1, 0

    def add(self, make: Callable[[], T]) -> None:
        """One more; it is made if it is kept."""
        if self._count % self._every == 0:
            self.items.append(make())
        self._count += 1
        if len(self.items) > POINTS_MAX:
            self.items, self._every = self.items[::2], self._every * 2

    def dump(self) -> dict[str, Any]:
        """The state."""
        return {"items": list(self.items), "every": self._every, "count": self._count}

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Go on from a dump."""
        self.items = list(dumped["items"])
        self._every, self._count = dumped["every"], dumped["count"]
