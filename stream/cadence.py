"""How often a version is made: as configured, or as seldom as its cost to the learner demands."""

from pathlib import Path

# A commit may take this share of the learner's time; a large model is committed less often.
SHARE = 0.05
_SCHEDSTAT = Path("/proc/self/schedstat")


def interval_s(every_s: float, *, stall_s: float, lost_s: float) -> float:
    """Seconds from one cut to the next.

    Args:
        every_s: As the model file has it.
        stall_s: How long learning stood still for the last version.
        lost_s: How long the learner had no core while that version was made beside it.

    >>> interval_s(1.0, stall_s=0.01, lost_s=0.0)
    1.0
    >>> interval_s(1.0, stall_s=0.01, lost_s=0.4)
    8.2
    """
    return max(every_s, round((stall_s + lost_s) / SHARE, 3))


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
