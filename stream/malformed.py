"""Why a record that the typed decoder refused is no event: the slow path, taken for poison only.

The decoder says "malformed" for NaN and admits integers of 400 digits, so the reason is found by
reading the bytes again: first what is dangerous to parse (depth, nulls), then what is no JSON,
then numbers, names and types, outermost first.
"""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from learner.values import Reason, Refusal

_FIELDS = ("id", "ts", "features", "label", "weight", "key")
# Strings, also one that never ends, and all else but brackets. Possessive, because a search that
# goes back over an unended string of a megabyte would take hours.
_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
# Beyond this many digits an integer is not worth converting: every limit is far below.
_DIGITS_MAX = 400
_HUGE = 10**_DIGITS_MAX
_FLOAT_MAX = 1.7976931348623157e308
# Top level, features, one nested object: levels of brackets that `limits.depth` 2 admits.
_LEVELS_ABOVE_FEATURES = 1


class _NotFiniteError(ValueError):
    """A NaN, an Infinity, or a number beyond the floats."""


def why_refused(value: bytes, *, depth_limit: int, error: Exception | None) -> Refusal:
    """The reason why `value` is no event.

    Args:
        value: The record's bytes.
        depth_limit: `limits.depth`: levels of nesting allowed, `features` being the first.
        error: What the typed decoder said, for what no rule below explains.
    """
    if _deeper_than(value, depth_limit + _LEVELS_ABOVE_FEATURES):
        return _refused(Reason.too_deep, f"nested deeper than limits.depth {depth_limit}")
    if b"\0" in value:
        return _refused(Reason.null_byte, f"a null byte at byte {value.index(0)}")
    try:
        document = json.loads(
            value.decode("utf-8"),
            parse_constant=_not_finite,
            parse_float=_finite_float,
            parse_int=_bounded_int,
        )
    except _NotFiniteError as found:
        return _refused(Reason.not_finite, str(found))
    except (ValueError, RecursionError) as found:
        return _refused(Reason.not_json, str(found))
    return _what_is_wrong(document, error)


def _refused(reason: Reason, detail: str) -> Refusal:
    return Refusal(reason, detail[:300], "decode")


def _deeper_than(value: bytes, levels: int) -> bool:
    brackets = _NOT_BRACKETS.sub(b"", value)
    return max(accumulate(_STEPS[bracket] for bracket in brackets), default=0) > levels


def _not_finite(text: str) -> float:
    raise _NotFiniteError(f"the number {text}")


def _finite_float(text: str) -> float:
    number = float(text)
    if abs(number) > _FLOAT_MAX:
        raise _NotFiniteError(f"the number {text[:40]} is beyond the floats")
    return number


def _bounded_int(text: str) -> int:
    return int(text) if len(text) <= _DIGITS_MAX else _HUGE


def _what_is_wrong(document: Any, error: Exception | None) -> Refusal:
    if not isinstance(document, dict):
        return _refused(Reason.wrong_type, f"an event is an object, not {_kind(document)}")
    if _some_string(document, lambda text: "\0" in text):
        return _refused(Reason.null_byte, "a null character in a string")
    unknown = [name for name in document if name not in _FIELDS]
    if unknown:
        allowed = ", ".join(_FIELDS)
        return _refused(Reason.unknown_field, f"{unknown[0][:80]!r}; an event has {allowed}")
    if isinstance(document.get("label"), dict | list):
        return _refused(Reason.bad_label, f"label is {_kind(document['label'])}")
    found = _wrong_feature(document.get("features"))
    if found is not None:
        return found
    if any(abs(number) >= _HUGE for number in _integers(document)):
        return _refused(Reason.out_of_bounds, f"an integer of more than {_DIGITS_MAX} digits")
    if _some_string(document, _is_half_a_character):
        return _refused(Reason.wrong_type, "a string with half a surrogate pair is no Unicode")
    return _refused(Reason.wrong_type, str(error) if error else "not an event")


def _wrong_feature(features: Any) -> Refusal | None:
    if not isinstance(features, dict):
        return _refused(Reason.wrong_type, f"features is {_kind(features)}, not an object")
    for name, value in features.items():
        if isinstance(value, list):
            return _refused(Reason.wrong_type, f"feature {name[:80]!r} is a list")
        if isinstance(value, dict):
            inner = next((k for k, v in value.items() if isinstance(v, list | dict)), None)
            if inner is not None:
                return _refused(Reason.wrong_type, f"feature {name[:80]!r}.{inner[:80]!r}")
    return None


def _some_string(node: Any, holds: Callable[[str], bool]) -> bool:
    if isinstance(node, str):
        return holds(node)
    if isinstance(node, dict):
        return any(holds(key) or _some_string(value, holds) for key, value in node.items())
    return isinstance(node, list) and any(_some_string(each, holds) for each in node)


def _is_half_a_character(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _integers(node: Any) -> list[int]:
    if isinstance(node, dict):
        return [number for value in node.values() for number in _integers(value)]
    return [node] if isinstance(node, int) else []


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a string", list: "a list"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "an object")
