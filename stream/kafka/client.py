"""How this program talks to Kafka: connection options, and the few admin calls it needs.

The adapter of kafka-python's young 3.0 line: its options and admin shapes are known here, in
`stream.kafka.consumer`, `stream.kafka.dead_letters` and `stream.kafka.producer`, and nowhere else.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
)
from kafka.structs import OffsetAndMetadata

from config.logs import held_back
from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, ServersAwayError, TopicMissingError

if TYPE_CHECKING:
    from config.model_file import ModelFile

log = logging.getLogger(__name__)

MIB = 1024 * 1024
# The events topic of the embedded broker takes 16 MiB; a dead letter is that and its headers.
EVENT_BYTES_MAX = 16 * MIB
DEAD_LETTER_BYTES_MAX = 17 * MIB
_PARTITION_FETCH_BYTES = EVENT_BYTES_MAX + MIB
_REQUEST_TIMEOUT_MS = 10_000
_BOOTSTRAP_TIMEOUT_MS = 5_000
_SAY_EVERY_S = 3.0
# What a broker that has just started answers of a group until its coordinator has been found, made
# and loaded: an answer, and "not yet".
NOT_YET = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)
COORDINATOR_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the cluster describes it."""

    name: str
    topic_id: str
    partitions: tuple[int, ...]


def options(kafka: KafkaSettings) -> dict[str, Any]:
    """The connection options that every client shares."""
    chosen = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": (
            kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
        ),
        "ssl_cafile": kafka.ssl_cafile,
        "ssl_certfile": kafka.ssl_certfile,
        "ssl_keyfile": kafka.ssl_keyfile,
        "ssl_check_hostname": kafka.ssl_check_hostname,
        "ssl_password": kafka.ssl_password.get_secret_value() if kafka.ssl_password else None,
        "request_timeout_ms": _REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
        # A broker that comes back is found at once rather than after the default of 30 s.
        "reconnect_backoff_max_ms": 500,
    }
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in chosen.items()
        if value is not None
    }


def reading_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Those of who reads the log from offsets of his own: committed records, whole and checked."""
    return {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "check_crcs": True,
        "allow_auto_create_topics": False,
        # Larger than the largest record a topic of ours takes, or one could wedge the reader.
        "max_partition_fetch_bytes": _PARTITION_FETCH_BYTES,
        "fetch_max_bytes": 2 * _PARTITION_FETCH_BYTES,
        **options(kafka),
    }


def admin(kafka: KafkaSettings) -> KafkaAdminClient:
    """An admin client.

    Raises:
        KafkaUnavailableError: No broker answered within 5 s.
    """
    try:
        return KafkaAdminClient(client_id="weir-admin", **options(kafka))
    except (KafkaError, OSError) as error:
        raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error


def close_producer(producer: Any, *, limit_s: float) -> None:
    """Deliver what is queued for `limit_s` at most, and end the producer.

    kafka-python's own `close` raises when its time is up, and leaves its thread behind. Here the
    futures of what was not delivered fail, which tells their owners.
    """
    try:
        producer.close(timeout=limit_s)
    except KafkaTimeoutError:
        producer._sender.force_close()  # noqa: SLF001


def wait_for_kafka(
    kafka: KafkaSettings, *, limit_s: float | None, keep_waiting: Callable[[], bool]
) -> None:
    """Wait until a broker answers, saying so every few seconds.

    Args:
        limit_s: How long; None: for ever.
        keep_waiting: Asked between two attempts.

    Raises:
        ServersAwayError: None did within `limit_s`, or we were told to stop waiting.
    """
    said = time.monotonic()
    deadline = said + (limit_s or float("inf"))
    while True:
        try:
            with held_back("kafka"):  # that it is waited for is said by us
                admin(kafka).close()
        except KafkaUnavailableError as error:
            now = time.monotonic()
            if now > deadline or not keep_waiting():
                raise ServersAwayError(str(error)) from error
            if now - said > _SAY_EVERY_S:
                said = now
                log.warning("waiting for Kafka at %s%s", kafka.bootstrap_servers, left(deadline))
            time.sleep(0.3)
        else:
            return


def left(deadline: float) -> str:
    """How long until a deadline (monotonic), to be said; nothing where there is none."""
    seconds = deadline - time.monotonic()
    return "" if seconds == float("inf") else f" ({seconds:.0f} s left)"


def describe(kafka: KafkaSettings, names: Iterable[str]) -> dict[str, Topic]:
    """The topics among `names` that exist."""
    wanted = list(names)
    with closing(admin(kafka)) as client:
        try:
            return described(client, wanted)
        except KafkaError as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error


def described(client: KafkaAdminClient, names: list[str]) -> dict[str, Topic]:
    """The topics among `names` that exist, as the broker describes them now.

    Raises:
        KafkaError: It does not answer.
    """
    found = client.describe_topics(names)
    return {
        topic["name"]: Topic(
            topic["name"],
            str(topic["topic_id"]),
            tuple(sorted(p["partition_index"] for p in topic["partitions"])),
        )
        for topic in found
        if topic["error_code"] == 0
    }


def require(kafka: KafkaSettings, names: Iterable[str]) -> dict[str, Topic]:
    """The topics, all of them.

    Raises:
        TopicMissingError: One does not exist.
    """
    wanted = list(names)
    found = describe(kafka, wanted)
    for name in wanted:
        if name not in found:
            address = str(kafka.bootstrap_servers)
            raise TopicMissingError(name, address, existing=_names(kafka))
    return found


def _names(kafka: KafkaSettings) -> list[str]:
    """Every topic but Kafka's own and those of dead letters."""
    with closing(admin(kafka)) as client:
        try:
            names = client.list_topics()
        except KafkaError as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
    return sorted(name for name in names if not name.startswith(("__", dead_letter_topic(""))))


def create_topics(kafka: KafkaSettings, model_file: "ModelFile", *, partitions: int) -> None:
    """Create the model's topics and their dead-letter topics, where they do not exist."""
    topics = model_file.topics
    sizes = {
        topics.events: EVENT_BYTES_MAX,
        topics.labels: EVENT_BYTES_MAX,
        topics.predictions: EVENT_BYTES_MAX,
        dead_letter_topic(topics.events): DEAD_LETTER_BYTES_MAX,
        dead_letter_topic(topics.labels): DEAD_LETTER_BYTES_MAX,
        dead_letter_topic(topics.predictions): DEAD_LETTER_BYTES_MAX,
    }
    existing = describe(kafka, sizes)
    missing = {
        name: {
            "num_partitions": partitions,
            "replication_factor": kafka.replication_factor,
            "configs": {"max.message.bytes": str(size)},
        }
        for name, size in sizes.items()
        if name not in existing
    }
    if not missing:
        return
    with closing(admin(kafka)) as client:
        try:
            client.create_topics(missing, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            log.info("another process created a topic of model %s first", model_file.name)
        except KafkaError as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error


def dead_letter_topic(topic: str) -> str:
    """Where the refused records of `topic` go."""
    return f"dlq.{topic}"


def group_id(model: str, shard: int = 0) -> str:
    """The group that mirrors the head's offsets, for lag tools only."""
    return f"weir.{model}.learner" if shard == 0 else f"weir.{model}.{shard}.learner"


def mirrored(kafka: KafkaSettings, model: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """What an earlier learner of this model mirrored into Kafka; empty if none did.

    Raises:
        KafkaUnavailableError: Kafka did not answer; a broker that has just started takes a few
            seconds to have a coordinator for groups, which is waited for.
    """
    deadline = time.monotonic() + COORDINATOR_LIMIT_S
    while True:
        try:
            with closing(admin(kafka)) as client:
                found = client.list_group_offsets(group_id(model))
        except NOT_YET as error:
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
            time.sleep(0.2)
        except KafkaError as error:
            raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
        else:
            break
    offsets: Mapping[TopicPartition, OffsetAndMetadata] = found.get(group_id(model), {})
    return {partition: value for partition, value in offsets.items() if value.offset >= 0}


def forget_group(kafka: KafkaSettings, model: str) -> str:
    """Have Kafka forget the model's group, for a line that was removed; what came of it, in words.

    Without that, whoever begins the model anew is refused, for it seems to have learned before.
    """
    begin = "beginning the model again needs --abandon-history"
    if kafka.bootstrap_servers is None:
        return f"not asked, no Kafka is given: {begin}"
    name = group_id(model)
    try:
        with closing(admin(kafka)) as client:
            errors = dict(client.delete_groups([name]))
    except (KafkaError, KafkaUnavailableError) as error:
        return f"not forgotten ({error}): {begin}"
    outcome = errors.get(name, "OK")  # else an error's name
    if outcome in {"OK", GroupIdNotFoundError.__name__}:
        return "forgotten, so that the model may begin again"
    return f"not forgotten ({outcome}): {begin}"
