"""Request bodies: typed, decoded from the raw bytes, and refused with the field named.

Events are decoded by the learner's own decoder, so that none is answered 202 and then refused for
its form.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from api.http.problem import HttpProblem
from learner.events.decode import Decode
from learner.events.times import is_rfc3339
from learner.events.why_malformed import (
    Malformed,
    Path,
    json_pointer,
    null_character,
    why_malformed,
)
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


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """A function from a body's bytes to `kind`.

    It raises Problem (400 where it is no JSON, else 422) with a pointer to the field.

    >>> decoder(PredictBody)(b'{"features": {"a": 1, "b": 0.5}}').features
    {'a': 1, 'b': 0.5}
    >>> decoder(PredictBody)(b'{"features": {"a": 1, "b": [0.5]}}')
    Traceback (most recent call last):
    api.http.problem.HttpProblem: /features/b: Expected `bool | int | float | str | object \
| null`, got `array`
    """
    decode = msgspec.json.Decoder(kind).decode
    names = kind.__struct_encode_fields__

    def read(body: bytes) -> T:
        try:
            value = decode(body)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            mistake = why_malformed(body, error, depth_max=DEPTH_MAX, fields=names)
            raise problem_of_mistake(mistake) from error
        if b"\\u0000" in body and (found := null_character(body)) is not None:
            raise problem_of_mistake(found)
        return value

    return read


class _Label(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: str
    label: Label
    ts: str | int | float | None = None


class _Labels(msgspec.Struct, forbid_unknown_fields=True):
    labels: list[_Label]


class _LabelTexts(msgspec.Struct):
    labels: list[Raw]


class _Events(msgspec.Struct, forbid_unknown_fields=True):
    events: list[Raw]  # each event's own bytes are kept


class _Either(msgspec.Struct):
    """How to tell one from several."""

    events: Raw | UnsetType = UNSET
    labels: Raw | UnsetType = UNSET


_decode_either = msgspec.json.Decoder(_Either).decode
_decode_label, _decode_labels = decoder(_Label), decoder(_Labels)
_decode_events = decoder(_Events)
_decode_label_texts = msgspec.json.Decoder(_LabelTexts).decode


def read_events(body: bytes, decode: Decode) -> list[tuple[bytes, Event]]:
    """Each event of a body, with its own bytes: what Kafka gets is what the client wrote.

    Args:
        body: One event, or several in `events`.
        decode: The decoder of the model's topic.

    Raises:
        HttpProblem: One is malformed; none is to be published.
    """
    if not _holds(body, "events"):
        return [(body, _event(body, decode, ()))]
    texts = map(bytes, _decode_events(body).events)
    return [(text, _event(text, decode, ("events", number))) for number, text in enumerate(texts)]


def read_labels(body: bytes) -> list[tuple[bytes, Event]]:
    """Each label of a body, one or several in `labels`, with its own bytes.

    Raises:
        HttpProblem: One is malformed; none is to be published.
    """
    is_several = _holds(body, "labels")
    labels = _decode_labels(body).labels if is_several else [_decode_label(body)]
    _check_times(labels, is_several=is_several)
    texts = map(bytes, _decode_label_texts(body).labels) if is_several else [body]
    return [
        (text, Event(id=each.id, label=each.label))
        for text, each in zip(texts, labels, strict=True)
    ]


def _check_times(labels: Sequence[_Label], *, is_several: bool) -> None:
    for number, each in enumerate(labels):
        if isinstance(each.ts, str) and not is_rfc3339(each.ts):
            place: Path = ("labels", number, "ts") if is_several else ("ts",)
            what = f"{each.ts[:40]!r} is no RFC 3339 time with its offset"
            raise problem_of_mistake(Malformed("wrong_type", place, what))


def _holds(body: bytes, name: str) -> bool:
    """Whether a body has several things in `name`, and is not one itself."""
    try:
        return getattr(_decode_either(body), name) is not UNSET
    except (ValueError, RecursionError):  # whoever decodes the whole will say why
        return f'"{name}"'.encode() in body


def _event(text: bytes, decode: Decode, place: Path) -> Event:
    found = decode(text, ())
    if isinstance(found, Refusal):
        path, message = (*place, *found.path), found.detail
        if found.path:  # which names it again
            message = message.removeprefix(f"{json_pointer(found.path)}: ")
        raise problem_of_mistake(Malformed(found.reason.value, path, message))
    if found.features is None:
        what = "it is missing; a label on its own goes to the model's /labels"
        raise problem_of_mistake(Malformed("wrong_type", (*place, "features"), what))
    return found


def problem_of_mistake(mistake: Malformed) -> HttpProblem:
    """The mistake as a client is told it."""
    status = HTTPStatus.BAD_REQUEST if mistake.is_of_the_bytes else HTTPStatus.UNPROCESSABLE_ENTITY
    pointer = json_pointer(mistake.path)
    return HttpProblem(
        status, mistake.code, mistake.detail, pointer=pointer, message=mistake.message
    )
