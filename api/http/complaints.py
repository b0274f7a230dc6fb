"""A complaint that goes on, said when it is new and now and then after that."""

import time
from collections.abc import Callable

_AGAIN_S = 30.0


class Complaints:
    """What was said last.

    >>> said = Complaints(clock=lambda: 0.0)
    >>> said.is_due("Redis is away"), said.is_due("Redis is away"), said.is_due("Redis is full")
    (True, False, True)
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: tuple[str, float] | None = None

    def is_due(self, what: object) -> bool:
        """Whether to say this: it is something else than last time, or that was long ago."""
        text, now = str(what), self._clock()
        if self._said is not None and self._said[0] == text and now - self._said[1] < _AGAIN_S:
            return False
        self._said = (text, now)
        return True

    def ended(self) -> None:
        """There is nothing to complain of: the next complaint is new."""
        self._said = None
