"""Which topics a line reads, and where it begins in those that it did not read before."""

import logging
from collections.abc import Mapping, Sequence

import msgspec

from checkpoints.exporting.importer import Beginning
from config.model.late_labels import answers_are_events
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.events.decode import Decode, answer_decoder, label_decoder
from stream.between.positions import Positions
from stream.errors import TopicLostError
from stream.kafka import client as kafka_client
from stream.kafka.consumer import disagreement, first_offsets
from stream.kafka.group_mirror import highest_mirrored

log = logging.getLogger(__name__)


def topics_to_read(kafka: KafkaSettings, model_file: ModelFile) -> list[str]:
    """The events topic; the labels topic, if it is another: the model file asks for it by
    `late_labels`, or it is there; and the predictions topic: answers of the API wait for labels, or
    it is there and they are scored.

    Raises:
        TopicMissingError: One that the model needs does not exist, or its dead letters have none.
    """
    events, labels = model_file.topics.events, model_file.topics.labels
    needed = [events]
    if labels != events and (model_file.late_labels is not None or _is_there(kafka, labels)):
        needed.append(labels)
    answers = model_file.topics.predictions
    if answers_are_events(model_file.late_labels) or (
        model_file.scores_answers and _is_there(kafka, answers)
    ):
        needed.append(answers)
    letters = [kafka_client.dead_letter_topic(topic) for topic in needed]
    kafka_client.require(kafka, [*needed, *letters])
    return needed


def _is_there(kafka: KafkaSettings, topic: str) -> bool:
    return bool(kafka_client.describe(kafka, [topic]))


def answers_beside(model_file: ModelFile) -> str | None:
    """The topic of answers that are no events: they are scored as they come, waiting for nobody."""
    late = model_file.late_labels
    return None if answers_are_events(late) else model_file.topics.predictions


def labels_topic(model_file: ModelFile, positions: Positions) -> str | None:
    """The topic of labels alone, if the line reads one."""
    topics = model_file.topics
    is_read = topics.labels != topics.events and topics.labels in positions.topic_ids
    return topics.labels if is_read else None


def other_decoders(model_file: ModelFile, labels: str | None) -> Mapping[str, Decode]:
    """What decodes the records of each topic whose records are not events; `labels` names that of
    labels alone.
    """
    are_events = answers_are_events(model_file.late_labels)
    others = {model_file.topics.predictions: answer_decoder(model_file, are_events=are_events)}
    if labels is not None:
        others[labels] = label_decoder(model_file)
    return others


def losable(model_file: ModelFile) -> frozenset[str]:
    """Topics that may be made anew, or lose records, without an end of learning: that of labels
    alone, which may be sent again, and that of answers that are only scored. What an event was, no
    later record tells.
    """
    apart = {model_file.topics.labels, answers_beside(model_file)} - {model_file.topics.events}
    return frozenset(topic for topic in apart if topic is not None)


def lose_what_is_lost(
    positions: Positions, kafka: KafkaSettings, model_file: ModelFile
) -> list[TopicLostError]:
    """Topics whose log is not the one of these positions, and may be another; these are read no
    more until they are begun anew.

    Raises:
        TopicMissingError: There are none of the labels at all.
    """
    found = []
    for topic in sorted(losable(model_file) & positions.topic_ids.keys()):
        if topic == answers_beside(model_file) and not _is_there(kafka, topic):
            why: str | None = "it was deleted"
        else:
            why = disagreement(kafka, model_file.name, positions.of(topic))
        if why is not None:
            positions.lose(topic)
            found.append(TopicLostError(model_file.name, topic, why))
    return found


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
