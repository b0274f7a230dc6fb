"""Publishing events: for `weir send`, and for the HTTP door."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, StreamError, TopicMissingError
from stream.kafka import client as kafka_client
from stream.send.resume import Header

log = logging.getLogger(__name__)

# Records in flight: enough to fill the pipe, few enough to bound memory.
_IN_FLIGHT_MAX = 20_000
_ACK_LIMIT_S = 60.0
_PUBLISH_LIMIT_S = 10.0


class NotAcknowledgedError(StreamError):
    """Kafka did not take a record; those before it may be there.

    Operator: look at the reason; sending again may publish some records twice (give them an `id`,
    and the learner refuses the second).
    """

    exit_code = 5

    def __init__(self, topic: str, acknowledged: int, cause: object) -> None:
        super().__init__(f"{topic} did not take record {acknowledged + 1}: {cause}")
        self.acknowledged = acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where an acknowledged record stands."""

    topic: str
    partition: int
    offset: int


class Producer:
    """Sends records in order and counts what was acknowledged.

    Args:
        kafka: Where the brokers are.
        topic: Where records go; it must exist.

    Attributes:
        sent, acknowledged: How many records were queued, and how many Kafka has.
        ends: For each partition that took one: the offset after the last acknowledged.

    Raises:
        KafkaUnavailableError, TopicMissingError: At once, not at the first record.
    """

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._topic = topic
        kafka_client.require(kafka, [topic])
        self._producer = _kafka_producer(kafka, "weir-send")
        self._in_flight: deque[Any] = deque()
        self.sent = 0
        self.acknowledged = 0
        self.ends: dict[int, int] = {}

    def send(self, value: bytes, key: bytes | None, headers: Sequence[Header] = ()) -> None:
        """Queue one record."""
        try:
            future = self._producer.send(self._topic, value=value, key=key, headers=list(headers))
        except KafkaError as error:
            raise NotAcknowledgedError(self._topic, self.acknowledged, error) from error
        self._in_flight.append(future)
        self.sent += 1
        while len(self._in_flight) > _IN_FLIGHT_MAX:
            self._settle_first()

    def settle(self) -> None:
        """Count what is acknowledged by now, without waiting."""
        while self._in_flight and self._in_flight[0].is_done:
            self._settle_first()

    def finish(self) -> None:
        """Wait until every record is acknowledged, and close.

        Raises:
            NotAcknowledgedError: One was not.
        """
        while self._in_flight:
            self._settle_first()
        self.close()

    def close(self) -> None:
        """Deliver what is queued, for five seconds at most, and close."""
        kafka_client.close_producer(self._producer, limit_s=5.0)

    def stop(self) -> None:
        """Deliver what is queued, for five seconds at most, close, and count what Kafka has."""
        self.close()
        for future in self._in_flight:
            if future.succeeded():
                self._count(future.value)
        self._in_flight.clear()

    def _settle_first(self) -> None:
        try:
            found = self._in_flight.popleft().get(timeout=_ACK_LIMIT_S)
        except KafkaError as error:
            raise NotAcknowledgedError(self._topic, self.acknowledged, error) from error
        self._count(found)

    def _count(self, found: Any) -> None:
        self.acknowledged += 1
        self.ends[found.partition] = max(found.offset + 1, self.ends.get(found.partition, 0))


class Publisher:
    """Publishes single records for callers on an asyncio loop."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: Any = None
        # kafka-python's sends nothing more once the broker has refused one record for good.
        self._spoilt: Any = None
        # The driver would wait ten seconds for a topic that is not there, and all callers with it.
        self._known: set[str] = set()
        # One thread: records are queued in the order in which they were asked for.
        self._queueing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[Header] = ()
    ) -> Published:
        """Publish one record and wait for Kafka's acknowledgement.

        Raises:
            KafkaUnavailableError: It was not acknowledged within 10 s; it may be there.
            TopicMissingError: The topic does not exist.
        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[Any] = loop.create_future()
        producer = None
        try:
            producer, future = await loop.run_in_executor(
                self._queueing, self._send, topic, key, value, headers
            )
            future.add_callback(lambda found: _settle(loop, acknowledged, found, None))
            future.add_errback(lambda error: _settle(loop, acknowledged, None, error))
            found = await asyncio.wait_for(acknowledged, _PUBLISH_LIMIT_S)
        except UnknownTopicOrPartitionError as error:
            raise TopicMissingError(topic, str(self._kafka.bootstrap_servers)) from error
        except (KafkaError, TimeoutError) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                self._spoilt = producer
            raise KafkaUnavailableError(str(self._kafka.bootstrap_servers), error) from error
        return Published(topic=found.topic, partition=found.partition, offset=found.offset)

    def close(self) -> None:
        """Close the connection, if one was ever made."""
        self._queueing.shutdown(cancel_futures=True)
        if self._producer is not None:
            kafka_client.close_producer(self._producer, limit_s=5.0)

    def _send(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> tuple[Any, Any]:
        if topic not in self._known:
            kafka_client.require(self._kafka, [topic])
            self._known.add(topic)
        if self._producer is not None and self._producer is self._spoilt:
            kafka_client.close_producer(self._producer, limit_s=0.0)
            self._producer = None
        if self._producer is None:
            self._producer = _kafka_producer(self._kafka, "weir-api", linger_ms=2)
        future = self._producer.send(topic, value=value, key=key, headers=list(headers))
        return self._producer, future


def _settle(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]", found: Any, error: Any
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)

    loop.call_soon_threadsafe(settle)


def _kafka_producer(kafka: KafkaSettings, client_id: str, *, linger_ms: int = 20) -> Any:
    try:
        return KafkaProducer(
            client_id=client_id,
            acks="all",
            linger_ms=linger_ms,
            batch_size=256 * 1024,
            max_request_size=kafka_client.DEAD_LETTER_BYTES_MAX,
            max_block_ms=int(_PUBLISH_LIMIT_S * 1000),
            allow_auto_create_topics=False,
            **kafka_client.options(kafka),
        )
    except (KafkaError, OSError) as error:
        raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
