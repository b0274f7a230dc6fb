"""Which workers a crew needs: whom to fork, and who leaves the work to others. No input or output.

A *generation* is what was loaded when a worker was forked. At most two are kept: the newest whose
workers all answer, and one that is being made. What is loaded meanwhile waits, and becomes one
generation, so that each one made is seen to its end, however fast new ones are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

_PACE_S = 0.25  # between two generations while there is more to load
_MAKING_MAX_S = 30.0  # where its workers die again and again, try a newer one


@dataclass(frozen=True, slots=True)
class Asked:
    """What there is to hand on.

    Attributes:
        newest: The generation that a worker belongs to which is forked now.
        ordered: The newest that operators wait for.
        has_more: More is about to be loaded.
    """

    newest: int
    ordered: int = 0
    has_more: bool = False


class Member(Protocol):
    """A worker, as far as this is concerned."""

    @property
    def generation(self) -> int:
        """What it was forked with."""

    @property
    def answers(self) -> bool:
        """Whether it begins to answer requests."""

    @property
    def is_retired(self) -> bool:
        """Whether it was told to leave, or does so by itself."""


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, slots=True)
class Turn(Generic[M]):
    """What is to be done: so many are to be forked, when these are retired."""

    missing: int
    retire: Sequence[M]


@dataclass(slots=True)
class Generations:
    """How far the generations of a crew are.

    Args:
        size: How many workers there are to be.

    Attributes:
        made: The newest of which all workers have answered.
        making: The one that is being made; the same where none is.
    """

    size: int
    made: int = field(default=-1, init=False)
    making: int = field(default=-1, init=False)
    _is_ordered: bool = field(default=False, init=False)
    _began_at: float = field(default=float("-inf"), init=False)

    def turn(self, asked: Asked, members: Sequence[M], now: float) -> Turn[M]:
        """What is to be done now.

        A worker that dies is replaced by one of the newest generation, so those at work on a
        generation are all that are as new.

        Args:
            now: By a clock that never goes back.
        """
        at_work = [each for each in members if not each.is_retired]
        if sum(each.answers for each in at_work if each.generation >= self.making) >= self.size:
            self.made = self.making
        retire = [each for each in at_work if each.generation < self.made]
        if self._is_due(asked, now):
            if self.making > self.made:  # it is given up
                begun = range(self.making, asked.newest)
                retire += [each for each in at_work if each.generation in begun]
            self.making, self._began_at = asked.newest, now
            self._is_ordered = asked.ordered > self.made
        staying = sum(each.generation >= self.making for each in at_work)
        return Turn(max(0, self.size - staying), retire)

    def _is_due(self, asked: Asked, now: float) -> bool:
        """Whether the newest is to be made now."""
        if asked.newest == self.making:
            return False
        age_s = now - self._began_at
        is_ordered = asked.ordered > self.making
        if self.making > self.made:
            # Orders that come faster than workers must not keep each other from being obeyed.
            return (is_ordered and not self._is_ordered) or age_s > _MAKING_MAX_S
        return is_ordered or not asked.has_more or age_s > _PACE_S
