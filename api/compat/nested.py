"""Features that are called `outer.inner`, where the model has them nested.

A column or a tensor has a name, and no objects. `POST …/predict` gets {"outer": {"inner": 1}},
which River's pipelines see as `outer.inner`, and Vowpal Wabbit as a namespace: another feature.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.serving.served import ServedLine
from learner.values import Features

NestedIn = Callable[[str], tuple[str, str] | None]


def as_learned(line: ServedLine, rows: Sequence[Features]) -> Sequence[Features]:
    """The same rows as `POST …/predict` gets them, by the version that answers now."""
    names = {name for row in rows for name in row if "." in name}
    if not names or line.loaded is None:
        return rows
    nested_in = line.loaded.model.nested_in
    places = {name: place for name in names if (place := nested_in(name)) is not None}
    return [nested(row, places) for row in rows] if places else rows


def nested(row: Features, places: Mapping[str, tuple[str, str]]) -> Features:
    """A row with these features in their groups.

    Where it has a value in a group's or a feature's place already, the name stays as it is.

    >>> places = {"geo.lat": ("geo", "lat"), "geo.lon": ("geo", "lon")}
    >>> nested({"geo.lat": 2.0, "size": 3, "geo.lon": 40.0}, places)
    {'geo': {'lat': 2.0, 'lon': 40.0}, 'size': 3}
    >>> nested({"geo": {"lat": 1.0}, "geo.lat": 2.0, "geo.lon": None}, places)
    {'geo': {'lat': 1.0, 'lon': None}, 'geo.lat': 2.0}
    """
    found: Features = {}
    for name, value in row.items():
        place = places.get(name)
        if isinstance(value, dict):
            begun: Any = found.get(name) or {}
            found[name] = {**value, **begun}
        elif place is not None and _is_free(row, *place):
            group: Any = found.get(place[0]) or {}
            found[place[0]] = {**group, place[1]: value}
        elif value is not None or name not in found:
            found[name] = value
    return found


def _is_free(row: Features, outer: str, inner: str) -> bool:
    there = row.get(outer)
    return there is None or (isinstance(there, dict) and there.get(inner) is None)
