"""How values stand in a refusal: cut short, and as the model file would have them."""

import json
import re
from datetime import UTC, datetime

# What people and their programs write where there is nothing; pandas reads these as absent, too.
_USUAL_MISSING = frozenset(
    {"", "-", "--", ".", "?", "#n/a", "#na", "<na>", "n.a.", "n/a", "na", "nan", "-nan", "nil"}
    | {"none", "null", "(null)", "undefined", "unknown", "missing", "nat", "\\n"}
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# What YAML reads as something else than text, whatever the case.
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})
_SHOWN = 40

# Units of Unix time that an integer may be in, in seconds: their own range is 1990 to 2100.
_EPOCHS = (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
_FROM_S, _TO_S = 631_152_000, 4_102_444_800
_LARGEST = 10**300  # beyond it a bound would be no finite number


def shown(value: object) -> str:
    """A value as Python has it, cut.

    >>> shown("a" * 50)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def as_yaml(text: str, *, longest: int = 80) -> str:
    """A text as it may stand in the model file: in quotes where it needs them, and cut.

    >>> as_yaml("price"), as_yaml("no"), as_yaml("days: 7")
    ('price', '"no"', '"days: 7"')
    """
    text = text[:longest]
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _NOT_TEXT
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def is_usual_missing(text: str) -> bool:
    """Whether a text commonly stands for what is not known.

    >>> is_usual_missing("N/A"), is_usual_missing("none of these")
    (True, False)
    """
    return text.strip().lower() in _USUAL_MISSING


def epoch_unit(value: float) -> str | None:
    """What a large number looks like, if it looks like a time.

    >>> epoch_unit(1_732_800_000_000), epoch_unit(1e15 + 0.5), epoch_unit(9e18)
    ('an epoch in milliseconds, 2024-11-28', 'an epoch in microseconds, 2001-09-09', None)
    """
    for unit, in_a_second in _EPOCHS if abs(value) < _LARGEST else ():
        seconds = value / in_a_second
        if _FROM_S <= seconds <= _TO_S:
            return f"an epoch in {unit}, {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    return None


def above(value: float) -> str | None:
    """The power of ten above a number's size, as YAML reads one; None where there is none.

    >>> above(1_732_800_000_000), above(-2.5e12), above(10**400)
    ('1.0e+13', '1.0e+13', None)
    """
    return f"1.0e+{len(str(abs(int(value))))}" if abs(value) < _LARGEST else None
