"""How far a look back is, told on stderr while it takes its time: with rate and time left."""

import sys
import time

_EVERY_S = 5.0


def say(line: str) -> None:
    """A line for the person who waits."""
    print(line, file=sys.stderr, flush=True)


class LookProgress:
    """A line every few seconds; what takes less is told by what it prints at its end.

    Args:
        what: What is done, as in "phishing.events: records read".
        total: How many there will be, at most.
        every_s: How often it is told.
    """

    def __init__(self, what: str, total: int, *, every_s: float = _EVERY_S) -> None:
        self._what, self._total, self._done = what, total, 0
        self._every_s = every_s
        self._began = self._said = time.monotonic()

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        now = time.monotonic()
        if now - self._said >= self._every_s:
            self._said = now
            say(self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        rate = self._done / max(1e-9, seconds)
        left_s = max(0, self._total - self._done) / max(1e-9, rate)
        pace = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        return f"{self._what}: {self._done:,} of {self._total:,}, {pace}, {left_s:,.0f} s left"
