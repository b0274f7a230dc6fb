"""Tensors as the Open Inference Protocol has them: values in JSON, or bytes behind it.

Source: the protocol's REST part, and Triton's extension for binary tensor data: behind the JSON
stand the bytes of all tensors that say `binary_data_size`, in their order, little-endian; a text is
its length in four bytes and then UTF-8.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from api.http.problem import HttpProblem, field_problem

Place = Sequence[str | int]
Cell = bool | int | float | str | None

BOOL, INT64, FP64, BYTES = "BOOL", "INT64", "FP64", "BYTES"
_LENGTH_BYTES = 4
# How numpy names what is behind the JSON. BF16 it has no name for.
_NUMBERS: Mapping[str, str] = {
    "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", INT64: "<i8",
    "FP16": "<f2", "FP32": "<f4", FP64: "<f8",
}  # fmt: skip
DATATYPES = (BOOL, *_NUMBERS, BYTES)
_FINITE = math.isfinite


class Tensor(NamedTuple):
    """One tensor with its values, row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Cell]


def size_of(shape: Sequence[int], place: Place) -> int:
    """How many values a tensor of this shape has.

    Raises:
        HttpProblem: It is no vector and no table.
    """
    if not 1 <= len(shape) <= 2 or min(shape) < 0:
        what = f"a shape is [rows] or [rows, columns], not {list(shape)[:8]}"
        raise field_problem("bad_value", (*place, "shape"), what)
    return math.prod(shape)


def from_json(datatype: str, data: Sequence[Any], place: Place) -> list[Cell]:
    """The values of a tensor that is written as JSON, flat or in rows; null is a missing value.

    >>> from_json("FP32", [[1, 2.5], [None, 3]], ())
    [1.0, 2.5, None, 3.0]

    Raises:
        HttpProblem: They are no such values: of another type, or beyond it.
    """
    values: list[Any] = []
    for each in data:
        values += each if isinstance(each, list) else [each]
    kinds = set(map(type, values)) - {type(None)}
    if datatype in ("FP16", "FP32", "FP64") and kinds <= {int, float}:
        return [_as_float(value, place) for value in values] if int in kinds else values
    due = {BOOL: bool, BYTES: str}.get(datatype, int)
    if datatype not in DATATYPES:
        raise _unknown(datatype, place)
    if not kinds <= {due}:
        odd = next(value for value in values if value is not None and type(value) is not due)
        what = f"{str(odd)[:40]!r} is no {datatype}"
        raise field_problem("wrong_type", (*place, "data"), what)
    if due is int:
        _check_range(datatype, [value for value in values if value is not None], place)
    return values


def from_bytes(datatype: str, content: bytes, count: int, place: Place) -> list[Cell]:
    """The values of a tensor whose bytes stand behind the JSON.

    >>> from_bytes("INT16", bytes([1, 0, 255, 255]), 2, ())
    [1, -1]
    >>> from_bytes("BYTES", bytes([2, 0, 0, 0]) + b"UP", 1, ())
    ['UP']

    Raises:
        HttpProblem: They are no such values: too few, too many, no numbers, no text.
    """
    if datatype == BYTES:
        return list(_texts(content, count, place))
    numpy_name = "<u1" if datatype == BOOL else _NUMBERS.get(datatype)
    if numpy_name is None:
        raise _unknown(datatype, place)
    kind = np.dtype(numpy_name)
    if len(content) != count * kind.itemsize:
        what = f"{count} values of {datatype} are {count * kind.itemsize} bytes, not {len(content)}"
        raise field_problem("bad_value", place, what)
    values = np.frombuffer(content, kind)
    if kind.kind == "f" and not np.isfinite(values).all():
        what = "a value is NaN or infinite; leave a missing one out, or write null in JSON"
        raise field_problem("not_finite", place, what)
    found: list[Cell] = (values != 0).tolist() if datatype == BOOL else values.tolist()
    return found


def to_bytes(tensor: Tensor) -> bytes:
    """The bytes of an answer's tensor.

    >>> to_bytes(Tensor("labels", "BYTES", (2,), ["UP", "é"])).hex()
    '02000000555002000000c3a9'
    """
    if tensor.datatype == BYTES:
        texts = [str(value).encode() for value in tensor.values]
        return b"".join(len(each).to_bytes(_LENGTH_BYTES, "little") + each for each in texts)
    kind = "<u1" if tensor.datatype == BOOL else _NUMBERS[tensor.datatype]
    return np.array(tensor.values, dtype=kind).tobytes()


def datatype_of(values: Sequence[Any]) -> str:
    """Of predictions: what holds all of them.

    >>> datatype_of([True]), datatype_of([0, 2]), datatype_of(["UP"]), datatype_of([1, 2.5])
    ('BOOL', 'INT64', 'BYTES', 'FP64')
    """
    kinds = set(map(type, values))
    if kinds == {int}:
        bound = 1 << 63
        return INT64 if all(-bound <= value < bound for value in values) else FP64
    if kinds == {bool}:
        return BOOL
    return FP64 if kinds <= {int, float} else BYTES


def _texts(content: bytes, count: int, place: Place) -> Sequence[str]:
    found: list[str] = []
    at = 0
    while at < len(content) and len(found) < count:
        begins = at + _LENGTH_BYTES
        at = begins + int.from_bytes(content[at:begins], "little")
        if at > len(content):
            break
        found.append(_text(content[begins:at], place))
    if at != len(content) or len(found) != count:
        what = f"these {len(content)} bytes are not {count} texts, each after its length"
        raise field_problem("bad_value", place, what)
    return found


def _text(content: bytes, place: Place) -> str:
    try:
        found = content.decode()
    except UnicodeDecodeError as error:
        raise field_problem("wrong_type", place, f"a text is no UTF-8: {error}") from error
    if "\0" in found:
        raise field_problem("null_byte", place, "a text holds a null character")
    return found


def _check_range(datatype: str, values: Sequence[int], place: Place) -> None:
    bounds = np.iinfo(_NUMBERS[datatype])
    for odd in (min(values, default=0), max(values, default=0)):
        if not bounds.min <= odd <= bounds.max:
            what = f"{str(odd)[:40]} is no {datatype}: those are {bounds.min} to {bounds.max}"
            raise field_problem("out_of_bounds", (*place, "data"), what)


def _as_float(value: Any, place: Place) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        what = "a number is beyond the floats"
        raise field_problem("not_finite", (*place, "data"), what) from None


def _unknown(datatype: str, place: Place) -> HttpProblem:
    what = f"{datatype[:40]!r} is none of {', '.join(DATATYPES)}"
    return field_problem("bad_value", (*place, "datatype"), what)
