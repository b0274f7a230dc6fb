"""Whose turn it is: events and labels of two topics, in the order in which they happened.

Pure. Kafka orders the records of one partition alone. Of what is read from two topics, events go
before the labels of their time or later ones, so that a label finds its event, and labels before
later events, so that a line that is behind learns as one that is not. The order that was met is
recorded with the version, and a replay takes that.

Nothing waits for a clock. A label waits until the events are read that were in the log when it was
read itself, or so many later ones that none before it can be missing; an event waits while labels
are still to be read that the log is known to have. Timestamps are the producers', and may be out of
order: an event goes with the earliest time of those that stand behind it.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeAlias

from stream.between.positions import PartitionKey

Records: TypeAlias = list[Any]
Stretch: TypeAlias = tuple[str, int, Records]
Ends: TypeAlias = Mapping[PartitionKey, int]

# So far apart, in records of one partition, may events stand whose times are out of order.
DISORDER = 1_000


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
class _HeldEvents:
    """Events of one partition in offset order, each with the earliest time of it and all behind."""

    records: deque[Any] = field(default_factory=deque)
    times: deque[int] = field(default_factory=deque)

    def add(self, records: Records) -> None:
        times = list(accumulate((each.timestamp for each in reversed(records)), min))[::-1]
        later = 0
        while self.times and self.times[-1] > times[0]:
            self.times.pop()
            later += 1
        self.times.extend([times[0]] * later)
        self.times.extend(times)
        self.records.extend(records)

    def until(self, time_ms: int | None) -> Records:
        """Take off those of this time and before; None: all."""
        taken: Records = []
        while self.times and (time_ms is None or self.times[0] <= time_ms):
            self.times.popleft()
            taken.append(self.records.popleft())
        return taken


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

    _events: dict[PartitionKey, _HeldEvents] = field(default_factory=dict)
    _labels: deque[_LabelStretch] = field(default_factory=deque)

    def held(self) -> dict[PartitionKey, int]:
        """How many events of each partition wait for their turn."""
        return {key: len(events.records) for key, events in self._events.items()}

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._labels and not any(events.records for events in self._events.values())

    def add_events(self, key: PartitionKey, records: Records) -> None:
        """Events were read, at least one, in offset order."""
        self._events.setdefault(key, _HeldEvents()).add(records)

    def add_labels(self, key: PartitionKey, records: Records, ends: Ends) -> None:
        """Labels were read, at least one, in offset order.

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
            found += self._events_until(first.records[0].timestamp)
            if not self._are_read(first.ends, positions):
                return found
            found.append((*first.key, self._labels_until_next_event(first.records)))
            if not first.records:
                self._labels.popleft()
        if not has_more_labels():
            found += self._events_until(None)
        return found

    def _events_until(self, time_ms: int | None) -> list[Stretch]:
        """The events of each partition up to this time; None: all."""
        taken = [(*key, events.until(time_ms)) for key, events in self._events.items()]
        return [stretch for stretch in taken if stretch[2]]

    def _are_read(self, ends: Ends, positions: Ends) -> bool:
        """Whether of each partition all that there was is read, or enough of what came later."""
        held = self.held()
        return all(
            positions.get(key, end) >= end or held.get(key, 0) >= DISORDER
            for key, end in ends.items()
        )

    def _labels_until_next_event(self, labels: deque[Any]) -> Records:
        """Take off the labels before the event that comes next; the first of them is one."""
        times = [events.times[0] for events in self._events.values() if events.times]
        next_ms = min(times, default=None)
        taken: Records = []
        while labels and (next_ms is None or labels[0].timestamp < next_ms):
            taken.append(labels.popleft())
        return taken
