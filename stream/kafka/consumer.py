"""The Kafka source: every partition of the events topic, assigned by hand, from offsets we hold.

Kafka's group is never asked where to start. An offset that the log no longer has raises instead of
being reset in silence, and an anchor tells a recreated topic from the one that was learned from.
"""

import logging
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from kafka.protocol.consumer.offsets import IsolationLevel

from config.settings import KafkaSettings
from stream.between.positions import PartitionKey, Positions
from stream.errors import (
    KafkaUnavailableError,
    LogDisagreesError,
    TopicMissingError,
    UnreadableLogError,
)
from stream.kafka import client as kafka_client
from stream.kafka.batches import fast_records
from stream.kafka.fetching import Fetching
from stream.kafka.log_check import LogCheck, check_id

log = logging.getLogger(__name__)

_POLL_RECORDS = 2_000
_WAITING_TIMEOUT_MS = 1_000

Batch = tuple[str, int, list[Any]]


class KafkaSource:
    """Reads the records of a model's topics in order, partition by partition.

    Args:
        kafka: Where the brokers are.
        model: Named in errors.
        positions: Where to begin; not changed here.
        fetch_wait_ms: As `stream.kafka.fetching` has it.

    Attributes:
        fetching: How it fetches.
    """

    def __init__(
        self, kafka: KafkaSettings, model: str, positions: Positions, *, fetch_wait_ms: int = 20
    ) -> None:
        self._kafka, self._model = kafka, model
        self._address = str(kafka.bootstrap_servers)
        self._consumer = _consumer(kafka, model)
        fast_records.use_in(self._consumer)
        self.fetching = Fetching(self._consumer, fetch_wait_ms)
        self._admin: Any = None
        self._ends: dict[PartitionKey, int] = {}
        try:
            self._admin = kafka_client.admin(kafka)
            self._ends = LogCheck(self._consumer, kafka, model).ends(positions)
            self._assign(positions)
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_ms: int) -> list[Batch]:
        """The next records: `(topic, partition, records)`, each list in offset order.

        Raises:
            LogDisagreesError: The log lost the offsets that come next.
            KafkaUnavailableError: Anything else that kafka-python raises: close this source and
                restore the head.
        """
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise self._lost(error) from error
        except (CorruptRecordError, UnsupportedCodecError) as error:
            raise UnreadableLogError(self._model, self._standing(), error) from error
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error
        return [(p.topic, p.partition, records) for p, records in polled.items()]

    def has_new_partitions(self, positions: Positions) -> bool:
        """Whether partitions were added to the topics since, as far as the last metadata tell."""
        return bool(self._added(positions))

    def new_partitions(self, positions: Positions) -> list[PartitionKey]:
        """Partitions that were added, begun at their first record; all others go on from
        `positions`.
        """
        found = self._added(positions)
        for key in found:
            positions.add_partition(key, 0)
            log.info("model %s: topic %s has a new partition %d", self._model, *key)
        if found:
            self._assign(positions)
        return found

    def _added(self, positions: Positions) -> list[PartitionKey]:
        try:
            return [
                (topic, partition)
                for topic in positions.topic_ids
                for partition in sorted(self._consumer.partitions_for_topic(topic) or ())
                if (topic, partition) not in positions.next_offsets
            ]
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error

    def lag(
        self, next_offsets: Mapping[PartitionKey, int], *, behind: bool
    ) -> dict[PartitionKey, int] | None:
        """Records still to be taken of each partition, as far as the last fetch knows.

        Before the first fetch, as the broker had it when this source was made. None: of a
        partition that was added since, nothing is known yet.

        Args:
            next_offsets: The first record of each partition that is not yet taken.
            behind: Whether records that were read are still to be taken.
        """
        lag = {}
        for key, position in (next_offsets if behind else self.positions(next_offsets)).items():
            highwater = self._consumer.highwater(TopicPartition(*key))
            end = self._ends.get(key) if highwater is None else highwater
            if end is None:
                return None
            lag[key] = max(0, end - position)
        return lag

    def positions(self, next_offsets: Mapping[PartitionKey, int]) -> dict[PartitionKey, int]:
        """Where the consumer stands when all that it returned is taken: behind the last record, or
        behind what it passes over, such as the marks of transactions.
        """
        return {key: max(self.position(key), at) for key, at in next_offsets.items()}

    def has_more(self, topic: str) -> bool:
        """Whether a topic has committed records that were not read yet.

        The last fetch may tell of more than may be read, while a transaction is open: then the
        broker is asked.

        Raises:
            KafkaUnavailableError: It does not say.
        """
        keys = [(p.topic, p.partition) for p in self._consumer.assignment() if p.topic == topic]
        if all(self.position(key) >= self._end(key) for key in keys):
            return False
        return any(self.position(key) < end for key, end in self.ends(keys).items())

    def _end(self, key: PartitionKey) -> int:
        highwater: int | None = self._consumer.highwater(TopicPartition(*key))
        return self._ends.get(key, 0) if highwater is None else highwater

    def ends(self, keys: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Where these partitions end now.

        Raises:
            KafkaUnavailableError: The broker does not say.
        """
        wanted = dict.fromkeys(keys, 0)
        found = self.waiting(wanted)
        if found is None:
            raise KafkaUnavailableError(self._address, "where the events end is not known")
        return found

    def position(self, key: PartitionKey) -> int:
        """Up to where a partition was read.

        Raises:
            LogDisagreesError: The log lost what comes next; a broker's new leader tells it here.
            KafkaUnavailableError: Anything else that kafka-python raises.
        """
        try:
            found: int = self._consumer.position(TopicPartition(*key)) or 0
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise self._lost(error) from error
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error
        return found

    def hold(self, keys: Set[PartitionKey]) -> None:
        """Read no more of these partitions for now, and of all others again."""
        held = {(each.topic, each.partition) for each in self._consumer.paused()}
        self._consumer.pause(*(TopicPartition(*key) for key in keys - held))
        self._consumer.resume(*(TopicPartition(*key) for key in held - keys))

    def waiting(self, next_offsets: Mapping[PartitionKey, int]) -> dict[PartitionKey, int] | None:
        """Records from these offsets on, asked from the broker while nothing is fetched.

        None: the broker does not say. Whoever fetches nothing needs it for nothing else.
        """
        partitions = [TopicPartition(*key) for key in next_offsets]
        try:
            # Not by the consumer: a fetch that waits would hold the answer up.
            found = self._admin.list_partition_offsets(
                dict.fromkeys(partitions, OffsetSpec.LATEST),
                isolation_level=IsolationLevel.READ_COMMITTED,
                timeout_ms=_WAITING_TIMEOUT_MS,
            )
        except KafkaError as error:
            log.warning("model %s: how much waits is not known: %s", self._model, error)
            return None
        return {tuple(p): max(0, each.offset - next_offsets[tuple(p)]) for p, each in found.items()}

    def check_topics(self, positions: Positions) -> None:
        """Make sure that what was read came from the topics it was meant to come from.

        A topic deleted and recreated under a running consumer may go on as if nothing had happened.
        Ids are never used again, so ids that are right now were right for every record before.

        Raises:
            LogDisagreesError: Another topic has the name now.
            TopicMissingError: The topic is gone, or a broker that has just started does not show
                it yet.
            KafkaUnavailableError: The broker does not answer.
        """
        names = list(positions.topic_ids)
        try:
            found = kafka_client.described(self._admin, names)
        except KafkaError as error:
            raise KafkaUnavailableError(self._address, error) from error
        for name in names:
            if name not in found:
                raise TopicMissingError(name, self._address)
            check_id(found[name], positions, self._model)

    def close(self) -> None:
        """Close the consumer; what it still held is read again by the next one."""
        if self._admin is not None:
            with suppress(KafkaError):
                self._admin.close()
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=2_000)
        self.fetching.close()

    def _standing(self) -> str:
        """Where each partition stands."""
        partitions = sorted(self._consumer.assignment())
        return ", ".join(
            f"{p.topic}-{p.partition}-{self._consumer.position(p)}" for p in partitions
        )

    def _assign(self, positions: Positions) -> None:
        partitions = [TopicPartition(*key) for key in positions.next_offsets]
        self._consumer.assign(partitions)
        for partition in partitions:
            self._consumer.seek(partition, positions.next_offsets[tuple(partition)])

    def _lost(self, error: Exception) -> LogDisagreesError:
        told = error.args[0] if error.args else None
        partitions = getattr(error, "divergent_offsets", told)  # where a leader's log is shorter
        first = next(iter(partitions)) if isinstance(partitions, Mapping) and partitions else None
        where = (
            first if isinstance(first, TopicPartition) else next(iter(self._consumer.assignment()))
        )
        offset = 0
        with suppress(KafkaError):  # it may be what could not be told
            offset = self._consumer.position(where) or 0
        why = f"the log no longer has this offset ({type(error).__name__})"
        return LogDisagreesError(self._model, where.topic, where.partition, offset, why)


def disagreement(kafka: KafkaSettings, model: str, positions: Positions) -> str | None:
    """Why this is not the log of these positions; None where it is.

    Raises:
        TopicMissingError, KafkaUnavailableError: It cannot be seen.
    """
    consumer = _consumer(kafka, model)
    try:
        LogCheck(consumer, kafka, model).ends(positions)
    except LogDisagreesError as error:
        return error.why
    finally:
        consumer.close(autocommit=False)
    return None


def first_offsets(
    kafka: KafkaSettings, model: str, topic: str, start: str | int
) -> tuple[kafka_client.Topic, dict[PartitionKey, int]]:
    """Where a new model begins in each partition.

    Args:
        start: "earliest", "latest", or a time in milliseconds since the epoch: the first record
            at or after it.
    """
    found = kafka_client.require(kafka, [topic])[topic]
    partitions = [TopicPartition(topic, p) for p in found.partitions]
    consumer = _consumer(kafka, model)
    try:
        begins = consumer.beginning_offsets(partitions)
        ends = consumer.end_offsets(partitions)
        if start == "earliest":
            chosen = begins
        elif start == "latest":
            chosen = ends
        else:
            times = consumer.offsets_for_times(dict.fromkeys(partitions, int(start)))
            chosen = {p: times[p].offset if times.get(p) else ends[p] for p in partitions}
    except KafkaError as error:
        raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
    finally:
        consumer.close(autocommit=False)
    return found, {(p.topic, p.partition): offset for p, offset in chosen.items()}


def _consumer(kafka: KafkaSettings, model: str) -> Any:
    try:
        return KafkaConsumer(
            client_id=f"weir-learner-{model}",
            max_poll_records=_POLL_RECORDS,
            fetch_max_wait_ms=100,  # at first: see `stream.kafka.fetching`
            metadata_max_age_ms=5_000,
            **kafka_client.reading_options(kafka),
        )
    except (KafkaError, OSError) as error:
        raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
