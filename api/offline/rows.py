"""Features as callers have them, as a request's JSON would have them.

Numbers of numpy become Python's. In a frame of pandas NaN, NaT and NA mean that a value is absent,
which is how pandas writes it; anywhere else NaN is refused, as JSON cannot say it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from api.offline.errors import RowRefusedError
from learner.values import Features, Reason, Scalar

__all__ = ["chunks_of", "features_of", "is_frame", "with_way_out"]

CHUNK = 1_000  # rows that are handed on at once
_PLAIN = (int, bool, type(None))
_WIDENED = re.compile(r"(feature '(.+)' is -?\d+\.0, the model file says int)(?:; send .*)?")


def features_of(given: object) -> Features:
    """One row, its values as JSON has them.

    Raises:
        RowRefusedError: It holds what JSON does not have.

    >>> features_of({"a": 1, "b": {"c": 2.5}})
    {'a': 1, 'b': {'c': 2.5}}
    """
    if not isinstance(given, Mapping):
        what = f"a row is a mapping of features to values, not a {type(given).__name__}"
        raise RowRefusedError(Reason.wrong_type, what)
    return {
        _name(name): (
            {_name(inner): _value(f"{name}.{inner}", each) for inner, each in value.items()}
            if isinstance(value, Mapping)
            else _value(name, value)
        )
        for name, value in given.items()
    }


def chunks_of(rows: Any) -> Iterator[list[Features]]:
    """All rows in their order, some at a time.

    Args:
        rows: A frame of pandas, or any iterable of mappings.

    Raises:
        RowRefusedError: With the number of the row.
    """
    numbered = enumerate(_rows(rows))
    while chunk := list(islice(numbered, CHUNK)):
        yield [_numbered(place, row) for place, row in chunk]


def with_way_out(detail: str, rows: Any) -> str:
    """What is wrong with a row; of a whole number that pandas has as a float, also what helps.

    >>> with_way_out("feature 'n' is 2.5, the model file says int", [])
    "feature 'n' is 2.5, the model file says int"
    """
    widened = _WIDENED.fullmatch(detail)
    if widened is None or not is_frame(rows):
        return detail
    mend = f'frame.astype({{"{widened[2]}": "Int64"}})'
    why = "pandas has floats where a whole number is absent"
    return f"{widened[1]}; {why}: {mend} keeps them whole"


def is_frame(rows: Any) -> bool:
    """Whether these are a frame of pandas."""
    return hasattr(rows, "to_dict") and hasattr(rows, "iloc")


def _rows(rows: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(rows, Mapping):
        raise TypeError("predict_many takes several rows: a frame, or a list of dicts")
    return _of_frame(rows) if is_frame(rows) else rows


def _of_frame(frame: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a frame, what is absent left out.

    Raises:
        TypeError: Two columns have one name: a row would have either, and not say which.
    """
    if twice := list(frame.columns[frame.columns.duplicated()]):
        what = f"two columns of the frame are named {str(twice[0])[:80]!r}"
        raise TypeError(f"{what}: give each a name of its own")
    for first in range(0, len(frame), CHUNK):
        for row in frame.iloc[first : first + CHUNK].to_dict("records"):
            yield {name: value for name, value in row.items() if not _is_absent(value)}


def _is_absent(value: Any) -> bool:
    """NaN, NaT and NA: none of them equals itself, and NA is neither true nor false."""
    if value is None:
        return True
    if type(value) is float:
        return math.isnan(value)
    return type(value).__name__ in {"NAType", "NaTType"}


def _numbered(place: int, row: Any) -> Features:
    try:
        return features_of(row)
    except RowRefusedError as refused:
        raise RowRefusedError(refused.reason, refused.detail, row=place) from None


def _name(name: Any) -> str:
    if isinstance(name, str):
        return _text("a feature's name", name)
    what = f"a feature's name is text, not {str(name)[:80]!r} ({type(name).__name__})"
    raise RowRefusedError(Reason.wrong_type, what)


def _value(name: object, value: Any) -> Scalar:
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            what = f"feature {str(name)[:80]!r} is {value}: no number; leave out what is absent"
            raise RowRefusedError(Reason.not_finite, what)
        return float(value)
    if isinstance(value, _PLAIN) and kind in _PLAIN:
        return value
    if kind is str:
        return _text(f"feature {str(name)[:80]!r}", value)
    plain = value.item() if getattr(value, "shape", None) == () else value
    if type(plain) is not kind and type(plain) in (float, str, *_PLAIN):
        return _value(name, plain)
    what = f"feature {str(name)[:80]!r} is a {kind.__name__}: a number, a text or a bool is taken"
    raise RowRefusedError(Reason.wrong_type, what)


def _text(what: str, value: str) -> str:
    """The text, if JSON can carry it as the API takes it."""
    if "\0" in value:
        raise RowRefusedError(Reason.null_byte, f"{what} holds a null character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RowRefusedError(Reason.not_json, f"{what} is no Unicode: {error}") from error
    return str(value)
