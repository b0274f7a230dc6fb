"""What versions cost a host, shared by all lines that one keeper has: where cores are short, each
line's are made so seldom that those of all together take a share of the cores and no more.

`Cadence` sees to it that a learner does not spend its own time on versions. What a version costs
everybody else is paid for here: it is written by a process of its own, checked by the source,
verified and loaded by an API. While cores are idle nobody pays, and versions come as configured.
"""

import mmap
import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_BYTES_EACH = 8
# What the others do for a version, as far as it is not seen here: the source's checks and answers,
# and loading, which takes an API about as long as writing took the maker.
_SOURCE_S = 0.005
_LOADS = 1.0
_IDLE_SHARE_MIN = 0.1  # of all cores; below it they are short
_STANDS_S = 60.0  # a line that has made no version for so long costs nothing now


class HostBudget:
    """What the last version of each line has cost, in memory that the lines share.

    Args:
        lines: How many there are.
        share: Of the cores, that versions may take where these are short.
        cores: How many there are.

    >>> budget = HostBudget(2, share=0.25, cores=2)
    >>> for place in (0, 1):
    ...     budget.paid(place, 0.4)
    >>> budget.interval_s(is_short=True), budget.interval_s(is_short=False)
    (1.6, 0.0)
    """

    def __init__(self, lines: int, *, share: float, cores: int | None = None) -> None:
        self._memory = mmap.mmap(-1, 2 * _BYTES_EACH * lines)
        numbers = memoryview(self._memory).cast("d")
        self._costs_s, self._paid_at = numbers[:lines], numbers[lines:]
        self._budget = share * (cores or os.cpu_count() or 1)

    def paid(self, place: int, cost_s: float) -> None:
        """The line at `place` has made a version that cost all together so much, in seconds."""
        self._costs_s[place], self._paid_at[place] = cost_s, time.monotonic()

    def interval_s(self, *, is_short: bool) -> float:
        """From one version of each line to its next, in seconds."""
        if not is_short:
            return 0.0
        since = time.monotonic() - _STANDS_S
        costs = zip(self._costs_s, self._paid_at, strict=True)
        return round(sum(cost for cost, at in costs if at > since) / self._budget, 3)


def cost_s(spent_s: float, work_s: float) -> float:
    """What a version costs all together, in seconds of a core.

    Args:
        spent_s: Of the learner's.
        work_s: Of the process that made it.
    """
    return spent_s + (1.0 + _LOADS) * work_s + _SOURCE_S


class Cores:
    """Whether the machine's cores were short since it was last asked.

    Where the system does not tell they never are.

    Source: proc_stat(5).
    """

    def __init__(self) -> None:
        self._seen = _times()

    def were_short(self) -> bool:
        """Whether less than a tenth of all was idle; False right after the last time."""
        before, self._seen = self._seen, _times()
        if before is None or self._seen is None:
            return False
        idle, whole = (now - then for now, then in zip(self._seen, before, strict=True))
        return whole > 0 and idle < _IDLE_SHARE_MIN * whole


def _times() -> tuple[int, int] | None:
    """The ticks of all cores so far: idle, and in all; None: not told here."""
    try:
        first = _STAT.read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    ticks = [int(each) for each in first.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
