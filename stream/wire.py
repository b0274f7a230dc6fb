"""From the bytes of a record to an event, or to the reason why it is none.

Pure and total: whatever the bytes, the answer is an `Event` or a `Refusal`. The fast path is one
typed decode. What that refuses is read again, slowly, by `stream.malformed`, only to say why.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from config.model_file import ModelFile
from learner.values import Event, Reason, Refusal
from learner.vw_text import parse_line
from stream import cloudevents
from stream.malformed import why_refused

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
Decode: TypeAlias = Callable[[bytes | None, Headers], Event | Refusal]

_TOMBSTONE = Refusal(Reason.tombstone, "the record has no value", "decode")

# Made anew by each process, so that no record can hold it.
_NO_NAME = f"text-{uuid.uuid4()}"
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


class EventRecord(Event, forbid_unknown_fields=True):
    """An event as JSON. `text` is no field of it: its name there is one that nobody knows."""

    text: str | None = msgspec.field(default=None, name=_NO_NAME)


def decoder(model_file: ModelFile) -> Decode:
    """The decoder for a model's events topic.

    Returns:
        A function of a record's value and headers. It never raises.
    """
    if model_file.topics.format == "vw":
        return _vw_decoder(model_file)
    return _json_decoder(model_file)


def too_large(size: int, limit: int) -> Refusal:
    """The refusal of a record over `limits.record`."""
    detail = f"{size} bytes, limits.record is {limit}"
    return Refusal(Reason.too_large, detail, "decode")


def _json_decoder(model_file: ModelFile) -> Decode:
    record_limit, depth_limit = model_file.limits.record, model_file.limits.depth
    decode_event = msgspec.json.Decoder(EventRecord).decode

    def decode(value: bytes | None, headers: Headers = ()) -> Event | Refusal:
        if value is None:
            return _TOMBSTONE
        if len(value) > record_limit:
            return too_large(len(value), record_limit)
        envelope = cloudevents.attributes(headers) if headers else None
        if envelope is not None and envelope.is_structured:
            unwrapped = cloudevents.unwrap(value, depth_limit=depth_limit)
            if isinstance(unwrapped, Refusal):
                return unwrapped
            value, envelope = unwrapped
        try:
            event = decode_event(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            return why_refused(value, depth_limit=depth_limit, error=error)
        if envelope is not None:
            cloudevents.complete(event, envelope)
        # An escaped null is rare enough that the mere bytes send the record the slow way.
        if b"\\u0000" in value or event.features is None or event.ts is not None:
            refusal = _look_closer(value, event, depth_limit)
            if refusal is not None:
                return refusal
        return event

    return decode


def _look_closer(value: bytes, event: Event, depth_limit: int) -> Refusal | None:
    """The checks that most records do not need."""
    if b"\\u0000" in value:
        refusal = why_refused(value, depth_limit=depth_limit, error=None)
        if refusal.reason is Reason.null_byte:
            return refusal
    if event.features is None:
        if event.label is not None and event.id is not None:
            detail = f"a label record (id {event.id!r}): labels that come late are not joined yet"
            return Refusal(Reason.missing_label, detail, "decode")
        return Refusal(Reason.wrong_type, "features is missing or null", "decode")
    if isinstance(event.ts, str) and not _is_rfc3339(event.ts):
        return Refusal(Reason.wrong_type, f"ts is not RFC 3339: {event.ts[:40]!r}", "decode")
    return None


def _is_rfc3339(text: str) -> bool:
    if _RFC_3339.fullmatch(text) is None:
        return False
    try:
        # A leap second is a time; Python knows none.
        datetime.fromisoformat(text.upper().replace(":60", ":59"))
    except ValueError:
        return False
    return True


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
