"""How far a trial is, told on stderr while it takes its time."""

import sys
import time

# Where it is rewritten in place, and where each line stays: in a file or a log.
_EVERY_S, _EVERY_LOGGED_S = 1.0, 10.0


def say(line: str) -> None:
    """A line for the person who waits."""
    print(f"weir: {line}", file=sys.stderr, flush=True)


class TrialProgress:
    """A line: on a terminal each second, in its place; else after the first, then each ten.

    Args:
        what: What is read.
        total: How much of it there is; None: not known, and so no time left.
    """

    def __init__(self, what: str, total: int | None) -> None:
        self._what, self._total = what, total
        self._began, self._has_said = time.monotonic(), False
        self._every_s = _EVERY_S if sys.stderr.isatty() else _EVERY_LOGGED_S
        self._due = self._began + _EVERY_S

    def at(self, records: int, beside: str = "") -> None:
        """So many were read, in all."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due, self._has_said = now + self._every_s, True
        is_terminal = sys.stderr.isatty()
        text = self._text(records, now - self._began, beside)
        end = "" if is_terminal else "\n"
        print(f"\r{text}\x1b[K" if is_terminal else text, end=end, file=sys.stderr, flush=True)

    def end(self) -> None:
        """What comes next stands on a line of its own."""
        if self._has_said and sys.stderr.isatty():
            print(file=sys.stderr, flush=True)

    def _text(self, records: int, seconds: float, beside: str) -> str:
        rate = records / max(seconds, 1e-9)
        of = "" if self._total is None else f" of {max(self._total, records):,}"
        parts = [f"{self._what}: {records:,}{of} records{beside}"]
        if records:  # else no rate is known, and no time by it
            parts.append(f"{rate:,.0f}/s")
        if records and self._total is not None:
            parts.append(f"{_left(max(0, self._total - records) / rate)} left")
        return ", ".join(parts)


def _left(seconds: float) -> str:
    """A time to wait, for people.

    >>> _left(8.2), _left(192), _left(7_390)
    ('8 s', '3 min 12 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
