"""CloudEvents 1.0 on Kafka, accepted and never required (Kafka protocol binding, section 3).

Binary mode keeps the event in the value and its attributes in `ce_` headers. Structured mode wraps
it in a JSON envelope, told by the content type. Of the attributes, `id` and `time` fill what the
event itself leaves out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from learner.values import Event, Reason, Refusal

_STRUCTURED = b"application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What the envelope says of the event."""

    id: str | None = None
    time: str | None = None
    is_structured: bool = False


class _Envelope(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw
    time: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def attributes(headers: Sequence[tuple[str, bytes]]) -> Attributes | None:
    """The attributes in a record's headers; None where it is no CloudEvent."""
    named = {name.lower(): value for name, value in headers}
    if named.get("content-type", b"").lower().startswith(_STRUCTURED):
        return Attributes(is_structured=True)
    if "ce_specversion" not in named:
        return None
    return Attributes(id=_text(named.get("ce_id")), time=_text(named.get("ce_time")))


def unwrap(value: bytes) -> tuple[bytes, Attributes] | Refusal:
    """The event inside a structured CloudEvent, and its attributes."""
    try:
        envelope = _decode_envelope(value)
    except msgspec.ValidationError as error:
        return Refusal(Reason.wrong_type, f"CloudEvents envelope: {error}"[:300], "decode")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(Reason.not_json, f"CloudEvents envelope: {error}"[:300], "decode")
    return bytes(envelope.data), Attributes(id=envelope.id, time=envelope.time)


def complete(event: Event, found: Attributes) -> Event:
    """`event` with the id and the time of its envelope, where it has none of its own."""
    if event.id is None:
        event.id = found.id
    if event.ts is None:
        event.ts = found.time
    return event


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
