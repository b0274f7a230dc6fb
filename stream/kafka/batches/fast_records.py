"""The records of kafka-python's consumer at a fraction of their price.

All that concerns a batch stays kafka-python's own: requests, positions, checksums, compression,
aborted transactions, gaps, errors. Only the records within a batch are decoded here, all at once,
and pass kafka-python's loop as one. What is not decoded here, from old formats to broken batches,
kafka-python decodes itself, one by one as ever.
"""

import logging
import struct
from collections.abc import Iterator
from functools import cache, partial
from operator import attrgetter
from typing import Any, ClassVar

from kafka import TopicPartition
from kafka import __version__ as kafka_version

from stream.kafka.batches.record_batches import PADDING, Record, decode

log = logging.getLogger(__name__)

# Of a batch: its bytes, and where in them the records begin.
_bytes_of = attrgetter("_buffer", "_pos")
_FORMAT = 2


def use_in(consumer: Any) -> bool:
    """Let a `KafkaConsumer` without deserializers give `Record`s from now on.

    `poll()` keeps to `max_records` and moves the positions as before. Of a batch that is not
    decoded here it still gives `ConsumerRecord`s, which have the same attributes and more.

    Returns:
        Whether it does. False where kafka-python is not built as it was: the consumer is as it
        came, and a warning was logged once.
    """
    fetcher: Any = getattr(consumer, "_fetcher", None)
    stock = getattr(type(fetcher), "PartitionRecords", None)
    why = "no PartitionRecords" if stock is None else _why_not(stock)
    if why is not None:
        _warn(why)
        return False
    fetcher.PartitionRecords = partial(PartitionRecords, stock)
    return True


class PartitionRecords:
    """What was fetched of a partition: kafka-python's own `PartitionRecords`, read batch by batch.

    Args:
        stock: kafka-python's class.
        fetch_offset: The first record to give, which may be in the midst of a batch.
        key: The partition.
        records: The batches.
        options: For kafka-python's class.
    """

    def __init__(
        self, stock: Any, fetch_offset: int, key: Any, records: Any, **options: Any
    ) -> None:
        self._stock = stock(fetch_offset, key, _Batches(records, key), **options)
        self._fetch_offset = fetch_offset
        self._has_begun = False
        self._left: list[Any] = []  # of the batches opened, not yet taken
        self._cut_at = fetch_offset
        self._error: Exception | None = None

    def __bool__(self) -> bool:
        return bool(self._stock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)

    @property
    def next_fetch_offset(self) -> int:
        """The offset after the last record taken, or after the gap that followed it."""
        return self._cut_at if self._left else int(self._stock.next_fetch_offset)

    def take(self, n: int) -> list[Any]:
        """Up to `n` records.

        Raises:
            Exception: kafka-python's, when all records before the error were taken; and again when
                asked again.
        """
        if len(self._left) < n and self._error is None:
            try:
                self._open_up_to(n)
            except Exception as error:
                self._error = error
        if not self._left and self._error is not None:
            raise self._error
        taken, self._left = self._left[:n], self._left[n:]
        if taken:
            self._cut_at = taken[-1].offset + 1
        return taken

    def _open_up_to(self, n: int) -> None:
        """No batch before it is needed: position and leader epoch are of the last one opened."""
        for found in self._stock.record_iterator:
            if type(found.value) is list:
                self._left += self._whole(found.value)
            else:
                self._left.append(found)
            self._has_begun = True
            if len(self._left) >= n:
                break

    def _whole(self, records: list[Record]) -> list[Record]:
        self._stock.records_read += len(records) - 1
        if self._has_begun:
            return records
        return [record for record in records if record.offset >= self._fetch_offset]


class _Batches:
    """kafka-python's `MemoryRecords`, as far as its loop over the batches asks."""

    def __init__(self, records: Any, key: Any) -> None:
        self._records, self._key = records, key

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is None or batch.magic != _FORMAT:
            return batch
        return _Batch(batch, self._key)


class _Batch:
    """A batch of format 2 that yields all its records as one."""

    __slots__ = ("_batch", "_key", "has_producer_id", "is_control_batch", "magic", "validate_crc")

    def __init__(self, batch: Any, key: Any) -> None:
        self._batch, self._key = batch, key
        # What is asked of every batch; the rest comes by `__getattr__`, which is slow.
        self.magic, self.is_control_batch = batch.magic, batch.is_control_batch
        self.has_producer_id, self.validate_crc = batch.has_producer_id, batch.validate_crc

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        one_by_one: Iterator[Any] = iter(self._batch)  # decompresses
        try:
            records, size = self._decoded()
        except (ValueError, IndexError, struct.error):
            return one_by_one  # to find the records before the error, and to name it
        if not records:
            return one_by_one
        return iter((_Whole(records, size),))

    def _decoded(self) -> tuple[list[Record], int]:
        batch, (topic, partition) = self._batch, self._key
        buffer, begin = _bytes_of(batch)
        data = b"".join((memoryview(buffer)[begin:], PADDING))
        records = decode(
            data,
            batch.records_count,
            topic=topic,
            partition=partition,
            base_offset=batch.base_offset,
            base_time=batch.first_timestamp,
        )
        if batch.timestamp_type:  # the broker's time, one for all
            for record in records:
                record.timestamp = batch.max_timestamp
        return records, len(data)


class _Whole:
    """The records of a batch, all that kafka-python's loop asks of one."""

    __slots__ = ("offset", "size_in_bytes", "value")

    key = checksum = None
    headers: ClassVar[tuple[()]] = ()
    timestamp, timestamp_type = -1, 0

    def __init__(self, records: list[Record], size: int) -> None:
        self.value, self.offset, self.size_in_bytes = records, records[-1].offset, size

    def validate_crc(self) -> bool:
        """Of the batch it was."""
        return True


@cache
def _why_not(stock: Any) -> str | None:
    """Read three records of a batch in both ways: what is in the way of ours, if anything."""
    try:
        from kafka.record import MemoryRecords, MemoryRecordsBuilder

        builder = MemoryRecordsBuilder(magic=_FORMAT, compression_type=0, batch_size=1024)
        for n in range(4):
            builder.append(timestamp=n, key=b"key", value=b"value", headers=[("name", b"value")])
        builder.close()
        key, batches = TopicPartition("topic", 0), builder.buffer()
        theirs = stock(1, key, MemoryRecords(batches))
        ours = PartitionRecords(stock, 1, key, MemoryRecords(batches))
        found, expected = ours.take(3), theirs.take(3)
    except Exception as error:
        return repr(error)
    if list(map(_told, found)) != list(map(_told, expected)):
        return f"{found} is not {expected}"
    if not all(type(record) is Record for record in found):
        return "the records of a batch cannot be had together"
    return None


def _told(record: Any) -> tuple[Any, ...]:
    where = (record.topic, record.partition, record.offset, record.timestamp)
    return (*where, record.key, record.value, list(record.headers))


@cache
def _warn(why: str) -> None:
    log.warning("kafka-python %s is not as known: it reads one by one (%s)", kafka_version, why)
