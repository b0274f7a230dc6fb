"""How long and how often each thing is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long and how often each thing is measured.

    Attributes:
        window_s: Of learning, and of its bare loop.
        events: Share of the events in a topic.
        warm_up: Share of the events that are learned before a window begins.
        reading_s: Of reading the age of the served model while the learner is at its fastest.
        commits: Whose stall is measured, at each size.
        deaths: Of each process whose recovery is timed.
        rollbacks: To three workers, of each size.
        load_s: Of each load on an HTTP server.
        pairs: Of loads, where servers are compared.
        settle_s: Before a host is measured, idle or busy.
        idle_s: That the CPU of an idle host is counted.
        busy_s: Of events and predictions on a host.
    """

    window_s: float = 6.0
    events: float = 1.0
    warm_up: float = 1.0
    reading_s: float = 20.0
    commits: int = 30
    deaths: int = 3
    rollbacks: int = 15
    load_s: float = 5.0
    pairs: int = 3
    settle_s: float = 10.0
    idle_s: float = 20.0
    busy_s: float = 30.0


FULL = Scale()
# Enough to see that everything still measures; its figures mean nothing.
TINY = Scale(
    window_s=0.3,
    events=0.2,
    warm_up=0.1,
    reading_s=1.0,
    commits=2,
    deaths=1,
    rollbacks=1,
    load_s=0.5,
    pairs=1,
    settle_s=0.5,
    idle_s=1.0,
    busy_s=2.0,
)
