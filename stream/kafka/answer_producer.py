"""The log of predictions to Kafka: many small records, none of which may hold anybody up."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import starmap
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError
from kafka.partitioner import murmur2

from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, TopicMissingError
from stream.kafka import client as kafka_client
from stream.kafka.batches.whole_batches import Outgoing, append_batch
from stream.send.resume import Header

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_LOOK_AGAIN_S = 10.0  # for a topic that was not there
_BLOCK_MS = 10_000
_GATHER_S = 0.02  # what comes within it goes together
_BATCH_BYTES = 256 << 10
_JOIN_S = 2.0  # what closing may take beyond its limit: the driver's own waits

Settled = Callable[[int, int, bool], None]


class _Bundle(NamedTuple):
    topic: str
    records: Sequence[Outgoing]
    settled: Settled


class AnswerProducer:
    """Sends records from a thread of its own, each once (an idempotent producer's), in order.

    Whoever sends bounds what is under way: here nothing is refused for being much.

    Args:
        kafka: Where the brokers are. They need not be there.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._queue: SimpleQueue[_Bundle | None] = SimpleQueue()
        self._closing = threading.Event()
        self._limit_s = 0.0
        self._producer: Any = None
        self._is_spoilt = False
        self._partitions: dict[str, int] = {}
        self._missing: dict[str, float] = {}  # topic: when to look again
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def start(self) -> None:
        """Begin, in the process that it is to work in."""
        self._thread.start()

    def send(
        self,
        topic: str,
        records: Iterable[tuple[bytes, bytes, Sequence[Header], int]],
        settled: Settled,
    ) -> None:
        """Queue records.

        Args:
            records: Key, value, headers, timestamp in milliseconds of each.
            settled: Called with how many of them, their bytes (of keys and values), and whether
                Kafka has them; on any thread, until all are told of once. Where it is called with
                False after a broken connection, Kafka may have them all the same.
        """
        self._queue.put(_Bundle(topic, list(starmap(Outgoing, records)), settled))

    def close(self, limit_s: float) -> None:
        """Deliver what is queued for so long at most; the rest settles as not delivered."""
        self._limit_s = limit_s
        self._closing.set()
        self._queue.put(None)
        self._thread.join(limit_s + _JOIN_S)

    def _run(self) -> None:
        while (bundle := self._queue.get()) is not None:
            self._closing.wait(_GATHER_S)
            for (topic, settled), records in self._gathered(bundle).items():
                self._send(topic, records, settled)
        if self._producer is not None:
            kafka_client.close_producer(self._producer, limit_s=self._limit_s)

    def _gathered(self, bundle: _Bundle | None) -> dict[tuple[str, Settled], list[Outgoing]]:
        """This bundle and all that is queued behind it: what goes to one topic, together."""
        found: dict[tuple[str, Settled], list[Outgoing]] = {}
        while bundle is not None:
            found.setdefault((bundle.topic, bundle.settled), []).extend(bundle.records)
            with suppress(Empty):
                bundle = self._queue.get_nowait()
                continue
            return found
        self._queue.put(None)  # we are to close: it is the last, and is met again
        return found

    def _send(self, topic: str, records: list[Outgoing], settled: Settled) -> None:
        def told(some: Sequence[Outgoing], error: BaseException | None) -> None:
            if error is not None:
                self._failed(topic, error)
            _settle(settled, some, has=error is None)

        for batch, where in self._shared_out(topic, records):
            try:
                if where is None:
                    _settle(settled, batch, has=False)
                else:
                    append_batch(self._producer, where, batch, told)
            except Exception:  # the border of the thread: the rest is to be sent all the same
                log.exception("%d answers could not be sent to %s", len(batch), topic)
                _settle(settled, batch, has=False)

    def _shared_out(
        self, topic: str, records: list[Outgoing]
    ) -> Iterable[tuple[list[Outgoing], TopicPartition | None]]:
        """Batches, and where each goes; None: there is no such topic, or we are to close."""
        if not self._is_ready_for(topic):
            return [(records, None)]
        return [
            (batch, TopicPartition(topic, partition))
            for partition, some in by_partition(records, self._partitions[topic])
            for batch in batches(some)
        ]

    def _failed(self, topic: str, error: BaseException) -> None:
        if isinstance(error, UnknownTopicOrPartitionError):
            self._partitions.pop(topic, None)
        if not getattr(error, "retriable", False):
            self._is_spoilt = True  # the driver sends nothing more
        log.debug("%s did not take answers: %r", topic, error)

    def _is_ready_for(self, topic: str) -> bool:
        """Whether there is a producer and the topic; waits for Kafka until we are to close."""
        while True:
            try:
                if self._is_spoilt:
                    self._renew()
                if self._producer is None:
                    self._producer = self._made()
                return topic in self._partitions or self._finds(topic)
            except (KafkaUnavailableError, KafkaError) as error:
                log.warning("the log of predictions waits: %s", error)
                if self._closing.wait(_RETRY_S):
                    return False

    def _finds(self, topic: str) -> bool:
        if time.monotonic() < self._missing.get(topic, 0.0):
            return False
        try:
            found = kafka_client.require(self._kafka, [topic])
        except TopicMissingError as error:
            if topic not in self._missing:
                log.error("answers are not logged: %s", error)
            self._missing[topic] = time.monotonic() + _LOOK_AGAIN_S
            return False
        self._partitions[topic] = len(found[topic].partitions)
        self._producer.partitions_for(topic)  # from now on it knows who leads them
        if self._missing.pop(topic, None) is not None:
            log.info("answers are logged on %s from now on", topic)
        return True

    def _renew(self) -> None:
        self._is_spoilt = False
        if self._producer is not None:
            kafka_client.close_producer(self._producer, limit_s=0.0)
        self._producer = None

    def _made(self) -> Any:
        try:
            return KafkaProducer(
                client_id="weir-answers",
                acks="all",
                max_request_size=kafka_client.DEAD_LETTER_BYTES_MAX,
                max_block_ms=_BLOCK_MS,
                allow_auto_create_topics=False,
                **kafka_client.options(self._kafka),
            )
        except (KafkaError, OSError) as error:
            raise KafkaUnavailableError(str(self._kafka.bootstrap_servers), error) from error


def _settle(settled: Settled, records: Sequence[Outgoing], *, has: bool) -> None:
    settled(len(records), sum(each.size for each in records), has)


def by_partition(records: list[Outgoing], count: int) -> list[tuple[int, list[Outgoing]]]:
    """Records as Kafka's own producers share them out: by the hash of their key."""
    if count == 1:  # to hash a key takes longer than all else
        return [(0, records)]
    found: dict[int, list[Outgoing]] = {}
    for each in records:
        found.setdefault((murmur2(each.key) & 0x7FFFFFFF) % count, []).append(each)
    return sorted(found.items())


def batches(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Some at a time, about as many bytes as a broker takes together."""
    some: list[Outgoing] = []
    size = 0
    for each in records:
        if some and size + each.size > _BATCH_BYTES:
            yield some
            some, size = [], 0
        some.append(each)
        size += each.size
    if some:
        yield some
