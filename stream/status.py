"""What a learner says of itself: the heartbeat that the API and the command line read."""

import os
import time
from dataclasses import dataclass, field

from stream.board import Board
from stream.positions import PartitionKey


@dataclass(slots=True)
class Status:
    """What the source knows of its learner; its threads read it.

    Attributes:
        board: What the learner itself says.
        state: One of CONTRACT's states.
        version: The newest version committed, as `v17`.
        lag: Records still to be taken, by partition.
        advice: Why most of what comes is refused, and what mends it; None where it is not so.
        own_heads: The ids of heads that are ours: the last committed, and one being committed.
    """

    board: Board
    state: str = "starting"
    version: str | None = None
    lag: dict[PartitionKey, int] = field(default_factory=dict)
    advice: str | None = None
    own_heads: frozenset[str] = frozenset()

    def beat(self, holder: str) -> dict[str, object]:
        """The heartbeat."""
        return {
            "state": self.state,
            "version": self.version,
            "lag": sum(self.lag.values()),
            "advice": self.advice,
            "uncommitted": self.board.uncommitted,
            "control_seq": self.board.obeyed_seq,
            "at_ms": int(time.time() * 1000),
            "pid": os.getpid(),
            "holder": holder,
        }
