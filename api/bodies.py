"""Request bodies: typed, decoded from the raw bytes, and refused with the field named.

Events are decoded by the learner's own decoder, so that none is answered 202 and then refused for
its form.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from api.problem import Problem
from learner.events.decode import Decode
from learner.events.why_malformed import Mistake, Path, json_pointer, null_character, why_malformed
from learner.values import Event, Features, Label, Refusal

T = TypeVar("T", bound=msgspec.Struct)

DEPTH_MAX = 16  # levels of brackets; the deepest right body has five


class PredictBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One question in `features`, or several in `instances`.

    `id` comes back as `prediction_id`; without it a new one is made.
    """

    features: Features | UnsetType = UNSET
    instances: list[Features] | UnsetType = UNSET
    id: str | None = None
    key: str | None = None


class EventBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One event of CONTRACT.md. `ts` is RFC 3339, or seconds since the epoch."""

    features: Features
    label: Label | None = None
    id: str | None = None
    ts: str | int | float | None = None
    weight: int | float | None = None
    key: str | None = None


class EventsBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Several events, published in this order."""

    events: list[EventBody]


Reason = Annotated[str, Meta(min_length=1, max_length=1000)]
VersionName = Annotated[str, Meta(max_length=64)]


class CommandBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An operator's command. `reason` goes to the audit; `expect` refuses the command when
    another has changed the model since that version."""

    reason: Reason
    to: VersionName | None = None
    mode: str | None = None
    skip: tuple[str, ...] = ()
    tag: str | None = None
    expect: VersionName | None = None
    dry_run: bool = False


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """A function from a body's bytes to `kind`.

    It raises Problem (400 where it is no JSON, else 422) with a pointer to the field.

    >>> decoder(PredictBody)(b'{"features": {"a": 1, "b": 0.5}}').features
    {'a': 1, 'b': 0.5}
    >>> decoder(PredictBody)(b'{"features": {"a": 1, "b": [0.5]}}')
    Traceback (most recent call last):
    api.problem.Problem: /features/b: Expected `bool | int | float | str | object | null`, \
got `array`
    """
    decode = msgspec.json.Decoder(kind).decode
    names = kind.__struct_fields__

    def read(body: bytes) -> T:
        try:
            value = decode(body)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            mistake = why_malformed(body, error, depth_max=DEPTH_MAX, fields=names)
            raise _problem(mistake) from error
        if b"\\u0000" in body and (found := null_character(body)) is not None:
            raise _problem(found)
        return value

    return read


class _MaybeSeveral(msgspec.Struct):
    """How to tell one event from several, each event's own bytes kept."""

    events: list[Raw] | UnsetType = UNSET


class _Several(msgspec.Struct, forbid_unknown_fields=True):
    events: list[Raw]


_decode_maybe_several = msgspec.json.Decoder(_MaybeSeveral).decode
_decode_several = decoder(_Several)


def read_events(body: bytes, decode: Decode) -> list[tuple[bytes, Event]]:
    """Each event of a body, with its own bytes: what Kafka gets is what the client wrote.

    Args:
        body: One event, or several in `events`.
        decode: The decoder of the model's topic.

    Raises:
        Problem: One is malformed; none is to be published.
    """
    several = _several(body)
    if several is None:
        return [(body, _event(body, decode, ()))]
    texts = map(bytes, several)
    return [(text, _event(text, decode, ("events", number))) for number, text in enumerate(texts)]


def _several(body: bytes) -> list[Raw] | None:
    """The events of a body that holds `events`; None: it is one event, or none."""
    try:
        is_several = _decode_maybe_several(body).events is not UNSET
    except (ValueError, RecursionError):  # whoever decodes the whole will say why
        is_several = b'"events"' in body
    return _decode_several(body).events if is_several else None


def _event(text: bytes, decode: Decode, place: Path) -> Event:
    found = decode(text, ())
    if isinstance(found, Refusal):
        path, message = (*place, *found.path), found.detail
        if found.path:  # which names it again
            message = message.removeprefix(f"{json_pointer(found.path)}: ")
        raise _problem(Mistake(found.reason.value, path, message))
    return found


def _problem(mistake: Mistake) -> Problem:
    status = HTTPStatus.BAD_REQUEST if mistake.is_of_the_bytes else HTTPStatus.UNPROCESSABLE_ENTITY
    pointer = json_pointer(mistake.path)
    return Problem(status, mistake.code, mistake.detail, pointer=pointer, message=mistake.message)
