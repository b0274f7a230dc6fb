"""Features that may be nested one level deep, as Vowpal Wabbit takes them, one by one."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Cell: TypeAlias = tuple[str, ...]  # ("name",) or ("outer", "inner")
ABSENT: Any = object()


def cells_of(x: Mapping[str, Any]) -> list[Cell]:
    """Where there are values.

    >>> cells_of({"age": 3, "u": {"a": 1, "b": 2}})
    [('age',), ('u', 'a'), ('u', 'b')]
    """
    return list(_cells(x))


def _cells(x: Mapping[str, Any]) -> Iterator[Cell]:
    for name, value in x.items():
        if isinstance(value, Mapping):
            yield from ((name, inner) for inner in value)
        else:
            yield (name,)


def name_of(cell: Cell) -> str:
    """As an answer names it: `outer.inner`."""
    return ".".join(cell)


def get(x: Mapping[str, Any], cell: Cell) -> Any:
    """The value there; ABSENT where there is none."""
    found: Any = x
    for name in cell:
        if not isinstance(found, Mapping) or name not in found:
            return ABSENT
        found = found[name]
    return ABSENT if isinstance(found, Mapping) else found


def replaced(x: Mapping[str, Any], cell: Cell, value: Any) -> dict[str, Any]:
    """The same features with this value there; without it where that is ABSENT.

    >>> replaced({"a": 1, "u": {"b": 2}}, ("u", "b"), 5), replaced({"a": 1}, ("a",), ABSENT)
    ({'a': 1, 'u': {'b': 5}}, {})
    """
    name, *inner = cell
    if inner:
        value = replaced(x.get(name, {}), tuple(inner), value)
    if value is ABSENT:
        return {key: each for key, each in x.items() if key != name}
    return {**x, name: value}


def only(row: Mapping[str, Any], x: Mapping[str, Any]) -> dict[str, Any]:
    """The features that `x` has, in its order, with the values of `row`; without what that lacks.

    >>> only({"b": 5, "c": 6, "u": {"d": 7}}, {"a": 1, "b": 2, "u": {"d": 3, "e": 4}})
    {'b': 5, 'u': {'d': 7}}
    """
    found: dict[str, Any] = {}
    for name, value in x.items():
        other = row.get(name, ABSENT)
        if isinstance(value, Mapping):
            found[name] = only(other if isinstance(other, Mapping) else {}, value)
        elif other is not ABSENT and not isinstance(other, Mapping):
            found[name] = other
    return found
