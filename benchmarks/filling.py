"""Topics filled with events in seconds: the bytes of a batch, sent as they are again and again.

A producer in Python takes 15 microseconds an event, longer than what is measured takes to learn it.
A broker gives each batch its offsets, and the batch's checksum does not cover them, so the same
bytes are as good a second time.
"""

import itertools
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka.record.default_records import DefaultRecordBatchBuilder
from river import datasets

from learner.vw.text import features_text

# About what a producer that waits 20 ms sends at once.
BATCH_EVENTS = 250
_BATCH_BYTES_MAX = 1 << 24
_UNDER_WAY = 16
_PRODUCE, _VERSION, _ALL_REPLICAS, _TIMEOUT_MS = 0, 3, -1, 30_000


class NotTakenError(Exception):
    """The broker refused a batch."""


def batch_of(values: Iterable[bytes]) -> bytes:
    """A batch of Kafka's message format 2 of these values, without keys."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, _BATCH_BYTES_MAX)
    now_ms = int(time.time() * 1000)
    for offset, value in enumerate(values):
        builder.append(offset, now_ms, None, value, [])
    return bytes(builder.build())


def append(address: str, topic: str, batches: Iterable[bytes]) -> None:
    """Append batches to partition 0; returns when all are acknowledged.

    Raises:
        NotTakenError: The broker refused one.

    Source: Kafka protocol guide, Produce request version 3.
    """
    host, _, port = address.rpartition(":")
    name = topic.encode()
    head = struct.pack(">hhi", _PRODUCE, _VERSION, 0) + struct.pack(">h", -1)
    options = struct.pack(">hhi", -1, _ALL_REPLICAS, _TIMEOUT_MS)
    one_topic = struct.pack(">ih", 1, len(name)) + name + struct.pack(">ii", 1, 0)
    start = head + options + one_topic
    with socket.create_connection((host, int(port))) as door, door.makefile("rb") as answers:
        under_way = 0
        for batch in batches:
            size = struct.pack(">i", len(start) + 4 + len(batch))
            door.sendall(size + start + struct.pack(">i", len(batch)) + batch)
            under_way += 1
            if under_way == _UNDER_WAY:
                _check(answers.read(_answer_size(answers.read(4))), name)
                under_way -= 1
        for _ in range(under_way):
            _check(answers.read(_answer_size(answers.read(4))), name)


def _answer_size(prefix: bytes) -> int:
    (size,) = struct.unpack(">i", prefix)
    return int(size)


def _check(answer: bytes, name: bytes) -> None:
    # Correlation id, one topic, its name, one partition, its number; then the error.
    (error,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name) + 4 + 4)
    if error:
        raise NotTakenError(f"{name.decode()}: the broker answers with error {error}")


def phishing() -> list[tuple[dict[str, float], bool]]:
    """The 1,250 examples that most streams here repeat."""
    return list(datasets.Phishing())


def as_json(pairs: Iterable[tuple[dict[str, Any], bool]]) -> Iterator[bytes]:
    """Events as JSON."""
    encode = msgspec.json.Encoder().encode
    return (encode({"features": x, "label": y}) for x, y in pairs)


def as_vw(pairs: Iterable[tuple[dict[str, float], bool]]) -> Iterator[bytes]:
    """Events as Vowpal Wabbit's text."""
    return (f"{1 if y else -1} {features_text(x)}".encode() for x, y in pairs)


FORMATS = {"json": as_json, "vw": as_vw}


@dataclass(slots=True)
class Streams:
    """Topics of one broker: one for each format, that grow as far as is asked; and whole ones."""

    kafka: str
    _events: dict[str, int] = field(default_factory=dict)

    def at_least(self, count: int, *, form: str = "json") -> str:
        """The topic of that format, with so many events or more."""
        topic = f"bench.{form}"
        if topic not in self._events:
            make_topic(self.kafka, topic)
        here = self._events.get(topic, 0)
        batches = in_batches(FORMATS[form](phishing()))
        missing = -(-max(0, count - here) // BATCH_EVENTS)
        append(self.kafka, topic, itertools.islice(itertools.cycle(batches), missing))
        self._events[topic] = here + missing * BATCH_EVENTS
        return topic

    def whole(self, topic: str, count: int, values: Callable[[], Iterable[bytes]]) -> str:
        """The topic of that name, with so many values, once; filled when it is first asked for."""
        if topic not in self._events:
            make_topic(self.kafka, topic)
            append(self.kafka, topic, in_batches(itertools.islice(values(), count)))
            self._events[topic] = count
        return topic


def in_batches(values: Iterable[bytes]) -> Iterator[bytes]:
    """These values, so many in each batch as a producer would send."""
    rest = iter(values)
    while batch := list(itertools.islice(rest, BATCH_EVENTS)):
        yield batch_of(batch)


def make_topic(address: str, topic: str) -> None:
    """A topic of one partition; nothing where it is already."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        if topic not in admin.list_topics():
            options = {"num_partitions": 1, "replication_factor": 1}
            admin.create_topics({topic: options}, wait_for_metadata=True)
