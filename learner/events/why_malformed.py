"""Why bytes that a typed decoder refused are malformed, and where: the slow path, for poison only.

The decoder says "malformed" for NaN, names no key of an object, and admits integers of 400 digits,
so the bytes are read again: first what is dangerous to parse (depth, nulls), then what is no JSON,
then odd values, then what the decoder itself said, at the place that it meant.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import msgspec

from config.text.nearest import did_you_mean

Path: TypeAlias = tuple[str | int, ...]

# Strings, also one that never ends, and all else but brackets. Possessive, because a search that
# goes back over an unended string of a megabyte would take hours.
_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_DIGITS_MAX = 400  # beyond this many digits an integer is not worth converting
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
_POINTER_SHOWN = 200
# How msgspec tells of a mistake.
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(\.\.\.)\]")
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is wrong with a document.

    Attributes:
        code: A `Reason`, `missing_field`, or `bad_value` (a limit of the type).
        path: Where, from the top; empty where it is about the whole.
        message: What is wrong there.
    """

    code: str
    path: Path
    message: str

    @property
    def detail(self) -> str:
        """The place and what is wrong there, in one line."""
        pointer = json_pointer(self.path)
        shown = pointer if len(pointer) <= _POINTER_SHOWN else f"{pointer[:_POINTER_SHOWN]}…"
        return f"{shown}: {self.message}" if pointer else self.message

    @property
    def is_of_the_bytes(self) -> bool:
        """Whether there is no document to speak of: nothing is known of any field."""
        return not self.path and self.code in ("not_json", "too_deep", "null_byte")


def why_malformed(
    value: bytes, error: Exception, *, depth_max: int, fields: Sequence[str]
) -> Malformed:
    """The reason why `value` was refused, and where.

    Args:
        value: The document's bytes.
        error: What the typed decoder said.
        depth_max: Levels of brackets that are admitted.
        fields: The names that the top level knows, for "did you mean".
    """
    if _is_deeper(value, depth_max):
        return Malformed("too_deep", (), f"nested deeper than {depth_max} levels")
    if b"\0" in value:
        return Malformed("null_byte", (), f"a null byte at byte {value.index(0)}")
    odd_numbers: list[_Odd] = []
    try:
        document = _read(value, odd_numbers)
    except (ValueError, RecursionError) as found:
        return Malformed("not_json", (), f"not JSON: {found}")
    # Only what is told by an escape, or is no number, can be odd: most poison is not walked over.
    for path, odd in _odd_places(document) if b"\\u" in value or odd_numbers else ():
        return Malformed(odd.code, path, odd.message)
    if not isinstance(error, msgspec.ValidationError):
        return Malformed("not_json", (), f"not JSON: {error}")
    return _misfit(str(error), document, fields)


def null_character(value: bytes) -> Malformed | None:
    """Where a string of a document that was decoded holds an escaped null; None: nowhere.

    Their escapes are rare enough that the mere bytes `\\\\u0000` send a document here.
    """
    for path, odd in _odd_places(_read(value, [])):
        if odd is _NULL:
            return Malformed(odd.code, path, odd.message)
    return None


def json_pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) to `path`; what is no character is written as its escape.

    >>> json_pointer(["features", "a/b", 3, "\\ud800"])
    '/features/a~1b/3/\\\\ud800'
    """
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return pointer.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_deeper(value: bytes, levels: int) -> bool:
    brackets = _NOT_BRACKETS.sub(b"", value)
    return max(accumulate(_STEPS[bracket] for bracket in brackets), default=0) > levels


@dataclass(frozen=True, slots=True)
class _Odd:
    """What no event, question or command may hold; it stands in a document for such a number."""

    code: str
    message: str


_NULL = _Odd("null_byte", "it holds a null character")
_HALF = _Odd("wrong_type", "a string with half a surrogate pair is no Unicode")


def _read(value: bytes, odd_numbers: list[_Odd]) -> Any:
    """The document, read loosely: a number that is none is an `_Odd`, which is also listed."""

    def odd(code: str, message: str) -> _Odd:
        odd_numbers.append(_Odd(code, message))
        return odd_numbers[-1]

    def finite(text: str) -> float | _Odd:
        is_finite = abs(number := float(text)) != float("inf")
        return number if is_finite else odd("not_finite", f"{text[:40]} is beyond the floats")

    def bounded(text: str) -> int | _Odd:
        if len(text) <= _DIGITS_MAX:
            return int(text)
        return odd("out_of_bounds", f"the number {text[:20]}… of {len(text)} digits")

    return json.loads(
        value.decode("utf-8"),
        parse_constant=lambda text: odd("not_finite", f"the number {text}"),
        parse_float=finite,
        parse_int=bounded,
    )


def _odd_places(document: Any) -> Iterator[tuple[Path, _Odd]]:
    for path, node in _walk(document, ()):
        odd = _odd(node)
        if odd is not None:
            yield path, odd


def _walk(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value and every key of a document, with its place."""
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key), key
            yield from _walk(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _walk(value, (*path, place))


def _odd(node: Any) -> _Odd | None:
    if isinstance(node, _Odd):
        return node
    if isinstance(node, str):
        if "\0" in node:
            return _NULL
        return _HALF if _HALF_A_CHARACTER.search(node) else None
    return None


def _misfit(text: str, document: Any, fields: Sequence[str]) -> Malformed:
    """What the typed decoder said, at the place it meant."""
    match = _WHERE.match(text)
    assert match is not None
    what, path = match["what"], _resolved(match["path"] or "$", document)
    field = _FIELD.match(what)
    if field is None:
        return Malformed(_code(what, path), path, what)
    at, name = (*path, field[2]), field[2][:80]
    if field[1].startswith("missing"):
        return Malformed("missing_field", at, "it is missing")
    hint = did_you_mean(name, fields)
    if not path and _is_bare(document, fields) and '"features"' not in hint:
        hint = '; features belong under "features"'
    return Malformed("unknown_field", at, f"it is no field that is known here{hint}")


def _code(what: str, path: Path) -> str:
    if not what.startswith("Expected `"):
        return "bad_value"
    return "bad_label" if path == ("label",) else "wrong_type"


def _is_bare(document: Any, fields: Sequence[str]) -> bool:
    """Whether features may have been sent without anything around them."""
    return "features" in fields and not {"features", "instances"} & document.keys()


def _resolved(path: str, document: Any) -> Path:
    """The decoder's path with the keys that it leaves out (`[...]`) found again."""
    found: Path = ()
    node = document
    steps = list(_STEP.finditer(path))
    for place, step in enumerate(steps):
        if step[3]:
            return (*found, *_culprit(node, levels=len(steps) - place))
        found = (*found, step[1] or int(step[2]))
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
            return (key,)
        if levels > 1 and isinstance(value, dict):
            for inner, scalar in value.items():
                if isinstance(scalar, list | dict):
                    return (key, inner)
    return ()
