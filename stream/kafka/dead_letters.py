"""Dead letters: every refused record, byte for byte, with headers that say where it was and why.

Headers of the record that are named as ours get `original-` before their names: whoever looks for
`weir-dlq-reason` then finds the one reason that is ours. All else of the record stays as it was.

At least once: after a crash the same record may be refused again and be written twice, under the
same `weir-dlq-id`. A commit waits until the letters below its offsets are acknowledged.
"""

import hashlib
import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from config.settings import KafkaSettings
from learner.values import Refusal
from stream.errors import DeadLettersStuckError, KafkaUnavailableError
from stream.kafka import client as kafka_client

log = logging.getLogger(__name__)

_OURS = "weir-dlq-"
_FOREIGN = "original-"
# What is kept of a record that the dead-letter topic will not take whole.
_TRUNCATED_BYTES = 64 * 1024
# Letters in flight: beyond these the learner waits, so that a flood of poison is bounded.
_IN_FLIGHT_MAX = 10_000
_IN_FLIGHT_BYTES_MAX = 64 << 20
_FLUSH_LIMIT_S = 30.0
# How long a topic that is gone holds the learner up; well below the watchdog's patience.
_BLOCK_MS = 10_000
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class DeadLetters:
    """Writes the records that one model refused.

    Args:
        kafka: Where the brokers are.
        model: Named in each letter.
    """

    def __init__(self, kafka: KafkaSettings, model: str) -> None:
        self._model = model
        try:
            self._producer = KafkaProducer(
                client_id=f"weir-dead-letters-{model}",
                acks="all",
                # An idempotent producer of kafka-python sends nothing more once the broker has
                # refused one record for its size; and a letter may well be written twice.
                enable_idempotence=False,
                linger_ms=20,
                max_request_size=kafka_client.DEAD_LETTER_BYTES_MAX,
                max_block_ms=_BLOCK_MS,
                allow_auto_create_topics=False,
                **kafka_client.options(kafka),
            )
        except (KafkaError, OSError) as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
        self._in_flight: deque[tuple[Any, _Letter]] = deque()
        self._bytes = 0

    def send(self, record: Any, refusal: Refusal) -> None:
        """Queue one refused record; `flush` waits for its acknowledgement."""
        while self._in_flight and self._in_flight[0][0].is_done:
            self._settle_oldest(time.monotonic() + _FLUSH_LIMIT_S)
        if len(self._in_flight) >= _IN_FLIGHT_MAX or self._bytes >= _IN_FLIGHT_BYTES_MAX:
            self.flush()
        self._post(_letter(record, refusal, self._model))

    def flush(self) -> None:
        """Wait until every letter is acknowledged.

        Raises:
            DeadLettersStuckError: Some were not within 30 s; nothing may be committed past them.
        """
        deadline = time.monotonic() + _FLUSH_LIMIT_S
        while self._in_flight:
            self._settle_oldest(deadline)

    def close(self) -> None:
        """Close the producer; letters that are not acknowledged are written again after restart."""
        kafka_client.close_producer(self._producer, limit_s=2.0)

    def _post(self, letter: "_Letter") -> None:
        try:
            future = self._producer.send(
                letter.topic, value=letter.value, key=letter.key, headers=letter.headers
            )
        except _TOO_LARGE as error:
            self._post_truncated(letter, error)
            return
        except KafkaError as error:
            raise DeadLettersStuckError(letter.topic, len(self._in_flight) + 1, 0.0) from error
        self._in_flight.append((future, letter))
        self._bytes += letter.size

    def _settle_oldest(self, deadline: float) -> None:
        """Wait for the acknowledgement of the oldest letter in flight."""
        waiting = len(self._in_flight)
        future, letter = self._in_flight.popleft()
        self._bytes -= letter.size
        try:
            future.get(timeout=max(0.0, deadline - time.monotonic()))
        except _TOO_LARGE as error:
            self._post_truncated(letter, error)
        except KafkaError as error:
            raise DeadLettersStuckError(letter.topic, waiting, _FLUSH_LIMIT_S) from error

    def _post_truncated(self, letter: "_Letter", error: Exception) -> None:
        if letter.is_truncated:
            raise DeadLettersStuckError(letter.topic, len(self._in_flight) + 1, 0.0) from error
        log.warning("%s does not take %d bytes: the first 64 KiB go", letter.topic, letter.size)
        self._post(letter.truncated())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """One dead letter, as the producer takes it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    is_truncated: bool = False

    @property
    def size(self) -> int:
        return len(self.value or b"")

    def truncated(self) -> "_Letter":
        """What goes where the topic refuses the whole."""
        value = self.value or b""
        extra = [
            (f"{_OURS}sha256", hashlib.sha256(value).hexdigest().encode()),
            (f"{_OURS}truncated", b"true"),
        ]
        return replace(
            self,
            value=value[:_TRUNCATED_BYTES],
            headers=[*self.headers, *extra],
            is_truncated=True,
        )


def _letter(record: Any, refusal: Refusal, model: str) -> _Letter:
    named = {
        "id": f"{record.topic}-{record.partition}-{record.offset}",
        "model": model,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": refusal.reason,
        "stage": refusal.stage,
        "detail": refusal.detail,
    }
    ours = [
        (f"{_OURS}{name}", str(value).encode("utf-8", "backslashreplace"))
        for name, value in named.items()
    ]
    # kafka-python sends neither a header without value nor a record without key and value,
    # though such may come to us.
    headers = [(_not_ours(name), value or b"") for name, value in record.headers]
    value = b"" if record.value is None and record.key is None else record.value
    return _Letter(
        topic=kafka_client.dead_letter_topic(record.topic),
        key=record.key,
        value=value,
        headers=[*headers, *ours],
    )


def _not_ours(name: str) -> str:
    """The name of a record's own header, which must not be taken for one of ours.

    A record that is sent again from the dead letters brings those of its first refusal along.

    >>> _not_ours("trace-id"), _not_ours("weir-dlq-reason")
    ('trace-id', 'original-weir-dlq-reason')
    """
    return f"{_FOREIGN}{name}" if name.lower().startswith(_OURS) else name
