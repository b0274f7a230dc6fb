"""Whether a process that starts makes progress, however slowly, or stands still.

A machine may be so busy that a sound start takes minutes: a deadline would end it, and begin it
anew, for ever. So what counts is whether the process does anything: processor time, its own and
that of what it has started, that grows; lines that it prints.
"""

import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LOOK_EVERY_S = 0.5
# Of /proc/PID/stat, counted from the state on: group, session, then utime, stime, cutime, cstime.
_GROUP, _SESSION, _FIRST_TIME, _END_OF_TIMES = 2, 3, 11, 15


class Progress:
    """How long a process has stood still, by what is seen of it; two looks a second at most.

    Args:
        pid: Of a process that leads its own session, or its own group.

    >>> import os
    >>> Progress(os.getpid()).still_s(said=0) < 1.0
    True
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began_at = self._moved_at = time.monotonic()
        self._looked_at = float("-inf")
        self._seen: tuple[int, int | None] | None = None

    @property
    def lasts_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_at

    def still_s(self, said: int) -> float:
        """Seconds since the process last did anything.

        Args:
            said: How much it has printed, in any unit.
        """
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            seen = (said, used_ticks(self._pid))
            if seen != self._seen:
                self._seen, self._moved_at = seen, now
        return now - self._moved_at


def used_ticks(leader: int) -> int | None:
    """Processor time, in the kernel's ticks, of all in the session or group that a process leads.

    That of their ended children counts, too.

    None where the system does not tell (it has no /proc): then only what is printed counts.

    Source: proc_pid_stat(5).
    """
    if not _PROC.is_dir():
        return None
    return sum(_times(leader))


def _times(leader: int) -> Iterator[int]:
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            stat = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        fields = stat.rpartition(")")[2].split()
        if leader in {int(fields[_GROUP]), int(fields[_SESSION])}:
            yield sum(map(int, fields[_FIRST_TIME:_END_OF_TIMES]))
