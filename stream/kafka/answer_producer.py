"""The log of predictions to Kafka: many small records, none of which may hold anybody up."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, TopicMissingError
from stream.kafka import client as kafka_client
from stream.send.resume import Header

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_LOOK_AGAIN_S = 10.0  # for a topic that was not there
_BLOCK_MS = 10_000
_JOIN_S = 2.0  # what closing may take beyond its limit: the driver's own waits

Settled = Callable[[bool], None]


class _Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[Header]
    at_ms: int
    settled: Settled


class AnswerProducer:
    """Sends records from a thread of its own, each once (an idempotent producer's), in order.

    Whoever sends bounds what is under way: here nothing is refused for being much.

    Args:
        kafka: Where the brokers are. They need not be there.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._queue: SimpleQueue[_Record | None] = SimpleQueue()
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
        record: tuple[bytes, bytes, Sequence[Header]],
        at_ms: int,
        settled: Settled,
    ) -> None:
        """Queue a record.

        Args:
            record: Its key, its value, its headers.
            at_ms: Its timestamp.
            settled: Called once, on any thread: whether Kafka has it. Where it is called with
                False after a broken connection, Kafka may have it all the same.
        """
        self._queue.put(_Record(topic, *record, at_ms, settled))

    def close(self, limit_s: float) -> None:
        """Deliver what is queued for so long at most; the rest settles as not delivered."""
        self._limit_s = limit_s
        self._closing.set()
        self._queue.put(None)
        self._thread.join(limit_s + _JOIN_S)

    def _run(self) -> None:
        while (record := self._queue.get()) is not None:
            try:
                self._send(record)
            except Exception:  # the border of the thread: the rest is to be sent all the same
                log.exception("an answer could not be sent to %s", record.topic)
                record.settled(False)
        if self._producer is not None:
            kafka_client.close_producer(self._producer, limit_s=self._limit_s)

    def _send(self, record: _Record) -> None:
        if not self._is_ready_for(record.topic):
            record.settled(False)
            return
        try:
            future = self._producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                # To hash a key takes the driver longer than all else.
                partition=0 if self._partitions[record.topic] == 1 else None,
                timestamp_ms=record.at_ms,
                headers=list(record.headers),
            )
        except KafkaError as error:  # of this record alone: it is larger than any may be
            log.debug("an answer is not sent to %s: %r", record.topic, error)
            record.settled(False)
            return
        future.add_callback(lambda _: record.settled(True))
        future.add_errback(lambda error: self._failed(record, error))

    def _failed(self, record: _Record, error: BaseException) -> None:
        if isinstance(error, UnknownTopicOrPartitionError):
            self._partitions.pop(record.topic, None)
        if not getattr(error, "retriable", False):
            self._is_spoilt = True  # the driver sends nothing more
        log.debug("%s did not take an answer: %r", record.topic, error)
        record.settled(False)

    def _is_ready_for(self, topic: str) -> bool:
        """Whether there is a producer and the topic; waits for Kafka until we are to close."""
        while True:
            try:
                if self._is_spoilt:
                    self._renew()
                if self._producer is None:
                    self._producer = self._made()
                return topic in self._partitions or self._finds(topic)
            except KafkaUnavailableError as error:
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
                linger_ms=20,
                batch_size=256 * 1024,
                max_request_size=kafka_client.DEAD_LETTER_BYTES_MAX,
                max_block_ms=_BLOCK_MS,
                allow_auto_create_topics=False,
                **kafka_client.options(self._kafka),
            )
        except (KafkaError, OSError) as error:
            raise KafkaUnavailableError(str(self._kafka.bootstrap_servers), error) from error
