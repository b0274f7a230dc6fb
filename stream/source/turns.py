"""Whose turn it is: events and labels of two topics, in the order in which they happened.

Pure. Kafka orders the records of one partition alone. Of what is read from two topics, events go
before the labels of their time or later ones, so that a label finds its event, and labels before
later events, so that a line that is behind learns as one that is not. The order that was met is
recorded with the version, and a replay takes that.

Nothing waits for a clock. A label waits until the events are read that were in the log when it was
read itself; an event waits while labels are still to be read that the log is known to have.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stream.between.positions import PartitionKey

Records: TypeAlias = list[Any]
Stretch: TypeAlias = tuple[str, int, Records]
Ends: TypeAlias = Mapping[PartitionKey, int]


@dataclass(slots=True)
class _LabelStretch:
    """Labels of one partition that were read together.

    Attributes:
        ends: Where each partition of the events ended after they were read.
    """

    key: PartitionKey
    records: deque[Any]
    ends: Ends


@dataclass(slots=True)
class Turns:
    """Holds what was read until it is its turn.

    >>> from types import SimpleNamespace as Record
    >>> turns = Turns()
    >>> turns.add_events(("e", 0), [Record(timestamp=1), Record(timestamp=5)])
    >>> turns.add_labels(("l", 0), [Record(timestamp=3)], {("e", 0): 2})
    >>> found = turns.ready(positions={("e", 0): 2}, has_more_labels=lambda: False)
    >>> [(topic, [record.timestamp for record in records]) for topic, _, records in found]
    [('e', [1]), ('l', [3]), ('e', [5])]
    """

    _events: dict[PartitionKey, deque[Any]] = field(default_factory=dict)
    _labels: deque[_LabelStretch] = field(default_factory=deque)

    @property
    def held(self) -> int:
        """How many events wait for their turn."""
        return sum(map(len, self._events.values()))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._labels and not self.held

    def add_events(self, key: PartitionKey, records: Records) -> None:
        """Events were read, in offset order."""
        self._events.setdefault(key, deque()).extend(records)

    def add_labels(self, key: PartitionKey, records: Records, ends: Ends) -> None:
        """Labels were read, in offset order.

        Args:
            ends: Where each partition of the events ended then, or later.
        """
        self._labels.append(_LabelStretch(key, deque(records), ends))

    def ready(self, positions: Ends, has_more_labels: Callable[[], bool]) -> list[Stretch]:
        """What is to be taken now, in order.

        Args:
            positions: Up to where each partition of the events was read.
            has_more_labels: Whether the log has labels that are still to be read.
        """
        found: list[Stretch] = []
        while self._labels:
            first = self._labels[0]
            label_ms = first.records[0].timestamp
            found += self._events_until(label_ms)
            if not self._are_read(first.ends, positions):
                return found
            labels = _taken_while(first.records, before_ms=self._next_event_ms())
            found.append((*first.key, labels))
            if not first.records:
                self._labels.popleft()
        if not has_more_labels():
            found += self._events_until(None)
        return found

    def _events_until(self, time_ms: int | None) -> list[Stretch]:
        """The events of each partition up to this time; None: all."""
        after = None if time_ms is None else time_ms + 1
        taken = [
            (*key, _taken_while(records, before_ms=after)) for key, records in self._events.items()
        ]
        return [stretch for stretch in taken if stretch[2]]

    def _are_read(self, ends: Ends, positions: Ends) -> bool:
        """Whether of each partition a later event is known, or all that there was is read."""
        return all(
            self._events.get(key) or positions.get(key, end) >= end for key, end in ends.items()
        )

    def _next_event_ms(self) -> int | None:
        """The earliest time of the events that come next; later than the label whose turn it is."""
        times = [records[0].timestamp for records in self._events.values() if records]
        return min(times, default=None)


def _taken_while(records: deque[Any], *, before_ms: int | None) -> Records:
    """Take off those before the first whose time is not before this one; None: all."""
    taken: Records = []
    while records and (before_ms is None or records[0].timestamp < before_ms):
        taken.append(records.popleft())
    return taken
