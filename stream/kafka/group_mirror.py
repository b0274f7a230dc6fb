"""Mirrors the head into Kafka's group offsets: for lag tools, and as a second witness.

Offsets are never read back to go on from. Their existence tells a store that was emptied from a
model that is new, and their metadata holds the highest version number used, so that a store that
lost its last commits cannot give a number twice.
"""

import json
import logging
import threading
import time
from contextlib import closing
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from checkpoints.records.manifest import Manifest
from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError
from stream.kafka import client as kafka_client

log = logging.getLogger(__name__)

_EVERY_S = 2.0
_JOIN_S = 3.0


class GroupMirror(threading.Thread):
    """Writes the newest head it was shown, every two seconds and once at the end."""

    def __init__(self, kafka: KafkaSettings, model: str) -> None:
        super().__init__(name=f"mirror-{model}", daemon=True)
        self._kafka, self._model = kafka, model
        self._ended = threading.Event()
        self._manifest: Manifest | None = None
        self._written: int | None = None
        self._not_yet_since: float | None = None

    def show(self, manifest: Manifest) -> None:
        """The head is now this; it is mirrored soon."""
        self._manifest = manifest

    def run(self) -> None:
        """Write until `end`."""
        is_over = False
        while not is_over:
            is_over = self._ended.wait(_EVERY_S)
            manifest = self._manifest
            if manifest is not None and manifest.number != self._written:
                self._try(manifest)

    def _try(self, manifest: Manifest) -> None:
        try:
            self._write(manifest)
        except kafka_client.NOT_YET as error:
            now = time.monotonic()
            self._not_yet_since = self._not_yet_since or now
            waited_s = now - self._not_yet_since
            if waited_s > kafka_client.COORDINATOR_LIMIT_S:
                log.warning("model %s: offsets not mirrored: Kafka has no coordinator for the "
                            "group, for %.0f s: %s", self._model, waited_s, error)  # fmt: skip
        except (KafkaUnavailableError, KafkaError) as error:
            log.warning("model %s: offsets not mirrored: %s", self._model, error)
        else:
            self._not_yet_since = None

    def end(self) -> None:
        """Write the last head and stop; gives up after three seconds."""
        self._ended.set()
        self.join(timeout=_JOIN_S)

    def _write(self, manifest: Manifest) -> None:
        metadata = json.dumps({"version": manifest.number})
        offsets = {
            TopicPartition(topic, int(partition)): OffsetAndMetadata(offset, metadata, -1)
            for topic, partitions in manifest.offsets.items()
            for partition, offset in partitions.items()
        }
        with closing(kafka_client.admin(self._kafka)) as client:
            group = kafka_client.group_id(self._model)
            for error in client.alter_group_offsets(group, offsets).values():
                if error is not NoError:
                    raise error
        self._written = manifest.number


def highest_mirrored(kafka: KafkaSettings, model: str) -> int:
    """The highest version number that Kafka's group remembers; 0 if none, -1 if it has offsets
    but no number.
    """
    numbers = [_number(each) for each in kafka_client.mirrored(kafka, model).values()]
    return max(numbers, default=0)


def _number(mirrored: Any) -> int:
    try:
        return int(json.loads(mirrored.metadata)["version"])
    except (ValueError, TypeError, KeyError):
        return -1
