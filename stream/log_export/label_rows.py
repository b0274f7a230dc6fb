"""From a record of the events or the labels topic to the label that it has for an id."""

from collections.abc import Callable
from typing import Any

import msgspec

from config.model_file import ModelFile
from learner.events.decode import Decode, decoder, label_decoder
from learner.tasks import TASKS
from learner.values import Event, Refusal
from stream.log_export.answer_rows import Row


def label_reader(model_file: ModelFile) -> Callable[[Any], Row | None]:
    """What makes a row of a record; None where it has no id, or no label that would be learned.

    The label is written as an answer of the model writes it, so that the two can be compared:
    where `true` is predicted, 1 is `true`.
    """
    topics = model_file.topics
    decoders: dict[str, Decode] = {
        topics.labels: label_decoder(model_file),
        topics.events: decoder(model_file),  # the one, where both have one topic
    }
    labels = TASKS[model_file.task].labels(model_file)

    def row_of(record: Any) -> Row | None:
        event = decoders[record.topic](record.value, record.headers)
        if not isinstance(event, Event) or event.id is None or event.label is None:
            return None
        native = labels.native(event.label)
        if isinstance(native, Refusal):
            return None
        return {
            "id": event.id,
            "label": _text(labels.answer((native, None))[0]),
            "label_at": record.timestamp,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
        }

    return row_of


def _text(label: Any) -> str:
    """Its JSON text, without quotes."""
    return label if isinstance(label, str) else msgspec.json.encode(label).decode()
