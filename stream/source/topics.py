"""Which topics a line reads, and where it begins in those that it did not read before."""

import logging
from collections.abc import Mapping, Sequence

import msgspec

from checkpoints.exporting.importer import Beginning
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.events.decode import Decode, answer_decoder, label_decoder
from stream.between.positions import Positions
from stream.kafka import client as kafka_client
from stream.kafka.consumer import first_offsets
from stream.kafka.group_mirror import highest_mirrored

log = logging.getLogger(__name__)


def topics_to_read(kafka: KafkaSettings, model_file: ModelFile) -> list[str]:
    """The events topic; the labels topic, if it is another: the model file asks for it by
    `late_labels`, or it is there; and the predictions topic, if answers of the API wait for labels.

    Raises:
        TopicMissingError: One that the model needs does not exist, or its dead letters have none.
    """
    events, labels = model_file.topics.events, model_file.topics.labels
    needed = [events]
    if labels != events and (
        model_file.late_labels is not None or kafka_client.describe(kafka, [labels])
    ):
        needed.append(labels)
    if takes_answers(model_file):
        needed.append(model_file.topics.predictions)
    letters = [kafka_client.dead_letter_topic(topic) for topic in needed]
    kafka_client.require(kafka, [*needed, *letters])
    return needed


def takes_answers(model_file: ModelFile) -> bool:
    """Whether an answer of the API is an event that waits for its label."""
    late = model_file.late_labels
    return late is not None and late.features != "events"


def labels_topic(model_file: ModelFile, positions: Positions) -> str | None:
    """The topic of labels alone, if the line reads one."""
    topics = model_file.topics
    is_read = topics.labels != topics.events and topics.labels in positions.topic_ids
    return topics.labels if is_read else None


def other_decoders(model_file: ModelFile, labels: str | None) -> Mapping[str, Decode]:
    """What decodes the records of each topic whose records are not events; `labels` names that of
    labels alone.
    """
    others = {} if labels is None else {labels: label_decoder(model_file)}
    if takes_answers(model_file):
        others[model_file.topics.predictions] = answer_decoder(model_file)
    return others


def begun(
    positions: Positions,
    kafka: KafkaSettings,
    model: str,
    topics: Sequence[str],
    start: str | int,
) -> Positions:
    """The positions with those of topics that are read for the first time.

    Args:
        start: As `first_offsets` has it.
    """
    for name in topics:
        if name in positions.topic_ids:
            continue
        topic, firsts = first_offsets(kafka, model, name, start)
        positions.topic_ids[name] = topic.topic_id
        for key, first in firsts.items():
            positions.add_partition(key, first)
        log.info("model %s: reads %s from %s on", model, name, dict(firsts))
    return positions


def beginning(kafka: KafkaSettings, model_file: ModelFile, start: str | int) -> Beginning:
    """Where a line begins whose first version is imported: in each topic that it is to read.

    Args:
        start: As `first_offsets` has it.

    Raises:
        TopicMissingError: A topic that the model needs does not exist.
        KafkaUnavailableError: Kafka does not say.
    """
    nowhere = Positions(topic_ids={}, begins={}, next_offsets={})
    name = model_file.name
    found = begun(nowhere, kafka, name, topics_to_read(kafka, model_file), start)
    return Beginning(
        offsets=found.begins_json(),
        topic_ids=found.topic_ids,
        highest=max(0, highest_mirrored(kafka, name)),
        model_file=msgspec.json.decode(msgspec.json.encode(model_file.sections())),
    )
