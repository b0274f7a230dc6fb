"""Records to Kafka a batch at a time: kafka-python's producer at a fraction of its price.

Leaders, requests, sequence numbers, retries and errors stay kafka-python's own. Only the records of
a batch are encoded here, all at once, and one future stands for all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import IllegalStateError
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder

from stream.send.resume import Header

_FORMAT, _UNCOMPRESSED = 2, 0
_inside = attrgetter("_accumulator", "_sender")
_queues = attrgetter("_tp_lock", "_batches", "_incomplete")


class Outgoing(NamedTuple):
    """One record.

    Attributes:
        at_ms: Its timestamp.
    """

    key: bytes
    value: bytes
    headers: Sequence[Header]
    at_ms: int

    @property
    def size(self) -> int:
        """Of key and value."""
        return len(self.key) + len(self.value)


Settled = Callable[[Sequence[Outgoing], BaseException | None], None]


def append_batch(
    producer: Any, where: TopicPartition, records: Sequence[Outgoing], settled: Settled
) -> None:
    """Queue a batch behind what a `KafkaProducer` is to send to that partition.

    Args:
        where: Of a topic whose metadata the producer has: it was asked for its partitions.
        settled: Called on the producer's thread, for each record once: with all of them, or, where
            the broker refused the batch for its size and the producer halved it, with one at a
            time. With the error where Kafka did not acknowledge them.

    Raises:
        IllegalStateError: The producer is closed.
    """
    accumulator, sender = _inside(producer)
    lock_of, waiting, incomplete = _queues(accumulator)
    batch = _batch(where, records, settled)
    with lock_of(where):
        if attrgetter("_closed")(accumulator):
            raise IllegalStateError("the producer is closed")
        waiting[where].append(batch)
        incomplete.add(batch)
    sender.wakeup()


def _batch(where: TopicPartition, records: Sequence[Outgoing], settled: Settled) -> ProducerBatch:
    def told(answer: tuple[int, int, Callable[[int], BaseException] | None]) -> None:
        _, _, error_of = answer
        settled(records, None if error_of is None else error_of(0))

    batch = ProducerBatch(where, _Encoded(records))
    batch.produce_future.add_callback(told)
    vars(batch)["_record_futures"] = _OneByOne(batch.produce_future, records, settled)
    return batch


class _Encoded(MemoryRecordsBuilder):  # type: ignore[misc]  # kafka-python has no types
    """A batch with all its records in it; full, so that nothing is waited for."""

    def __init__(self, records: Sequence[Outgoing]) -> None:
        super().__init__(_FORMAT, _UNCOMPRESSED, batch_size=0)
        self._builder = _Filled(records)
        self._next_offset = len(records)


class _Filled(DefaultRecordBatchBuilder):  # type: ignore[misc]
    def __init__(self, records: Sequence[Outgoing]) -> None:
        super().__init__(_FORMAT, _UNCOMPRESSED, False, -1, -1, -1, batch_size=0)
        self._first_timestamp = records[0].at_ms
        self._max_timestamp = max(each.at_ms for each in records)
        self._buffer += encode(records, self._first_timestamp)
        self._num_records, self._last_offset = len(records), len(records) - 1


class _OneByOne:
    """A batch's records as futures of their own, made when the batch is halved and not before."""

    def __init__(self, future: Any, records: Sequence[Outgoing], settled: Settled) -> None:
        self._future, self._records, self._settled = future, records, settled

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: int) -> FutureRecordMetadata:
        record, settled = (self._records[place],), self._settled
        future = FutureRecordMetadata(self._future, place, record[0].at_ms, None, -1, -1, -1)
        future.add_callback(lambda _: settled(record, None))
        future.add_errback(lambda error: settled(record, error))
        return future


def encode(records: Sequence[Outgoing], first_ms: int) -> bytes:
    """What follows the header of a batch of message format 2.

    Args:
        first_ms: What timestamps are counted from.

    Source: Kafka protocol guide, record batch, records.
    """
    varint = _VARINT
    parts: list[bytes] = []
    for place, (key, value, headers, at_ms) in enumerate(records):
        body = b"".join(
            (
                b"\0",
                varint[at_ms - first_ms],
                varint[place],
                varint[len(key)],
                key,
                varint[len(value)],
                value,
                b"".join(_headers(headers)) if headers else b"\0",
            )
        )
        parts += (varint[len(body)], body)
    return b"".join(parts)


def _headers(headers: Sequence[Header]) -> Iterator[bytes]:
    yield _VARINT[len(headers)]
    for name, value in headers:
        told = name.encode()
        yield from (_VARINT[len(told)], told, _VARINT[len(value)], value)


class _Varints(dict[int, bytes]):
    """Whole numbers as zigzag varints; the usual ones are there, others are made when asked for."""

    def __missing__(self, number: int) -> bytes:
        raw, found = (number << 1) ^ (number >> 63), bytearray()
        while raw > 0x7F:
            found.append(raw & 0x7F | 0x80)
            raw >>= 7
        found.append(raw)
        return bytes(found)


_VARINT = _Varints()
_VARINT.update({number: _VARINT[number] for number in range(-64, 8192)})
