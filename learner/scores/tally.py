"""What a tally is: the state behind one or more scores, which share it.

Each knows the lifetime, rolling and fading values of the scores it serves, what their baselines
score, and how sure the lifetime value is. `dump` returns plain values that may share the tally's
own: pickle them before the next event.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from learner.scores.blocks import Block, Terms
from learner.scores.means import Interval

State = dict[str, Any]
Names = tuple[str, ...]
# Of both baselines, in their order.
Pair = tuple[float | None, float | None]


class Tally(ABC):
    """The state behind one or more scores; None is the value of what it does not know.

    Attributes:
        kind: Names the class in a dump.
        is_shared: One serves all scores of its class, else each has its own.
        reads_baselines: Its own scores do.
        names: The scores it serves.
        row: Names what it reads of an event: equal names, equal rows.
    """

    kind: ClassVar[str]
    is_shared: ClassVar[bool] = False
    reads_baselines: ClassVar[bool] = False

    def __init__(self, names: Names) -> None:
        self.names = names
        self.row: Hashable = self.kind if self.is_shared else (self.kind, names)

    @abstractmethod
    def rows(self, block: Block) -> list[Any]:
        """What it reads of each of these events."""

    def update(self, block: Block) -> None:
        """Take these scored events."""
        rows = block.rows.get(self.row)
        if rows is None:
            rows = block.rows[self.row] = self.rows(block)
        self.take(rows, block)

    @abstractmethod
    def take(self, rows: list[Any], block: Block) -> None:
        """Take these scored events, of which it reads the rows; it keeps the rows unchanged."""

    @abstractmethod
    def lifetime(self, name: str) -> float | None:
        """Over every event so far; None before the first."""

    @abstractmethod
    def rolling(self, name: str) -> float | None:
        """Over the last events of the window; None before the first."""

    def fading(self, _: str) -> float | None:
        """The fading mean; None before the first event, and for what is no mean over events."""
        return None

    def baselines(self, _: str) -> Pair:
        """What each baseline scores; None where the score reads probabilities."""
        return None, None

    def interval(self, _: str) -> Interval | None:
        """Where the lifetime value lies, of a mean over events."""
        return None

    def event_loss(self, _: str) -> "EventLoss | None":
        """What the lifetime value is the mean of; None of a score that is no such mean."""
        return None

    @abstractmethod
    def dump(self) -> State:
        """The state, for `load` of a tally of this kind."""

    @abstractmethod
    def load(self, state: State) -> None:
        """Continue from a dumped state."""


@dataclass(frozen=True, slots=True)
class EventLoss:
    """What a score makes of one event, where the score is the mean of it.

    Attributes:
        of: (truth, predicted label or number, probabilities) -> the event's loss.
        bounds: Between which it lies; infinite where nothing is known.
    """

    of: Callable[[Any, Any, Any], float]
    bounds: Interval


MakeTally: TypeAlias = Callable[[Names, Terms], Tally]
