"""Reads topics from a moment on to the end that they had, and then is done.

For commands that look back at what was committed. Where it began is not kept anywhere.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from config.settings import KafkaSettings
from stream.errors import ExportFailedError, KafkaUnavailableError
from stream.kafka import client as kafka_client
from stream.kafka.batches import fast_records

_POLL_RECORDS = 5_000
_POLL_MS = 500
# A broker that answers nothing for so long is away.
_SILENT_LIMIT_S = 30.0
_LOST = (OffsetOutOfRangeError, LogTruncationError)
_UNREADABLE = (CorruptRecordError, UnsupportedCodecError)


class Span(NamedTuple):
    """Offsets of one partition, `end` not included."""

    topic: str
    partition: int
    begin: int
    end: int


class LogReader:
    """Reads committed records, one stretch of the log after another.

    Args:
        kafka: Where the brokers are.
        silent_limit_s: How long a broker may say nothing.

    Raises:
        KafkaUnavailableError: No broker answers. So does every method.
    """

    def __init__(self, kafka: KafkaSettings, *, silent_limit_s: float = _SILENT_LIMIT_S) -> None:
        self._address = str(kafka.bootstrap_servers)
        self._silent_limit_s = silent_limit_s
        try:
            self._consumer: Any = KafkaConsumer(
                client_id="weir-log",
                max_poll_records=_POLL_RECORDS,
                **kafka_client.reading_options(kafka),
            )
        except (KafkaError, OSError) as error:
            raise KafkaUnavailableError(self._address, error) from error
        fast_records.use_in(self._consumer)

    def close(self) -> None:
        """Close the connection."""
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=2_000)

    def spans(self, topic: kafka_client.Topic, since_ms: int | None) -> list[Span]:
        """What each partition of a topic has now, of committed records.

        Args:
            since_ms: Begin at the first record of this time or a later one; None: at the first.
        """
        keys = [TopicPartition(topic.name, each) for each in topic.partitions]
        try:
            ends = self._consumer.end_offsets(keys)
            begins = self._consumer.beginning_offsets(keys)
            if since_ms is not None:
                found = self._consumer.offsets_for_times(dict.fromkeys(keys, since_ms))
                begins = {key: found[key].offset if found.get(key) else ends[key] for key in keys}
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error
        return [
            Span(topic.name, key.partition, begins[key], max(begins[key], ends[key]))
            for key in keys
        ]

    def records(self, spans: Sequence[Span]) -> Iterator[list[Any]]:
        """All records of `spans`, some of one partition at a time, those in offset order.

        Raises:
            ExportFailedError: The log lost records meanwhile, or one cannot be read at all.
        """
        ends = {TopicPartition(s.topic, s.partition): s.end for s in spans if s.begin < s.end}
        self._consumer.assign(list(ends))
        self._consumer.resume(*ends)  # those that were read to an end before
        for span in spans:
            key = TopicPartition(span.topic, span.partition)
            if key in ends:
                self._consumer.seek(key, span.begin)
        heard_at = time.monotonic()
        while ends:
            polled = self._polled()
            for key, records in polled.items():
                if key in ends and records:
                    yield _before(records, ends[key])
            done = [key for key, end in ends.items() if self._position(key) >= end]
            for key in done:
                self._consumer.pause(key)
                del ends[key]
            if polled or done:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self._silent_limit_s:
                raise self._silence(ends)

    def _polled(self) -> Mapping[Any, list[Any]]:
        try:
            polled: Mapping[Any, list[Any]] = self._consumer.poll(timeout_ms=_POLL_MS)
        except _LOST as error:
            why = "retention deleted what comes next while it was read: say the command again"
            raise ExportFailedError(f"{self._standing()}: {why}") from error
        except _UNREADABLE as error:
            mend = "look at it with another client and repair the topic, or read around it"
            why = f"a record at or after that offset cannot be read ({error}): {mend}"
            raise ExportFailedError(f"{self._standing()}: {why}") from error
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error
        return polled

    def _silence(self, ends: Mapping[Any, int]) -> KafkaUnavailableError:
        key = min(ends)
        where = f"{key.topic}-{key.partition} at offset {self._position(key):,} of {ends[key]:,}"
        why = f"{where}: nothing came for {self._silent_limit_s:.0f} s"
        return KafkaUnavailableError(self._address, why)

    def _position(self, key: Any) -> int:
        """Behind the last record that was returned, or behind what comes between records."""
        found: int = self._consumer.position(key) or 0
        return found

    def _standing(self) -> str:
        """Where each partition stands that is read."""
        keys = sorted(self._consumer.assignment() - self._consumer.paused())
        return ", ".join(f"{k.topic}-{k.partition} at offset {self._position(k)}" for k in keys)


def _before(records: list[Any], end: int) -> list[Any]:
    if records[-1].offset < end:
        return records
    return [record for record in records if record.offset < end]
