"""Request bodies: typed, decoded from the raw bytes, and refused with the field named.

The fast path is one typed decode. What that refuses is read again, slowly, only to say where the
mistake is: the decoder names no key of an object, and calls NaN merely malformed.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from api.problem import Problem, escaped
from config.nearest import did_you_mean
from learner.values import Features, Label

T = TypeVar("T", bound=msgspec.Struct)
Path: TypeAlias = list[str | int]

DEPTH_MAX = 16  # levels of brackets; the deepest right body has five
_DIGITS_MAX = 400  # beyond this many digits an integer is not worth converting
# Strings, also one that never ends, and all else but brackets. Possessive, because a search that
# goes back over an unended string of a megabyte would take hours.
_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(\.\.\.)\]")
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`$", re.DOTALL)


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


class _RawEvents(msgspec.Struct, kw_only=True):
    """How to tell one event from several, each event's own bytes kept."""

    events: list[Raw] | UnsetType = UNSET


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
            raise why_refused(body, error, names) from error
        if b"\\u0000" in body:
            _refuse_null_characters(body)
        return value

    return read


_decode_one_event = decoder(EventBody)
_decode_raw_events = msgspec.json.Decoder(_RawEvents).decode


def read_events(body: bytes) -> list[tuple[bytes, EventBody]]:
    """Each event of a body, with its own bytes: what Kafka gets is what the client wrote.

    Raises:
        Problem: One is malformed; none is to be published.
    """
    try:
        several = _decode_raw_events(body).events
    except (ValueError, RecursionError) as error:
        raise why_refused(body, error, EventBody.__struct_fields__) from error
    if several is UNSET:
        event = _decode_one_event(body)
        _check_time(event, [])
        return [(body, event)]
    _decode_envelope(body)
    found = []
    for number, raw in enumerate(several):
        text = bytes(raw)
        try:
            event = _decode_one_event(text)
            _check_time(event, [])
        except Problem as problem:
            raise _within(problem, ["events", number]) from problem
        found.append((text, event))
    return found


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    events: list[Raw]


_decode_envelope = decoder(_Envelope)


def _within(problem: Problem, place: Path) -> Problem:
    """The problem of a part, told of the whole."""
    front = escaped(place)
    for error in problem.errors:
        error["pointer"] = front + error["pointer"]
    problem.detail = f"{front}: {problem.detail.removeprefix(': ')}"
    return problem


def _check_time(event: EventBody, place: Path) -> None:
    if isinstance(event.ts, str) and not _is_rfc3339(event.ts):
        raise _about([*place, "ts"], "wrong_type", "it is no RFC 3339 time with its offset")


def _is_rfc3339(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class _Odd:
    """Stands in a document for a number that cannot be one."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text


def why_refused(body: bytes, error: Exception, names: Sequence[str]) -> Problem:
    """Why `body` was refused, and where.

    Args:
        body: Its bytes.
        error: What the typed decoder said.
        names: The fields that the top level knows, for "did you mean".
    """
    if _is_too_deep(body):
        return Problem(400, "too_deep", f"nested deeper than {DEPTH_MAX} levels", pointer="")
    if b"\0" in body:
        at = body.index(0)
        return Problem(400, "null_byte", f"a null byte at byte {at}", pointer="")
    odd_numbers: list[_Odd] = []
    try:
        document = _document(body, odd_numbers)
    except (ValueError, RecursionError) as found:
        return Problem(400, "not_json", f"the body is not JSON: {found}", pointer="")
    if odd_numbers:
        for path, odd in _odd_numbers(document, []):
            return _about(path, odd.code, f"the number {odd.text}")
    if not isinstance(error, msgspec.ValidationError):
        return Problem(400, "not_json", f"the body is not JSON: {error}", pointer="")
    return _misfit(str(error), document, names)


def _document(body: bytes, odd_numbers: list[_Odd]) -> Any:
    """The body read loosely; what stands for a number that is none is also listed."""

    def odd(code: str, text: str) -> _Odd:
        odd_numbers.append(_Odd(code, text))
        return odd_numbers[-1]

    def finite(text: str) -> float | _Odd:
        is_finite = abs(number := float(text)) != float("inf")
        return number if is_finite else odd("not_finite", f"{text[:40]} is beyond the floats")

    def bounded(text: str) -> int | _Odd:
        if len(text) <= _DIGITS_MAX:
            return int(text)
        return odd("out_of_bounds", f"{text[:20]}… of {len(text)} digits")

    return json.loads(
        body.decode("utf-8"),
        parse_constant=lambda text: odd("not_finite", text),
        parse_float=finite,
        parse_int=bounded,
    )


def _is_too_deep(body: bytes) -> bool:
    brackets = _NOT_BRACKETS.sub(b"", body)
    return max(accumulate(_STEPS[bracket] for bracket in brackets), default=0) > DEPTH_MAX


def _odd_numbers(node: Any, path: Path) -> Iterator[tuple[Path, _Odd]]:
    if isinstance(node, _Odd):
        yield path, node
    for step, child in _children(node):
        yield from _odd_numbers(child, [*path, step])


def _children(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _refuse_null_characters(body: bytes) -> None:
    """Their escapes are rare enough that the mere bytes send a body here."""
    for path in _null_characters(json.loads(body), []):
        raise _about(path, "null_byte", "it holds a null character")


def _null_characters(node: Any, path: Path) -> Iterator[Path]:
    if isinstance(node, str) and "\0" in node:
        yield path
    for step, child in _children(node):
        if isinstance(step, str) and "\0" in step:
            yield [*path, step]
        yield from _null_characters(child, [*path, step])


def _misfit(text: str, document: Any, names: Sequence[str]) -> Problem:
    """What the typed decoder said, at the place it meant."""
    match = _WHERE.match(text)
    assert match is not None
    what, path = match["what"], _resolved(match["path"] or "$", document)
    field = _FIELD.match(what)
    if field is None:
        code = "wrong_type" if what.startswith("Expected `") else "bad_value"
        return _about(path, code, what)
    if field[1].startswith("missing"):
        return _about([*path, field[2]], "missing_field", "it is missing")
    hint = did_you_mean(field[2], names)
    if not path and _is_bare(document, names) and '"features"' not in hint:
        hint = '; features belong under "features"'
    return _about([*path, field[2]], "unknown_field", f"it is no field that is known here{hint}")


def _is_bare(document: Any, names: Sequence[str]) -> bool:
    """Whether features may have been sent without anything around them."""
    return "features" in names and not {"features", "instances"} & document.keys()


def _about(path: Path, code: str, what: str) -> Problem:
    pointer = escaped(path)
    shown = pointer if len(pointer) <= 200 else f"{pointer[:200]}…"
    return Problem(422, code, f"{shown or 'the body'}: {what}", pointer=pointer, message=what)


def _resolved(path: str, document: Any) -> Path:
    """The decoder's path with the keys that it leaves out (`[...]`) found again."""
    found: Path = []
    node = document
    steps = list(_STEP.finditer(path))
    for place, step in enumerate(steps):
        if step[3]:
            return [*found, *_culprit(node, levels=len(steps) - place)]
        found.append(step[1] or int(step[2]))
        node = _child(node, found[-1])
    return found


def _child(node: Any, step: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(str(step))
    return node[step] if isinstance(node, list) and isinstance(step, int) else None


def _culprit(node: Any, *, levels: int) -> Path:
    """The key, and the key inside it, whose value is no feature's."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if levels == 1 and isinstance(value, list):
            return [key]
        if levels > 1 and isinstance(value, dict):
            for inner, scalar in value.items():
                if isinstance(scalar, list | dict):
                    return [key, inner]
    return []
