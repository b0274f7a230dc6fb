"""How often a version is made: as configured, or as seldom as its cost demands."""

import os

# A commit may take this share of the learner's time; a large model is committed less often.
SHARE = 0.05
# With this much of a core left, the process that makes a version takes nothing from the learner.
_IDLE_CORE = 0.5


def interval_s(every_s: float, *, stall_s: float, work_s: float, has_idle_core: bool) -> float:
    """Seconds from one cut to the next.

    Args:
        every_s: As the model file has it.
        stall_s: How long learning stood still for the last version.
        work_s: CPU seconds of the process that made it; they count where they had no core to
            themselves.

    >>> interval_s(1.0, stall_s=0.01, work_s=0.4, has_idle_core=True)
    1.0
    >>> interval_s(1.0, stall_s=0.01, work_s=0.4, has_idle_core=False)
    8.2
    """
    cost_s = stall_s + (0.0 if has_idle_core else work_s)
    return max(every_s, round(cost_s / SHARE, 3))


def has_idle_core() -> bool:
    """Whether this machine has had a core to spare over the last minute."""
    return os.getloadavg()[0] < (os.cpu_count() or 1) - _IDLE_CORE
