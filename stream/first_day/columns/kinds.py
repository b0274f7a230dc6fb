"""What a column is: numbers, texts, true and false; or an id, a time, nothing, to be left out."""

import re
from dataclasses import dataclass
from typing import Literal

from learner.events.words import epoch_unit
from stream.first_day.columns.column import DISTINCT_MAX, Column

Kind = Literal["bool", "int", "float", "string", "id", "time", "many", "empty", "dropped"]
Type = Literal["bool", "int", "float", "string"]

# Of so many different values and more, a text would be a feature each.
CATEGORIES_MAX = 200
# Numbers beyond it have no bound that could admit them: they are learned as texts.
_NUMBER_MAX = 1e300
_ID_SHARE = 0.9
_ID_VALUES_MIN = 20
_ID_NAME = re.compile(r"(?:.*[_\W])?(?i:id|uuid|guid|idx|index|rowid|row)|.*[a-z](?:Id|ID)")
_TIME_NAME = re.compile(r"(?:.*[_\W])?(?:ts|time|timestamp|date|datetime|epoch)", re.IGNORECASE)
_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_ZONE = r"\s?(?:Z|UTC|[+-]\d{2}:?\d{2}|[AaPp][Mm])?"
_TIME = re.compile(rf"{_DATE}(?:[T ]{_CLOCK}{_ZONE})?|{_CLOCK}")
_TIMES_SHARE = 0.95
# So many numbers, of so many different ones, none of which is below the one before.
_RISING_MIN, _RISING_VALUES_MIN = 1_000, 50
# Seconds since the epoch, from 1990 to 2100; only where the name says that it is a time.
_EPOCH_S = (631_152_000, 4_102_444_800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What a column was judged to be.

    Attributes:
        kind: The last five are no features as they stand; `dropped` is as its user asked.
        type: What the model file calls its values; None of an empty one.
        why: What it was told by, in words; empty of plain numbers, texts, true and false.
        words: Texts in it that mean that nothing is there.
        is_constant: It holds one value and no other.
    """

    kind: Kind
    type: Type | None
    why: str = ""
    words: tuple[str, ...] = ()
    is_constant: bool = False

    @property
    def is_feature(self) -> bool:
        """Whether it can be learned from as it stands."""
        return self.kind in ("bool", "int", "float", "string")

    @property
    def is_number(self) -> bool:
        """Whether it is learned from as a number; true and false are 1 and 0."""
        return self.is_feature and self.type != "string"


def nature_of(column: Column) -> Nature:
    """What the column is, as far as its values and its name tell.

    >>> colour = Column("colour")
    >>> for value in ("red", "blue", "red"):
    ...     colour.add(value)
    >>> nature_of(colour).kind
    'string'
    """
    if not column.present:
        return Nature(kind="empty", type=None, why="it holds nothing")
    found, words = _type(column)
    reasons: tuple[tuple[Kind, str], ...] = (
        ("time", _why_time(column, found)),
        ("id", _why_id(column, found)),
        ("many", _why_many(column, found)),
    )
    kind, why = next((each for each in reasons if each[1]), (found, ""))
    constant = len(column.values) == 1
    return Nature(kind=kind, type=found, why=why, words=words, is_constant=constant)


def _type(column: Column) -> tuple[Type, tuple[str, ...]]:
    """The type of all values, and the texts among numbers that mean absent."""
    kinds, words = column.kinds, column.words
    texts, numbers = kinds["string"], kinds["int"] + kinds["float"]
    if texts and texts == words.total() and (numbers or kinds["bool"]):
        texts, absent = 0, tuple(sorted(words))
    else:
        absent = ()
    if texts or max(-column.least, column.most) >= _NUMBER_MAX:
        return "string", ()
    if not numbers:
        return "bool", absent
    if kinds["bool"]:
        is_bool = not kinds["float"] and column.least >= 0 and column.most <= 1
        return ("bool", absent) if is_bool else ("string", ())
    return ("float" if kinds["float"] else "int"), absent


def _why_time(column: Column, found: Type) -> str:
    if found == "string":
        times = sum(_TIME.fullmatch(text.strip()) is not None for text in column.values)
        return "a time, written as text" if times >= _TIMES_SHARE * len(column.values) else ""
    if found == "bool":
        return ""
    unit, of_most = epoch_unit(column.least), epoch_unit(column.most)
    if unit and of_most:
        return f"a time: {unit}"
    in_seconds = _EPOCH_S[0] <= column.least and column.most <= _EPOCH_S[1]
    is_named = _TIME_NAME.fullmatch(column.name) is not None
    if in_seconds and is_named:
        return "a time: seconds since 1970"
    is_long = column.present >= _RISING_MIN and len(column.values) >= _RISING_VALUES_MIN
    return "a time, or a counter: it never falls" if is_long and not column.falls else ""


def _why_id(column: Column, found: Type) -> str:
    if found not in ("int", "string") or column.present < _ID_VALUES_MIN:
        return ""
    if column.share_distinct < _ID_SHARE:
        return ""
    if found == "string":
        return "an id, or free text: nearly every row has another"
    if column.is_even:
        return "a row number: it rises by the same step"
    is_named = _ID_NAME.fullmatch(column.name) is not None
    return "an id, by its name, and nearly every row has another" if is_named else ""


def _why_many(column: Column, found: Type) -> str:
    count = len(column.values)
    if found != "string" or count <= CATEGORIES_MAX:
        return ""
    return f"a text of {count:,}{' or more' if count == DISTINCT_MAX else ''} different values"
