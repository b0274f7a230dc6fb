"""How far an export is, told on stderr while it takes its time."""

import sys
import time

_EVERY_S = 5.0


def say(line: str) -> None:
    """A line for the person who waits."""
    print(line, file=sys.stderr, flush=True)


class ExportProgress:
    """A line every five seconds: what takes less is told by what it printed at its end."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def topic(self, name: str, total: int) -> None:
        """What is read from here on, and how many offsets it has."""
        self._name, self._total = name, total
        self._read = 0
        self._began = time.monotonic()

    def add(self, records: int) -> None:
        """So many records more were read."""
        self._read += records
        now = time.monotonic()
        if now - self._said >= _EVERY_S:
            self._said = now
            rate = self._read / max(1e-9, now - self._began)
            say(f"{self._name}: {self._read:,} of {self._total:,} records read, {rate:,.0f}/s")
