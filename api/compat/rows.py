"""Rows of features, as they are written elsewhere: by column, or in an order."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from api.http.problem import field_problem
from api.routes.predict import written
from api.serving.served import ServedLine
from learner.values import Features, Scalar

Place = tuple[str | int, ...]
Instance = Features | list[Scalar]  # named features, or all of them in the model file's order

_UNKNOWN_MAX = 20
# What one version says of each of its answers.
_FACTS = ("model", "version", "version_id", "learned", "age_seconds")


class AskedRows(NamedTuple):
    """What is asked, and where it stands in the request."""

    features: Sequence[Features]
    place: Place


def asked_rows(line: ServedLine, features: Sequence[Features], place: Place) -> AskedRows:
    """Rows by the names that the protocol has for features, as the model has them."""
    rows = features if line.loaded is None else line.loaded.model.as_learned(features)
    return AskedRows(rows, place)


def by_name(columns: Mapping[str, Sequence[Scalar]], place: Place) -> list[Features]:
    """The rows of columns that are equally long.

    >>> by_name({"a": [1, 2], "b": ["x", None]}, ())
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': None}]

    Raises:
        HttpProblem: They are not, or there are none.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if not lengths:
        raise field_problem("bad_value", place, "there is no column")
    rows = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != rows:
            raise field_problem("bad_value", (*place, name), f"{length} values, others have {rows}")
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def by_order(
    names: Sequence[str], rows: Iterable[Sequence[Scalar]], place: Place
) -> list[Features]:
    """The rows of a table whose columns have these names.

    Raises:
        HttpProblem: A row is of another length, or a name stands twice.
    """
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise field_problem("bad_value", place, f"{twice[:80]!r} is the name of two columns")
    found: list[Features] = []
    for number, row in enumerate(rows):
        if len(row) != len(names):
            what = f"{len(row)} values for {len(names)} features"
            raise field_problem("bad_value", (*place, number), what)
        found.append(dict(zip(names, row, strict=True)))
    return found


def instances(line: ServedLine, given: Sequence[Instance], place: Place) -> AskedRows:
    """The rows of a list whose items name their features, or have them in order.

    Raises:
        HttpProblem: As `by_order`.
    """
    listed = [each for each in given if isinstance(each, list)]
    if not listed:
        return asked_rows(line, [each for each in given if not isinstance(each, list)], place)
    if len(listed) < len(given):
        what = "some instances name their features, and some do not"
        raise field_problem("bad_value", place, what)
    return asked_rows(line, by_order(listed_names(line, place), listed, place), place)


def listed_names(line: ServedLine, place: Place) -> list[str]:
    """The features that the model file lists, in its order.

    Raises:
        HttpProblem: It lists none, so values without names are nobody's.
    """
    names = list(line.model_file.features or ())
    if not names:
        what = "values without names need `features:` in the model file, which says their order"
        raise field_problem("bad_value", place, what)
    return names


def predictions(found: Sequence[Mapping[str, Any]]) -> bytes:
    """The answer of who has `predictions` in JSON, with what our own answers say besides.

    Args:
        found: At least one, all by one version.
    """
    first = found[0]
    body: dict[str, Any] = {"predictions": [each["prediction"] for each in found]}
    if "probabilities" in first:
        body["probabilities"] = [each.get("probabilities", {}) for each in found]
    body["prediction_ids"] = [each["prediction_id"] for each in found]
    body |= {name: first[name] for name in _FACTS}
    if unknown := unknown_features(found):
        body["unknown_features"] = unknown
    return written(body)


def unknown_features(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names that the version has never learned, some of those of all rows: each once."""
    names = dict.fromkeys(name for each in found for name in each.get("unknown_features", ()))
    return list(islice(names, _UNKNOWN_MAX))
