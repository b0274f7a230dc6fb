"""From the bytes of a record to an event, or to the reason why it is none.

Pure and total: whatever the bytes, the answer is an `Event` or a `Refusal`. The fast path is one
typed decode. What that refuses is read again, slowly, by `why_malformed`, only to say why. Kafka's
door and HTTP's decode by the same function, so an event that one takes the other takes, too.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from config.model_file import ModelFile
from learner.events import cloudevents
from learner.events.times import is_rfc3339
from learner.events.why_malformed import Malformed, null_character, why_malformed
from learner.values import Event, Features, Reason, Refusal, Scalar, Served
from learner.vw.text import parse_line

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
Decode: TypeAlias = Callable[[bytes | None, Headers], Event | Refusal]

_TOMBSTONE = Refusal(Reason.tombstone, "the record has no value", "decode")

# Made anew by each process, so that no record can hold it.
_NO_NAME = f"text-{uuid.uuid4()}"
_NO_NAME_EITHER = f"served-{uuid.uuid4()}"
FIELDS = ("id", "ts", "features", "label", "weight", "key")
# What an event's reasons call the mistakes that have no name there.
_REASONS = {"missing_field": Reason.wrong_type, "bad_value": Reason.wrong_type}
_DETAIL_MAX = 300  # characters
# Top level, features, one nested object: levels of brackets that `limits.depth` 2 admits.
_LEVELS_ABOVE_FEATURES = 1


class AnswerRecord(msgspec.Struct, kw_only=True):
    """Of the log of predictions: what an event is made of."""

    prediction_id: str
    features: Features
    prediction: Scalar = None
    probabilities: dict[str, float | None] | None = None


class ServedRecord(msgspec.Struct, kw_only=True):
    """Of the log of predictions: what the served scores are made of."""

    prediction_id: str
    prediction: Scalar = None
    probabilities: dict[str, float | None] | None = None


class EventRecord(Event, forbid_unknown_fields=True):
    """An event as JSON. What is no field of it has a name there that nobody knows."""

    text: str | None = msgspec.field(default=None, name=_NO_NAME)
    served: Served | None = msgspec.field(default=None, name=_NO_NAME_EITHER)


def decoder(model_file: ModelFile) -> Decode:
    """The decoder for a model's events topic.

    Returns:
        A function of a record's value and headers. It never raises.
    """
    if model_file.topics.format == "vw":
        return _vw_decoder(model_file)
    return _json_decoder(model_file, _label_alone)


def label_decoder(model_file: ModelFile) -> Decode:
    """The decoder for a model's labels topic, which is JSON whatever the events are.

    Returns:
        As `decoder`; a record with features is refused.
    """
    decode_event = _json_decoder(model_file, _label_of_its_topic)

    def decode(value: bytes | None, headers: Headers = ()) -> Event | Refusal:
        event = decode_event(value, headers)
        if isinstance(event, Event) and event.features is not None:
            what = "a label on its own has none: an event with both belongs to the events topic"
            return _refusal(Malformed("unknown_field", ("features",), what))
        return event

    return decode


def answer_decoder(model_file: ModelFile, *, are_events: bool) -> Decode:
    """The decoder for a model's predictions topic.

    Args:
        are_events: Each answer is an event under its id, and refused if it was logged without its
            features; else they are left out.

    Returns:
        As `decoder`.
    """
    record_limit, levels = model_file.limits.record, model_file.limits.depth + 1
    kind: type[AnswerRecord | ServedRecord] = AnswerRecord if are_events else ServedRecord
    decode_answer, names = msgspec.json.Decoder(kind).decode, kind.__struct_fields__

    def decode(value: bytes | None, headers: Headers = ()) -> Event | Refusal:
        del headers
        if value is None:
            return _TOMBSTONE
        if len(value) > record_limit:
            return too_large(len(value), record_limit)
        try:
            answer = decode_answer(value)
        except (ValueError, RecursionError) as error:
            return _refusal(why_malformed(value, error, depth_max=levels, fields=names))
        return Event(
            features=answer.features if isinstance(answer, AnswerRecord) else None,
            id=answer.prediction_id,
            served=(answer.prediction, answer.probabilities),
        )

    return decode


def too_large(size: int, limit: int) -> Refusal:
    """The refusal of a record over `limits.record`."""
    detail = f"{size} bytes, limits.record is {limit}"
    return Refusal(Reason.too_large, detail, "decode")


def _json_decoder(model_file: ModelFile, lone: Callable[[Event], Refusal | None]) -> Decode:
    """Decodes events; what is wrong with one without features is asked of `lone`."""
    record_limit = model_file.limits.record
    levels = model_file.limits.depth + _LEVELS_ABOVE_FEATURES
    decode_event = msgspec.json.Decoder(EventRecord).decode

    def decode(value: bytes | None, headers: Headers = ()) -> Event | Refusal:
        if value is None:
            return _TOMBSTONE
        if len(value) > record_limit:
            return too_large(len(value), record_limit)
        envelope = cloudevents.attributes(headers) if headers else None
        if envelope is not None and envelope.is_structured:
            unwrapped = cloudevents.unwrap(value, depth_max=levels + 1)
            if isinstance(unwrapped, Malformed):
                return _refusal(unwrapped, "CloudEvents envelope: ")
            value, envelope = unwrapped
        try:
            event = decode_event(value)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            return _refusal(why_malformed(value, error, depth_max=levels, fields=FIELDS))
        if envelope is not None:
            cloudevents.complete(event, envelope)
        # An escaped null is rare enough that the mere bytes send the record the slow way.
        if b"\\u0000" in value or event.features is None or event.ts is not None:
            refusal = _look_closer(value, event, lone)
            if refusal is not None:
                return refusal
        return event

    return decode


def _look_closer(
    value: bytes, event: Event, lone: Callable[[Event], Refusal | None]
) -> Refusal | None:
    """The checks that most records do not need."""
    if b"\\u0000" in value:
        mistake = null_character(value)
        if mistake is not None:
            return _refusal(mistake)
    refusal = lone(event) if event.features is None else None
    if refusal is not None:
        return refusal
    if isinstance(event.ts, str) and not is_rfc3339(event.ts):
        what = f"{event.ts[:40]!r} is no RFC 3339 time with its offset"
        return _refusal(Malformed("wrong_type", ("ts",), what))
    return None


def _label_of_its_topic(event: Event) -> Refusal | None:
    """What a record of the labels topic needs, where an event is not expected."""
    for name, given in (("id", event.id), ("label", event.label)):
        if given is None:
            what = "it is missing or null: a label on its own names its event, and is given"
            return _refusal(Malformed("missing_field", (name,), what))
    return _label_alone(event)


def _label_alone(event: Event) -> Refusal | None:
    """What a label that came later needs, which is all that it may have."""
    if event.label is None or event.id is None:
        return _refusal(Malformed("missing_field", ("features",), "it is missing or null"))
    if event.weight is not None:
        what = "a label on its own has no weight: that is the event's"
        return _refusal(Malformed("unknown_field", ("weight",), what))
    return None


def _refusal(mistake: Malformed, prefix: str = "") -> Refusal:
    reason = _REASONS.get(mistake.code) or Reason(mistake.code)
    return Refusal(reason, f"{prefix}{mistake.detail}"[:_DETAIL_MAX], "decode", mistake.path)


def _vw_decoder(model_file: ModelFile) -> Decode:
    limits = model_file.limits

    def decode(value: bytes | None, headers: Headers = ()) -> Event | Refusal:
        del headers  # a line of text is no CloudEvent
        if value is None:
            return _TOMBSTONE
        if len(value) > limits.record:
            return too_large(len(value), limits.record)
        try:
            line = parse_line(value.decode("utf-8"), limits)
        except UnicodeDecodeError as error:
            return Refusal(Reason.wrong_type, f"not UTF-8: {error}", "decode")
        if isinstance(line, Refusal):
            return line
        return Event(text=line.text, label=line.label, weight=line.weight, id=line.tag)

    return decode
