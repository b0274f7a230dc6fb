"""Whether the log is the one that a head was learned from, by three marks.

The id of each topic, which Kafka never gives again; the offsets that it still has; and the record
that was taken last of each partition, by its fingerprint.
"""

import logging
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from config.settings import KafkaSettings
from stream.between.positions import PartitionKey, Positions, fingerprint
from stream.errors import KafkaUnavailableError, LogDisagreesError
from stream.kafka import client as kafka_client

log = logging.getLogger(__name__)

_TIMEOUT_MS = 10_000


class LogCheck:
    """Compares the log with positions, before the first read.

    Args:
        consumer: Reads the records that are compared; what is assigned to it changes.
        model: Named in errors.
    """

    def __init__(self, consumer: Any, kafka: KafkaSettings, model: str) -> None:
        self._consumer, self._kafka, self._model = consumer, kafka, model

    def ends(self, positions: Positions) -> dict[PartitionKey, int]:
        """Where each partition ends, if this is the log of these positions.

        Raises:
            LogDisagreesError: It is another, or has lost what comes next.
            TopicMissingError, KafkaUnavailableError: It cannot be seen.
        """
        topics = kafka_client.require(self._kafka, positions.topic_ids)
        for topic in topics.values():
            check_id(topic, positions, self._model)
        keys = [TopicPartition(*key) for key in positions.next_offsets]
        try:
            begins = self._consumer.beginning_offsets(keys, timeout_ms=_TIMEOUT_MS)
            ends = self._consumer.end_offsets(keys, timeout_ms=_TIMEOUT_MS)
        except KafkaError as error:
            raise self._unavailable(error) from error
        for key in keys:
            self._check_range(key, positions, begins[key], ends[key])
            self._check_anchor(key, positions, begins[key])
        return {tuple(key): end for key, end in ends.items()}

    def _check_range(self, key: TopicPartition, positions: Positions, begin: int, end: int) -> None:
        next_offset = positions.next_offsets[tuple(key)]
        if next_offset < begin:
            why = f"retention has deleted what comes next (the log begins at {begin})"
        elif next_offset > end:
            why = f"the log ends at {end}, before what was learned"
        else:
            return
        raise LogDisagreesError(self._model, key.topic, key.partition, next_offset, why)

    def _check_anchor(self, key: TopicPartition, positions: Positions, begin: int) -> None:
        anchor = positions.anchors.get(tuple(key))
        if anchor is None:
            return
        if anchor["offset"] < begin:
            log.warning("model %s: the anchor of %s-%d has expired", self._model, *key)
            return
        record = self._read_one(key, anchor["offset"])
        if record is None or record.offset != anchor["offset"]:
            log.warning("model %s: the anchor of %s-%d was compacted", self._model, *key)
            return
        if fingerprint(record.offset, record.value, record.timestamp) != anchor:
            why = "the record there is not the one that was learned"
            raise LogDisagreesError(self._model, key.topic, key.partition, anchor["offset"], why)

    def _read_one(self, key: TopicPartition, offset: int) -> Any:
        self._consumer.assign([key])
        self._consumer.seek(key, offset)
        try:
            polled = self._consumer.poll(timeout_ms=_TIMEOUT_MS, max_records=1)
        except OffsetOutOfRangeError:
            return None
        except KafkaError as error:
            raise self._unavailable(error) from error
        return next(iter(polled.get(key, ())), None)

    def _unavailable(self, error: KafkaError) -> KafkaUnavailableError:
        return KafkaUnavailableError(str(self._kafka.bootstrap_servers), error)


def check_id(found: kafka_client.Topic, positions: Positions, model: str) -> None:
    """See that this topic is the one that was read under its name.

    Raises:
        LogDisagreesError: It is another.
    """
    if found.topic_id == positions.topic_ids[found.name]:
        return
    topic, partition = min(key for key in positions.next_offsets if key[0] == found.name)
    why = f"the topic was deleted and recreated (id {found.topic_id})"
    offset = positions.next_offsets[topic, partition]
    raise LogDisagreesError(model, topic, partition, offset, why)
