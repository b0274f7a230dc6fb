"""What is written for a setting, and the value that it means.

A reader takes text of the environment or a value of YAML. It raises ValueError with a plain
sentence, without a full stop.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from config.text.nearest import did_you_mean
from config.text.sizes import size_bytes

__all__ = ["Reader", "Secret", "Wrong", "file_path", "flag", "names", "number", "one_of", "secret",
           "shown", "size_or_none", "text", "whole"]  # fmt: skip

Reader: TypeAlias = Callable[[object], Any]

_INPUT_CHARACTERS_MAX = 60
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}


class Wrong(ValueError):
    """What is wrong with a value, and what would be right."""


class Secret:
    """A text that shows only to who asks for it by name.

    >>> Secret("hunter2"), Secret("hunter2").get_secret_value()
    (Secret('**********'), 'hunter2')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def text(given: object) -> str:
    """Text."""
    if not isinstance(given, str):
        raise Wrong(f"must be text (put it in quotes), not {shown(given)}")
    return given


def secret(given: object) -> Secret:
    """Text that no message shows."""
    if not isinstance(given, str):
        raise Wrong("must be text (put it in quotes), not what is given")
    return Secret(given)


def file_path(given: object) -> Path:
    """The path of a file or folder."""
    if not isinstance(given, str | Path):
        raise Wrong(f"must be a path, not {shown(given)}")
    return Path(given)


def flag(given: object) -> bool:
    """True or false, in one of their usual spellings.

    >>> flag("off"), flag(True)
    (False, True)
    """
    found = _FLAGS.get(str(given).lower()) if isinstance(given, bool | int | str) else None
    if found is None:
        raise Wrong(f"must be true or false, not {shown(given)}")
    return found


def names(given: object) -> tuple[str, ...]:
    """Several texts, as a list; or with commas.

    >>> names("a, b,")
    ('a', 'b')
    """
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if not isinstance(given, list | tuple):
        raise Wrong(f"must be a list, not {shown(given)}")
    return tuple(map(text, given))


def size_or_none(given: object) -> int:
    """As `size_bytes`, and 0 for none."""
    return 0 if str(given).strip() == "0" else size_bytes(given)


def one_of(*choices: str) -> Reader:
    """One of `choices`, spelt as there.

    >>> one_of("json", "console")("jsn")
    Traceback (most recent call last):
    config.text.values.Wrong: must be 'json' or 'console', not 'jsn' (did you mean "json"?)
    """
    *first, last = map(repr, choices)

    def read(given: object) -> str:
        if given not in choices:
            meant = did_you_mean(given, choices) if isinstance(given, str) else ""
            raise Wrong(f"must be {', '.join(first)} or {last}, not {shown(given)}{meant}")
        return str(given)

    return read


def whole(*, least: int, most: int | None = None) -> Reader:
    """A whole number within bounds, both included.

    >>> whole(least=1)(" 12 "), whole(least=1)(3.0)
    (12, 3)
    >>> whole(least=1, most=9)("10")
    Traceback (most recent call last):
    config.text.values.Wrong: must be 9 or less, not '10'
    """

    def read(given: object) -> int:
        found = _int_of(given)
        if found < least:
            raise Wrong(f"must be {least} or more, not {shown(given)}")
        if most is not None and found > most:
            raise Wrong(f"must be {most} or less, not {shown(given)}")
        return found

    return read


def _int_of(given: object) -> int:
    _refuse_bool(given)
    if isinstance(given, int) or (isinstance(given, float) and given.is_integer()):
        return int(given)
    try:
        return int(text(given))
    except ValueError:
        raise Wrong(f"must be a whole number, not {shown(given)}") from None


def number(*, above: float, most: float = math.inf) -> Reader:
    """A finite number greater than `above`, and `most` at most.

    >>> number(above=0)("0.5")
    0.5
    """

    def read(given: object) -> float:
        found = _float_of(given)
        if not math.isfinite(found):
            raise Wrong(f"must be a finite number, not {shown(given)}")
        if found <= above:
            raise Wrong(f"must be greater than {above:g}, not {shown(given)}")
        if found > most:
            raise Wrong(f"must be {most:g} or less, not {shown(given)}")
        return found

    return read


def _float_of(given: object) -> float:
    _refuse_bool(given)
    try:
        return float(given if isinstance(given, int | float) else text(given))
    except (ValueError, OverflowError):
        raise Wrong(f"must be a number, not {shown(given)}") from None


def _refuse_bool(given: object) -> None:
    if isinstance(given, bool):
        raise Wrong(f"must be a number, not {shown(given)}")


def shown(given: object) -> str:
    """What was given, as a message shows it: cut short.

    >>> shown(None), shown(True), shown("a" * 100)[-4:]
    ('nothing', 'true', 'aaa…')
    """
    words = {None: "nothing", True: "true", False: "false"}
    written = words[given] if given is None or isinstance(given, bool) else repr(given)
    if len(written) <= _INPUT_CHARACTERS_MAX:
        return written
    return written[:_INPUT_CHARACTERS_MAX] + "…"
