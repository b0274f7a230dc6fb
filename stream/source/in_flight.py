"""The feed: hands records to the learner in batches, and keeps them until they are taken.

Pure bookkeeping between the log and the channel: what is in flight, how much there may be, and
which records the learner's answers speak of.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from learner.events.examples import Examples
from learner.values import Reason, Refusal
from stream.between.messages import Batch, Took
from stream.between.positions import fingerprint
from stream.source.columns import Columns

# Between two batches the learner looks at its orders and the clock: every 50 ms or so, if a single
# event does not take longer.
_BATCH_RECORDS_MAX = 100
_BATCH_S = 0.05
# What the learner may be behind: enough to keep it busy while the source does something else.
_BATCHES_MAX = 100
_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class InFlight:
    """A batch that was sent and not yet taken."""

    topic: str
    partition: int
    records: Sequence[Any]
    refused: list[tuple[int, Refusal]]  # by the screen; places among the records
    bytes: int
    is_left_out: bool = False
    ids: Sequence[str | None] | None = None  # of the records that the screen admitted


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch that the learner has taken.

    Attributes:
        learned: Examples learned.
        refused: The other records, in order, and why.
    """

    batch: InFlight
    learned: int
    refused: list[tuple[Any, Refusal]]


class Feed:
    """Makes batches of polled records, and matches the learner's answers with them.

    Args:
        columns: Decodes and screens.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._polled: deque[tuple[str, int, Sequence[Any], bool]] = deque()
        self._in_flight: deque[InFlight] = deque()
        self._records = self._bytes = self._unsent = 0
        self._batch_records = 1

    def add(
        self, topic: str, partition: int, records: Sequence[Any], *, is_left_out: bool = False
    ) -> None:
        """Take records of one partition, in offset order, to be sent, or passed over, in turn."""
        if records:
            self._polled.append((topic, partition, records, is_left_out))
            self._unsent += len(records)

    @property
    def wants_records(self) -> bool:
        """Whether all that was added is sent."""
        return not self._polled

    @property
    def has_room(self) -> bool:
        """Whether the learner may be given more."""
        most = _BATCHES_MAX * self._batch_records
        return self._records < most and self._bytes < _BYTES_MAX

    @property
    def waiting(self) -> int:
        """Records that were added and not taken; those passed over count until they are sent."""
        return self._unsent + self._records

    @property
    def is_empty(self) -> bool:
        """Whether everything that was added has been taken."""
        return not self._polled and not self._in_flight

    def batches(self) -> Iterator[Batch]:
        """The next batches, as long as there is room; each counts as sent."""
        while self._polled and self.has_room:
            topic, partition, records, is_left_out = self._polled.popleft()
            if is_left_out:
                self._unsent -= len(records)
                yield self._left_out(topic, partition, records)
                continue
            if len(records) > self._batch_records:
                rest = records[self._batch_records :]
                self._polled.appendleft((topic, partition, rest, False))
            batch = records[: self._batch_records]
            self._unsent -= len(batch)
            yield self._batch(topic, partition, batch)

    def took(self, message: Took) -> Taken:
        """The oldest batch in flight, which this message speaks of."""
        batch = self._in_flight.popleft()
        self._records -= len(batch.records)
        self._bytes -= batch.bytes
        if not batch.is_left_out:
            self._pace(len(batch.records), message.seconds)
        refused = list(batch.refused)
        if message.refused:
            screened = {place for place, _ in refused}
            places = [n for n in range(len(batch.records)) if n not in screened]
            refused += [
                (places[place], Refusal(Reason(reason), detail, stage, mend=mend))
                for place, reason, detail, stage, mend in message.refused
            ]
            refused.sort(key=lambda each: each[0])
        found = [(batch.records[place], refusal) for place, refusal in refused]
        return Taken(batch, message.learned, found)

    def _pace(self, records: int, seconds: float) -> None:
        """Make batches as large as the learner's speed allows, twice the last one at most."""
        fitting = int(_BATCH_S / seconds * records) if seconds > 0.0 else _BATCH_RECORDS_MAX
        most = min(2 * self._batch_records, _BATCH_RECORDS_MAX)
        self._batch_records = max(1, min(fitting, most))

    def _left_out(self, topic: str, partition: int, records: Sequence[Any]) -> Batch:
        """A batch without an example: these are passed over."""
        last = records[-1:]
        self._in_flight.append(InFlight(topic, partition, last, [], 0, is_left_out=True))
        self._records += 1
        return Batch(
            first=records[0].offset,
            count=len(records),
            anchor=fingerprint(last[0].offset, last[0].value, last[0].timestamp),
            examples=Examples(topic, partition, [], [], [], []),
            refused=[],
            is_left_out=True,
        )

    def _batch(self, topic: str, partition: int, records: Sequence[Any]) -> Batch:
        examples, refused = self._columns.of(topic, partition, records)
        size = sum(len(record.value or b"") for record in records)
        sent = InFlight(topic, partition, records, refused, size, ids=examples.ids)
        self._in_flight.append(sent)
        self._records += len(records)
        self._bytes += size
        last = records[-1]
        return Batch(
            first=records[0].offset,
            count=len(records),
            anchor=fingerprint(last.offset, last.value, last.timestamp),
            examples=examples,
            refused=[refusal.reason for _, refusal in refused],
        )
