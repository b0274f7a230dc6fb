"""Columns that tell the label so well by themselves that they may be known only after it. Pure.

A flight's delay tells whether it was late, two counts make up their sum. A model learns that at
once, has wonderful scores, and is of no use when it is asked before. Whether a column is one of
these nobody can know but who asks; what can be seen is how well it tells.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Row: TypeAlias = tuple[Mapping[str, Any], Any]
_Numbers: TypeAlias = npt.NDArray[np.float64]

_ROWS_MIN = 200
_COLUMNS_MAX = 200  # with which sums are looked for
# Of the errors that the most frequent label makes, those that one column may leave.
_ERRORS_LEFT = 0.1
_OTHERS_MIN = 0.02  # labels beside the most frequent one; of fewer, chance tells them well enough
_CORRELATION = 0.95
_STRONG, _STRONGEST_MAX = 0.3, 3
_ROWS_A_VALUE = 10  # a column of more values tells the rows apart, and so the labels
_VALUE_MAX = 1e100  # its square is a number still
_PARTS_MAX = 5
_SHARE_UNTOLD = 1e-4  # of the label's variance, where columns make it up
_PART_MIN = 0.01  # of the label's spread, what one of several columns adds


@dataclass(frozen=True, slots=True)
class Leak:
    """Columns that tell the label, and how well, in words."""

    columns: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Strength:
    """How well one column tells the label alone.

    Attributes:
        share: For a class, of the errors that the most frequent label makes, those that it spares;
            for an amount, the correlation's size.
        short, long: The same in words.
    """

    column: str
    share: float
    short: str
    long: str


def leaks_among(rows: Sequence[Row], *, is_number: bool) -> list[Leak]:
    """The columns that tell the label, alone or as a sum; none of fewer than 200 rows.

    Args:
        rows: Features and label of each, spread over the file.
        is_number: The label is an amount, else it names a class.

    >>> rows = [({"hour": i % 24, "delay": i % 7 - 3}, i % 7 > 3) for i in range(300)]
    >>> [leak.columns for leak in leaks_among(rows, is_number=False)]
    [('delay',)]
    """
    least = _CORRELATION if is_number else 1 - _ERRORS_LEFT
    single = [Leak((it.column,), it.long) for it in _told(rows, is_number) if it.share >= least]
    return _sums(rows) + single if is_number else single


def strongest_among(rows: Sequence[Row], *, is_number: bool) -> list[Strength]:
    """The columns that alone tell most, three at most and none that tells little."""
    found = [it for it in _told(rows, is_number) if it.share >= _STRONG]
    return sorted(found, key=lambda it: -it.share)[:_STRONGEST_MAX]


def _told(rows: Sequence[Row], is_number: bool) -> list[Strength]:
    if len(rows) < _ROWS_MIN:
        return []
    names = dict.fromkeys(name for features, _ in rows for name in features)
    if not is_number:
        return [it for name in names if (it := _of_class(name, rows))]
    amounts = _amounts(rows)
    return [it for name in names if (it := _of_amount(name, _numbers(name, rows), amounts))]


def _of_class(name: str, rows: Sequence[Row]) -> Strength | None:
    """How well one column tells the class; None: hardly a row is of another than the usual one."""
    labels = Counter(label for _, label in rows)
    usual = max(labels.values())
    if len(rows) - usual < _OTHERS_MIN * len(rows):
        return None
    right = max(usual, _right_by_value(name, rows), _right_by_bound(name, rows))
    share = _percent(right / len(rows))
    long = (
        f"alone it tells {share} of the labels, of which the most frequent makes "
        f"{_percent(usual / len(rows))}"
    )
    return Strength(name, (right - usual) / (len(rows) - usual), share, long)


def _right_by_value(name: str, rows: Sequence[Row]) -> int:
    """Labels that are the most frequent one of their value; none where values are too many."""
    by_value: dict[Any, Counter[Any]] = {}
    for features, label in rows:
        by_value.setdefault(features.get(name), Counter())[label] += 1
    if len(rows) < _ROWS_A_VALUE * len(by_value):
        return 0
    return sum(max(each.values()) for each in by_value.values())


def _right_by_bound(name: str, rows: Sequence[Row]) -> int:
    """Labels that are told by the best bound: one label below it, one from it on."""
    values = _numbers(name, rows)
    order = np.argsort(values, kind="stable")  # what is no number comes last
    known = int(np.isfinite(values).sum())
    if not known:
        return 0
    kinds = {label: place for place, label in enumerate(dict.fromkeys(y for _, y in rows))}
    one_hot = np.zeros((len(rows), len(kinds)), dtype=np.int64)
    one_hot[np.arange(len(rows)), [kinds[rows[place][1]] for place in order]] = 1
    below = one_hot[:known].cumsum(axis=0)
    absent = int(one_hot[known:].sum(axis=0).max())
    told = below.max(axis=1) + (below[-1] - below).max(axis=1)
    ordered = values[order][:known]
    is_bound = np.append(ordered[1:] > ordered[:-1], True)
    return int(told[is_bound].max()) + absent


def _of_amount(name: str, values: _Numbers, amounts: _Numbers) -> Strength | None:
    """How well one column tells the amount; None where either is not known well enough."""
    known = np.isfinite(values) & np.isfinite(amounts)
    some, of_them = values[known], amounts[known]
    if len(some) < _ROWS_MIN or not some.std() or not of_them.std():
        return None
    correlation = float((_scaled(some) * _scaled(of_them)).mean())
    long = f"alone it nearly tells the label: their correlation is {correlation:.3f}"
    return Strength(name, abs(correlation), f"correlation {correlation:.2f}", long)


def _sums(rows: Sequence[Row]) -> list[Leak]:
    """A few columns of which the label is a sum, each times a factor."""
    amounts = _amounts(rows)
    names = dict.fromkeys(name for features, _ in rows for name in features)
    columns = {name: _numbers(name, rows) for name in names}
    whole = {name: each for name, each in columns.items() if np.isfinite(each).all()}
    varied = [name for name, each in whole.items() if each.std()][:_COLUMNS_MAX]
    parts = _parts(whole, varied, amounts)
    if not 1 < len(parts) <= _PARTS_MAX or parts != _parts(whole, parts, amounts):
        return []
    return [Leak(tuple(parts), f"the label is a sum of them: {' and '.join(parts)}")]


def _parts(columns: Mapping[str, _Numbers], names: Sequence[str], amounts: _Numbers) -> list[str]:
    """Those of the columns that the label is made up of; none where it is not."""
    is_known = bool(np.isfinite(amounts).all()) and len(amounts) >= _ROWS_MIN
    if not names or not is_known or not amounts.std():
        return []
    if len(amounts) < _ROWS_A_VALUE * len(names):
        return []
    centred = np.column_stack([_scaled(columns[name]) for name in names])
    wanted = _scaled(amounts)
    factors, *_ = np.linalg.lstsq(centred, wanted, rcond=None)
    if float(((wanted - centred @ factors) ** 2).mean()) > _SHARE_UNTOLD:
        return []
    return [name for name, factor in zip(names, factors, strict=True) if abs(factor) > _PART_MIN]


def _scaled(values: _Numbers) -> _Numbers:
    return np.asarray((values - values.mean()) / values.std())


def _amounts(rows: Sequence[Row]) -> _Numbers:
    return np.array([_number(label) for _, label in rows])


def _numbers(name: str, rows: Sequence[Row]) -> _Numbers:
    """A column as numbers; NaN where it is absent, a text, or too large to be reckoned with."""
    return np.array([_number(features.get(name)) for features, _ in rows])


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and abs(value) <= _VALUE_MAX
    return float(value) if is_number else math.nan


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")
