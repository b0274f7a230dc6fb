"""How often a version is made: as configured, or as seldom as its cost to the learner demands."""

from collections import deque
from pathlib import Path

# A commit may take this share of the learner's time; a large model is committed less often.
SHARE = 0.05
# The versions whose cost counts.
_VERSIONS = 4
_SCHEDSTAT = Path("/proc/self/schedstat")


class Cadence:
    """Seconds from one cut to the next.

    What one version costs is at the mercy of what else the machine does meanwhile, so that the mean
    of the last ones decides: over time they take the share, and none comes late for a bad moment.

    Args:
        every_s: As the model file has it.

    Attributes:
        interval_s: After the last version.

    >>> cadence = Cadence(1.0)
    >>> cadence.cost(stall_s=0.01, lost_s=0.0)
    >>> cadence.interval_s
    1.0
    >>> cadence.cost(stall_s=0.01, lost_s=0.4)
    >>> cadence.interval_s
    4.2
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = self.interval_s = every_s
        self._costs_s: deque[float] = deque(maxlen=_VERSIONS)

    def cost(self, *, stall_s: float, lost_s: float) -> None:
        """A version was made.

        Args:
            stall_s: How long learning stood still for it.
            lost_s: How long the learner had no core while it was made beside it.
        """
        self._costs_s.append(stall_s + lost_s)
        mean = sum(self._costs_s) / len(self._costs_s)
        self.interval_s = max(self._every_s, round(mean / SHARE, 3))


def coreless_s() -> float | None:
    """How long this process was ready to run and had no core, so far; None: not told here.

    Source: Linux, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
    """
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (FileNotFoundError, IndexError):
        return None


def lost_s(since: float | None, work_s: float) -> float:
    """How long the learner had no core for a version's sake.

    What others took counts as well, up to what the version can have taken; where the system does
    not tell, all of that does.

    Args:
        since: `coreless_s` when the version was begun.
        work_s: CPU seconds of the process that made it.
    """
    now = coreless_s()
    return work_s if now is None or since is None else min(work_s, now - since)
