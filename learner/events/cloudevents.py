"""CloudEvents 1.0 on Kafka, accepted and never required (Kafka protocol binding, section 3).

Binary mode keeps the event in the value and its attributes in `ce_` headers. Structured mode wraps
it in a JSON envelope, told by the content type. Of the attributes, `id` and `time` fill what the
event itself leaves out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from learner.events.why_malformed import Malformed, why_malformed
from learner.values import Event

_SOURCE_HEADER = "weir-source"
_STRUCTURED = b"application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What the envelope says of the event."""

    id: str | None = None
    time: str | None = None
    is_structured: bool = False


class _CloudEvent(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw
    time: str | None = None


_decode_envelope = msgspec.json.Decoder(_CloudEvent).decode


def attributes(headers: Sequence[tuple[str, bytes | None]]) -> Attributes | None:
    """The attributes in a record's headers, whose values may be null; None: no CloudEvent."""
    named = {name.lower(): value for name, value in headers}
    if (named.get("content-type") or b"").lower().startswith(_STRUCTURED):
        return Attributes(is_structured=True)
    if "ce_specversion" not in named:
        return None
    return Attributes(id=_text(named.get("ce_id")), time=_text(named.get("ce_time")))


def source_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Where a record comes from: CloudEvents' `source`, else the header `weir-source`.

    >>> source_of(b"{}", [("weir-source", b"till-3")])
    'till-3'
    """
    named = {name.lower(): content for name, content in headers}
    own = _text(named.get(_SOURCE_HEADER))
    found = attributes(headers)
    if found is None:
        return own
    if not found.is_structured:
        return _text(named.get("ce_source")) or own
    try:
        return _decode_envelope(value or b"").source
    except (ValueError, RecursionError):
        return own  # it is refused as an event, and may be told by its header all the same


def unwrap(value: bytes, *, depth_max: int) -> tuple[bytes, Attributes] | Malformed:
    """The event inside a structured CloudEvent, and its attributes.

    Args:
        value: The record's bytes.
        depth_max: Levels of brackets that are admitted; the envelope is one of them.
    """
    try:
        envelope = _decode_envelope(value)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        fields = _CloudEvent.__struct_fields__
        return why_malformed(value, error, depth_max=depth_max, fields=fields)
    return bytes(envelope.data), Attributes(id=envelope.id, time=envelope.time)


def complete(event: Event, found: Attributes) -> None:
    """Give `event` the id and the time of its envelope, where it has none of its own."""
    if event.id is None:
        event.id = found.id
    if event.ts is None:
        event.ts = found.time


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
