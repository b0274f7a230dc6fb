"""What a learner says of itself: the heartbeat that the API and the command line read."""

import os
import time
from dataclasses import dataclass, field

from checkpoints.records.line import Line
from checkpoints.stores.presence import BEAT_SHOWN_S, BEAT_TTL_S, Presence
from stream.between.positions import PartitionKey
from stream.between.shared_numbers import SharedNumbers

# So many ends in a row, without a version between them, are no accident any more.
FAILURES = 3
_FADING = 0.99  # a batch


@dataclass(frozen=True, slots=True)
class Trouble:
    """What ended the last lives of a learner: how many in a row since its last version, and what
    ended the last of them.

    >>> trouble = Trouble().added("no memory")
    >>> trouble, trouble.added("again").added("and again").is_lasting
    (Trouble(count=1, what='no memory'), True)
    """

    count: int = 0
    what: str | None = None

    def added(self, what: str) -> "Trouble":
        """One more."""
        return Trouble(self.count + 1, what)

    @property
    def is_lasting(self) -> bool:
        """Whether the learner is `failing`."""
        return self.count >= FAILURES


@dataclass(slots=True)
class Speed:
    """How fast a learner learns while it does nothing else, lately.

    >>> speed = Speed()
    >>> speed.took(0, 0.0), speed.took(100, 0.01), round(speed.took(100, 0.03))
    (None, 10000.0, 4987)
    """

    learned: float = 0.0
    seconds: float = 0.0

    def took(self, learned: int, seconds: float) -> float | None:
        """A batch was learned in so many seconds; events a second, None while there were none."""
        self.learned = _FADING * self.learned + learned
        self.seconds = _FADING * self.seconds + seconds
        return self.learned / self.seconds if self.learned and self.seconds else None


@dataclass(slots=True)
class Status:
    """What the source knows of its learner; its threads read it.

    Attributes:
        board: What the learner itself says.
        state: As `GET /v1/models/{model}` shows it (docs/reference/http.md).
        at_work: What it is while there is something to do: learning, or rewinding.
        rewind: How far a rewind has come.
        events_per_second: How fast it learns while it does nothing else.
        version: The newest version committed, as `v17`.
        lag: Records still to be taken, by partition; None while that is not known.
        advice: Why most of what comes is refused, and what mends it; None where it is not so.
        own_heads: The ids of heads that are ours: the last committed, and one being committed.
        trouble: What ended earlier lives, until a version is made or there is nothing to do.
        lost: What was lost of the log when this life began, and is not learned; None: nothing.
    """

    board: SharedNumbers
    state: str = "starting"
    at_work: str = "learning"
    rewind: dict[str, object] | None = None
    events_per_second: float | None = None
    version: str | None = None
    lag: dict[PartitionKey, int] | None = None
    advice: str | None = None
    own_heads: frozenset[str] = frozenset()
    trouble: Trouble = field(default_factory=Trouble)
    lost: str | None = None

    @property
    def told_state(self) -> str:
        """The state, or `failing` where earlier lives came no further than this one."""
        is_trying = self.state in {"starting", "learning", "rewinding"}
        return "failing" if is_trying and self.trouble.is_lasting else self.state

    @property
    def lag_in_all(self) -> int | None:
        """Records still to be taken of all partitions; None while that is not known."""
        return None if self.lag is None else sum(self.lag.values())

    def send(self, store: Presence, line: Line, holder: str, *, is_news: bool = True) -> None:
        """Beat; `is_news`: whoever follows is to look at once."""
        store.beat(
            line,
            role="learner",
            name=holder,
            payload=self.beat(holder),
            ttl_s=BEAT_SHOWN_S if self.state == "stopped" else BEAT_TTL_S,
            is_news=is_news,
        )

    def beat(self, holder: str) -> dict[str, object]:
        """The heartbeat."""
        return {
            "state": self.told_state,
            "version": self.version,
            "lag": self.lag_in_all,
            "advice": self.advice,
            "rewind": self.rewind,
            "events_per_second": self.events_per_second,
            "last_error": self.trouble.what or self.lost,
            "uncommitted": self.board.uncommitted,
            "control_seq": self.board.obeyed_seq,
            "at_ms": int(time.time() * 1000),
            "pid": os.getpid(),
            "holder": holder,
        }
