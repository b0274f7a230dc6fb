"""How often a version is made: as configured, or as seldom as its cost to the learner demands.

And ever less often where records are refused and nothing is learned.
"""

from collections import deque
from pathlib import Path

# A commit may take this share of the learner's time; a large model is committed less often.
SHARE = 0.05
# The versions whose cost counts.
_VERSIONS = 4
# Below what `WeirCommitStale` takes for a learner that cannot commit.
_FALLOW_MAX_S = 30.0
_SCHEDSTAT = Path("/proc/self/schedstat")


class Cadence:
    """Seconds from one cut to the next.

    What one version costs is at the mercy of what else the machine does meanwhile, so that the mean
    of the last ones decides: over time they take the share, and none comes late for a bad moment.
    What they cost others is `stream.commit.host_budget`'s to say.

    Args:
        every_s: As the model file has it.

    Attributes:
        interval_s: After the last version.

    >>> cadence = Cadence(1.0)
    >>> cadence.cost(spent_s=0.01, lost_s=0.0)
    >>> cadence.interval_s
    1.0
    >>> cadence.cost(spent_s=0.01, lost_s=0.4)
    >>> cadence.interval_s
    4.2
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = self.interval_s = every_s
        self._costs_s: deque[float] = deque(maxlen=_VERSIONS)

    def cost(self, *, spent_s: float, lost_s: float, host_s: float = 0.0) -> None:
        """A version was made.

        Args:
            spent_s: What the learner itself spent on it, of a core. How long it stood still says
                less: where cores are short it waits for one as it does without a version.
            lost_s: How long the learner had no core while it was made beside it.
            host_s: The least interval that the host's cores allow.
        """
        self._costs_s.append(spent_s + lost_s)
        mean = sum(self._costs_s) / len(self._costs_s)
        self.interval_s = max(self._every_s, round(mean / SHARE, 3), host_s)


class Fallow:
    """Versions in which nothing was learned: each waits twice as long as the one before.

    Args:
        every_s: As the model file has it.
        learned: In the head.

    >>> fallow = Fallow(1.0, learned=7)
    >>> for _ in range(3):
    ...     print(fallow.wait_s(learned=7))
    ...     fallow.committed(learned=7)
    0.0
    1.0
    3.0
    >>> fallow.wait_s(learned=8)
    0.0
    """

    def __init__(self, every_s: float, learned: int) -> None:
        self._every_s, self._learned, self._count = every_s, learned, 0

    def committed(self, learned: int) -> None:
        """A version was made with so many examples learned."""
        self._count = self._count + 1 if learned == self._learned else 0
        self._learned = learned

    def wait_s(self, learned: int) -> float:
        """How much longer the next may wait, of a learner that has learned so many by now."""
        if learned != self._learned:
            return 0.0
        return min(self._every_s * (2.0 ** min(self._count, 30) - 1.0), _FALLOW_MAX_S)


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
