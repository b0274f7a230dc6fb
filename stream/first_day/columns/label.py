"""What is to be learned of a label's column: which task, and which labels."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from config.model_file import TaskName
from stream.errors import SendError
from stream.first_day.columns.column import DISTINCT_MAX, Column

# Whole numbers are classes where there are few of them, and each comes often.
_CLASSES_MAX = 20
_ROWS_A_CLASS = 10
_SHOWN_MAX = 5
# Of a pair with one of these, the other is the positive one.
_NEGATIVES = frozenset(
    {"no", "n", "false", "f", "neg", "negative", "down", "ham", "normal", "benign", "legit", "bad"}
    | {"-1", "0", "off", "absent", "none", "low", "fail", "failure", "ok", "good", "stay", "alive"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is to be learned.

    Attributes:
        task: The model file's.
        labels: The admissible ones, where the file must list them.
        why: What the task was told by.
        doubt: What may be wrong about it; empty where nothing is.
    """

    task: TaskName
    labels: tuple[int | str, ...] | None = None
    why: str
    doubt: str = ""


def aim_of(label: Column, *, where: str, rows: int) -> Aim:
    """The task that a label's values are of.

    Args:
        where: The file, for messages.
        rows: How many were looked at.

    Raises:
        SendError: Nothing can be learned of it, and why.

    >>> y = Column("y")
    >>> for value in ["UP"] * 3 + ["DOWN"] * 5:
    ...     y.add(value)
    >>> aim = aim_of(y, where="elec.csv", rows=8)
    >>> aim.task, aim.labels, aim.why
    ('binary', ('DOWN', 'UP'), '2 labels: DOWN 62.5 %, UP 37.5 %')
    """
    about = f"{where}: the label's column {label.name!r}"
    if not label.present:
        raise SendError(f"{about} is empty in all {rows:,} rows looked at: name another one")
    absent = rows - label.present
    doubt = (
        f"{absent:,} of {rows:,} rows have no label: those events wait until it comes"
        if absent
        else ""
    )
    aim = _of_texts(label, about) if label.kinds["string"] else _of_numbers(label, about)
    both = "; ".join(each for each in (aim.doubt, doubt) if each)
    return Aim(task=aim.task, labels=aim.labels, why=aim.why, doubt=both)


def _of_texts(label: Column, about: str) -> Aim:
    values = label.values
    if len(values) == 1:
        raise SendError(_one_value(label, about))
    if len(values) == 2:
        return Aim(task="binary", labels=_ordered(values), why=_shares(values, label.present))
    if len(values) == DISTINCT_MAX or 2 * len(values) > label.present:
        what = f"{len(values):,} different texts in {label.present:,} rows"
        raise SendError(f"{about} has {what}: they are no classes; name another column")
    is_mixed = label.kinds["string"] < label.present
    listed = tuple(sorted(values)) if is_mixed else None
    doubt = "numbers and texts are mixed: each is listed as a text" if is_mixed else ""
    return Aim(task="multiclass", labels=listed, why=_shares(values, label.present), doubt=doubt)


def _of_numbers(label: Column, about: str) -> Aim:
    values, kinds = label.values, label.kinds
    are_plain = not kinds["float"] and label.least >= 0 and label.most <= 1
    if are_plain:
        two = _as_learned(label)
        one = "only one of two labels is among the rows looked at" * (len(two) == 1)
        return Aim(task="binary", why=_shares(two, label.present), doubt=one)
    if len(values) == 1:
        raise SendError(_one_value(label, about))
    if kinds["bool"]:
        raise SendError(f"{about} mixes true and false with other numbers: make it one of both")
    if not kinds["float"] and len(values) == 2:
        low, high = sorted(map(int, values))
        return Aim(task="binary", labels=(low, high), why=_shares(values, label.present))
    is_often = len(values) * _ROWS_A_CLASS <= label.present
    if not kinds["float"] and len(values) <= _CLASSES_MAX and is_often:
        doubt = "whole numbers, taken for classes: if they are amounts, write task: regression"
        return Aim(task="multiclass", why=_shares(values, label.present), doubt=doubt)
    return Aim(task="regression", why=f"numbers from {label.least:g} to {label.most:g}")


def _one_value(label: Column, about: str) -> str:
    (value,) = label.values
    return (
        f"{about} is {value[:40]!r} in all {label.present:,} rows looked at: there is nothing to "
        "tell apart; name another column, or shuffle no file but one that is sorted by its label"
    )


def _ordered(values: Mapping[str, int]) -> tuple[str, str]:
    """Two labels, the positive one last: not the one that says no, else the rarer one."""
    first, second = sorted(values, key=lambda text: (-values[text], text))
    negatives = [text for text in (first, second) if text.strip().lower() in _NEGATIVES]
    if negatives == [second]:
        return second, first
    return first, second


def _as_learned(label: Column) -> dict[str, int]:
    """The values of a column of true, false, 1 and 0: where they are mixed, true is 1."""
    if not (label.kinds["bool"] and label.kinds["int"]):
        return label.values
    found: Counter[str] = Counter()
    for text, count in label.values.items():
        found["1 or true" if text in ("1", "True") else "0 or false"] += count
    return found


def _shares(values: Mapping[str, int], present: int) -> str:
    often = sorted(values.items(), key=lambda each: -each[1])
    shown = [f"{text[:40]} {count / present:.1%}" for text, count in often[:_SHOWN_MAX]]
    more = len(often) - len(shown)
    told = ", ".join(shown).replace("%", " %") + (f" and {more} more" if more else "")
    return f"{len(often)} label{'s' * (len(often) > 1)}: {told}"
