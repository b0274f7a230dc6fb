"""The board: a few numbers in memory that the processes of one learner share.

Each place is written by one process and read by the others between two records, without a call to
the kernel. Who has nothing to do waits for a bell, which is rung when a place has changed that it
must see at once. It is made before the processes are forked and goes with the last of them.
"""

import mmap
import time
from enum import IntEnum, auto

from stream.between.bell import Bell

_BYTES_EACH = 8


class _Place(IntEnum):
    stop = 0
    frozen = auto()
    released = auto()
    control_seq = auto()
    source_ticked = auto()
    learner_ticked = auto()
    uncommitted = auto()
    obeyed_seq = auto()
    is_frozen = auto()
    highest = auto()
    committed = auto()
    source_begun = auto()
    learner_begun = auto()


class SharedNumbers:
    """What the keeper and the source tell the learner, and the learner tells them.

    Attributes:
        source_bell: Rung when the source is to look at the numbers.
        learner_bell: Rung when the learner is to.

    >>> board = SharedNumbers()
    >>> board.stop, board.control_seq
    (False, 0)
    >>> board.control_seq = 7
    >>> board.control_seq
    7
    """

    __slots__ = ("_memory", "_numbers", "learner_bell", "source_bell")

    def __init__(self) -> None:
        self.source_bell, self.learner_bell = Bell(), Bell()
        self._memory = mmap.mmap(-1, _BYTES_EACH * len(_Place))
        self._numbers = memoryview(self._memory).cast("q")
        self.tick_source()
        self.tick_learner()

    def ring(self) -> None:
        """Have source and learner look at the numbers."""
        self.source_bell.ring()
        self.learner_bell.ring()

    def close(self) -> None:
        """Give the bells back; the numbers stay. Once, in each process."""
        self.source_bell.close()
        self.learner_bell.close()

    # Written by the keeper ----------------------------------------------------------------------

    @property
    def stop(self) -> bool:
        """Finish, commit and end (SIGTERM)."""
        return bool(self._numbers[_Place.stop])

    @stop.setter
    def stop(self, value: bool) -> None:
        self._numbers[_Place.stop] = value

    # Written by the source ----------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Stop consuming until thawed."""
        return bool(self._numbers[_Place.frozen])

    @frozen.setter
    def frozen(self, value: bool) -> None:
        self._numbers[_Place.frozen] = value

    @property
    def released(self) -> int:
        """The number of the version that was let through the publish gate last, 0 for none."""
        return self._numbers[_Place.released]

    @released.setter
    def released(self, value: int) -> None:
        self._numbers[_Place.released] = value

    @property
    def control_seq(self) -> int:
        """The newest operator command seen; set after `frozen` and `released`."""
        return self._numbers[_Place.control_seq]

    @control_seq.setter
    def control_seq(self, value: int) -> None:
        self._numbers[_Place.control_seq] = value

    def tick_source(self) -> None:
        """The source's loop is alive."""
        self._numbers[_Place.source_ticked] = time.monotonic_ns()

    def source_has_begun(self) -> None:
        """The source's loop turns from now on: what it does before may take long."""
        self.tick_source()
        self._numbers[_Place.source_begun] = True

    # Written by the learner ---------------------------------------------------------------------

    def tick_learner(self) -> None:
        """The learner's loop is alive."""
        self._numbers[_Place.learner_ticked] = time.monotonic_ns()

    def learner_has_begun(self) -> None:
        """The learner's loop turns from now on: to build or restore a model may take long."""
        self.tick_learner()
        self._numbers[_Place.learner_begun] = True

    @property
    def uncommitted(self) -> int:
        """Records taken since the last commit was cut."""
        return self._numbers[_Place.uncommitted]

    @uncommitted.setter
    def uncommitted(self, value: int) -> None:
        self._numbers[_Place.uncommitted] = value

    @property
    def obeyed_seq(self) -> int:
        """The newest operator command that is in force."""
        return self._numbers[_Place.obeyed_seq]

    @obeyed_seq.setter
    def obeyed_seq(self, value: int) -> None:
        self._numbers[_Place.obeyed_seq] = value

    @property
    def is_frozen(self) -> bool:
        """All that was learned is committed, and nothing is consumed."""
        return bool(self._numbers[_Place.is_frozen])

    @is_frozen.setter
    def is_frozen(self, value: bool) -> None:
        self._numbers[_Place.is_frozen] = value

    @property
    def highest(self) -> int:
        """The highest version number that was used, or was about to be."""
        return self._numbers[_Place.highest]

    @highest.setter
    def highest(self, value: int) -> None:
        self._numbers[_Place.highest] = value

    @property
    def committed(self) -> int:
        """The newest version number that became the head in this life; 0 for none."""
        return self._numbers[_Place.committed]

    @committed.setter
    def committed(self, value: int) -> None:
        self._numbers[_Place.committed] = value

    # Read by the keeper -------------------------------------------------------------------------

    def has_begun(self, name: str) -> bool:
        """Whether the loop of the process, `source` or `learner`, has begun to turn."""
        return bool(self._numbers[_Place[f"{name}_begun"]])

    def quiet_s(self) -> dict[str, float]:
        """Seconds since the loop of each process last turned."""
        now = time.monotonic_ns()
        return {
            "source": (now - self._numbers[_Place.source_ticked]) / 1e9,
            "learner": (now - self._numbers[_Place.learner_ticked]) / 1e9,
        }
