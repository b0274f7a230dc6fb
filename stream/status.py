"""What a learner says of itself, and what it is told: plain values between its threads."""

import os
import time
from dataclasses import dataclass, field

from stream.positions import PartitionKey


@dataclass(slots=True)
class Signals:
    """What the loop is told. Each field is set by one thread and read between two records.

    Attributes:
        stop: Finish, commit and end (SIGTERM).
        moved: The head is no longer ours: a rollback, or another learner.
        frozen: Stop consuming until thawed.
        control_seq: The newest operator command seen.
    """

    stop: bool = False
    moved: bool = False
    frozen: bool = False
    control_seq: int = 0


@dataclass(slots=True)
class Status:
    """What the loop last did; the heartbeat, the watchdog and the metrics read it.

    Attributes:
        state: One of CONTRACT's states.
        version: The newest version committed, as `v17`.
        lag: Records still to be read, by partition.
        control_seq: The newest operator command that is obeyed.
        own_heads: The ids of heads that are ours: the last committed, and one being committed.
        uncommitted: Records taken since the last commit.
        ticked_at: When the loop last turned (monotonic seconds).
    """

    state: str = "starting"
    version: str | None = None
    lag: dict[PartitionKey, int] = field(default_factory=dict)
    control_seq: int = 0
    own_heads: frozenset[str] = frozenset()
    uncommitted: int = 0
    ticked_at: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        """The loop is alive."""
        self.ticked_at = time.monotonic()

    def beat(self, holder: str) -> dict[str, object]:
        """The heartbeat that the API and the command line read."""
        return {
            "state": self.state,
            "version": self.version,
            "lag": sum(self.lag.values()),
            "uncommitted": self.uncommitted,
            "control_seq": self.control_seq,
            "at_ms": int(time.time() * 1000),
            "pid": os.getpid(),
            "holder": holder,
        }
