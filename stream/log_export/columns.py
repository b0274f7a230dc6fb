"""The columns of an exported log: their names, their types, and what of an answer fills them."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from config.model.parts import FeatureSpec

Cell: TypeAlias = float | int | str | bool | None

_INT64 = range(-(1 << 63), 1 << 63)

# What a row of an answer holds, each with its type in SQL; in the file a label follows.
ANSWER: Mapping[str, str] = {
    "prediction_id": "VARCHAR",
    "model": "VARCHAR",
    "version": "VARCHAR",
    "version_id": "VARCHAR",
    "learned": "BIGINT",
    "predicted_at": "BIGINT",
    "prediction": "VARCHAR",
    "prediction_number": "DOUBLE",
    "probabilities": "VARCHAR",
    "features": "VARCHAR",
    "key": "VARCHAR",
    "topic": "VARCHAR",
    "partition": "INTEGER",
    "offset": "BIGINT",
    "logged_at": "BIGINT",
}
# What a row of a label holds.
LABEL: Mapping[str, str] = {
    "id": "VARCHAR",
    "label": "VARCHAR",
    "label_at": "BIGINT",
    "topic": "VARCHAR",
    "partition": "INTEGER",
    "offset": "BIGINT",
}


class FeatureColumn(NamedTuple):
    """The column of a feature that the model file lists.

    Attributes:
        feature: Its name there.
        place: Its name in a row: one that needs no quotes.
        column: Its name in the file.
        sql: Its type.
        cell: What the file has of a value; None where it is of another kind.
    """

    feature: str
    place: str
    column: str
    sql: str
    cell: Callable[[Any], Cell]


def feature_columns(features: Mapping[str, FeatureSpec] | None) -> tuple[FeatureColumn, ...]:
    """A column for each feature that is listed, in that order.

    SQL does not tell upper from lower case: of names that differ in nothing else, those that come
    later get a number.

    >>> spec = FeatureSpec(type="int")
    >>> [each.column for each in feature_columns({"Age": spec, "age": spec, "b c": spec})]
    ['feature_Age', 'feature_age_2', 'feature_b c']
    """
    taken: set[str] = set()
    found = []
    for number, (name, spec) in enumerate((features or {}).items()):
        column = _free(f"feature_{name}", taken)
        taken.add(column.casefold())
        sql, cell = _KINDS[spec.type]
        found.append(FeatureColumn(name, f"feature{number}", column, sql, cell))
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def number_cell(value: Any) -> float | None:
    """A number as a double; None where it is none, or beyond the doubles.

    >>> number_cell(3), number_cell(True), number_cell(10**400)
    (3.0, None, None)
    """
    if type(value) not in {int, float}:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _whole_cell(value: Any) -> int | None:
    """One beyond 64 bits is in the JSON text of the features alone."""
    return value if type(value) is int and value in _INT64 else None


def _bool_cell(value: Any) -> bool | None:
    return value if type(value) is bool else None


def _text_cell(value: Any) -> str | None:
    return value if type(value) is str else None


_KINDS: Mapping[str, tuple[str, Callable[[Any], Cell]]] = {
    "float": ("DOUBLE", number_cell),
    "int": ("BIGINT", _whole_cell),
    "bool": ("BOOLEAN", _bool_cell),
    "string": ("VARCHAR", _text_cell),
}
