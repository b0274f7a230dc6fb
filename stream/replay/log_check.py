"""Whether the log still has what a rewind is to replay; asked before it is ordered."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from checkpoints.reading.going_back import AskLog, CannotReplay
from checkpoints.records.manifest import Manifest
from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError
from stream.kafka import client as kafka_client

_TIMEOUT_MS = 10_000


def log_check(settings: Callable[[], KafkaSettings]) -> AskLog:
    """What an operator asks the log by; `settings` are looked up when it is."""
    return partial(_ask, settings)


def _ask(settings: Callable[[], KafkaSettings], to: Manifest, head: Manifest) -> None:
    """Refuse a rewind that could not be carried out.

    Raises:
        CannotReplay: The log begins after what comes next, or a topic is another one now.
        KafkaUnavailableError: No broker answers.
    """
    kafka = settings()
    with closing(kafka_client.admin(kafka)) as admin:
        try:
            _check_topics(admin, to)
            _check_begins(admin, to, head)
        except KafkaError as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error


def _check_topics(admin: Any, to: Manifest) -> None:
    found = kafka_client.described(admin, list(to.anchors))
    for name, anchors in to.anchors.items():
        if name not in found:
            raise CannotReplay(to.line, f"topic {name} is gone, which {to.name} had read")
        if found[name].topic_id != anchors.topic_id:
            what = f"topic {name} was deleted and made anew since {to.name} had read it"
            raise CannotReplay(to.line, what)


def _check_begins(admin: Any, to: Manifest, head: Manifest) -> None:
    """What comes next must be there, of each partition of which there is anything to replay."""
    wanted = {}
    for topic, partitions in head.offsets.items():
        for partition, end in partitions.items():
            begin = head.begins.get(topic, {}).get(partition, 0)
            first = to.offsets.get(topic, {}).get(partition, begin)
            if first < end:
                wanted[TopicPartition(topic, int(partition))] = first
    if not wanted:
        return
    begins = admin.list_partition_offsets(
        dict.fromkeys(wanted, OffsetSpec.EARLIEST), timeout_ms=_TIMEOUT_MS
    )
    for key, first in wanted.items():
        if begins[key].offset > first:
            raise CannotReplay(
                to.line,
                f"{key.topic}-{key.partition} has lost offset {first} that comes after {to.name} "
                f"(retention: the log begins at {begins[key].offset})",
            )
