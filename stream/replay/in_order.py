"""Records of several partitions, in the order in which they were taken before. Pure.

Kafka orders the records of one partition alone. A version's lineage says in which order a line took
them: stretches of one partition after another. What is read waits here until it is its turn.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from checkpoints.records.manifest import Run
from stream.between.positions import PartitionKey

# So many records of a partition may wait for the turn of others.
HELD_MAX = 20_000


class Piece(NamedTuple):
    """Consecutive records of one partition; `is_left_out`: they are passed over, not taken."""

    topic: str
    partition: int
    records: list[Any]
    is_left_out: bool = False


class InOrder:
    """Hands out what was read in the order of `runs`; what none of them has is left out.

    Args:
        runs: What is taken, in order, from where each partition stands on.
        until: Where each partition ends: what is read beyond is `newer`.

    Attributes:
        total: Offsets of the runs.
        left: Those of them that are still to come.
        is_done: Whether everything is handed out that stands before the ends.

    >>> from types import SimpleNamespace as Record
    >>> order = InOrder([("e", 1, 0, 1), ("e", 0, 1, 2)], until={("e", 0): 2, ("e", 1): 1})
    >>> order.add(("e", 0), [Record(offset=0), Record(offset=1)])
    >>> order.ready(lambda key: 2 if key == ("e", 0) else 0)
    []
    >>> order.add(("e", 1), [Record(offset=0)])
    >>> found = order.ready(lambda key: 2 if key == ("e", 0) else 1)
    >>> [(each.partition, len(each.records), each.is_left_out) for each in found]
    [(1, 1, False), (0, 1, True), (0, 1, False)]
    >>> order.is_done
    True
    """

    def __init__(self, runs: Sequence[Run], until: Mapping[PartitionKey, int]) -> None:
        self._runs = deque(runs)
        self._until = dict(until)
        self._read: dict[PartitionKey, deque[Any]] = {key: deque() for key in until}
        self.total = self.left = sum(following - first for _, _, first, following in runs)
        self.is_done = False

    def add(self, key: PartitionKey, records: Sequence[Any]) -> None:
        """Records were read, in offset order."""
        self._read.setdefault(key, deque()).extend(records)

    def to_hold(self) -> set[PartitionKey]:
        """The partitions of which no more is to be read now: it is another's turn."""
        wanted = self._runs[0][:2] if self._runs else None
        return {key for key, read in self._read.items() if len(read) > HELD_MAX and key != wanted}

    @property
    def runs_left(self) -> int:
        """How many runs are still to come, or begun."""
        return len(self._runs)

    def ready(
        self, position: Callable[[PartitionKey], int], *, down_to: int | None = None
    ) -> list[Piece]:
        """What is to be taken now, in order.

        Args:
            position: Up to where a partition was read.
            down_to: Only until so many runs are left; what stands behind the last is not given.
        """
        found: list[Piece] = []
        while len(self._runs) > (down_to or 0):
            topic, partition, first, following = self._runs[0]
            key = (topic, partition)
            read = self._read.setdefault(key, deque())
            found += self._stretch(key, first, is_left_out=True)
            found += self._stretch(key, following, is_left_out=False)
            if not read and position(key) < following:
                taken_to = max(first, position(key))
                self._runs[0] = (topic, partition, taken_to, following)
                self.left -= taken_to - first
                return found
            self._runs.popleft()
            self.left -= following - first
        return found if down_to is not None else found + self._rest(position)

    def _rest(self, position: Callable[[PartitionKey], int]) -> list[Piece]:
        """What stands behind the last run: up to where it was read before, it is left out."""
        found: list[Piece] = []
        for key, until in self._until.items():
            found += self._stretch(key, until, is_left_out=True)
        self.is_done = all(position(key) >= until for key, until in self._until.items())
        return found

    def newer(self) -> list[tuple[str, int, list[Any]]]:
        """What was read beyond the ends, once everything before them is handed out; taken off."""
        if not self.is_done:
            return []
        found = [(*key, list(read)) for key, read in self._read.items() if read]
        for read in self._read.values():
            read.clear()
        return found

    def _stretch(self, key: PartitionKey, end: int, *, is_left_out: bool) -> list[Piece]:
        """What was read of a partition before an offset, taken off."""
        read = self._read[key]
        taken = []
        while read and read[0].offset < end:
            taken.append(read.popleft())
        return [Piece(*key, taken, is_left_out)] if taken else []
