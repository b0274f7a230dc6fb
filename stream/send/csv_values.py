"""What one cell of a CSV file means: a number, true or false, or text.

Types of the model file win; else a number where it is one. What looks like a number in another
country's writing is neither: learned as text it would be wrong without a word, so it is refused.
"""

import math
import re
from collections.abc import Sequence

from config.model.parts import FeatureSpec
from learner.tasks import Task
from stream.errors import SendError

Scalar = bool | int | float | str

_TRUE_FALSE = {"true": True, "false": False}
# Python reads 1_000, and digits of every script, as numbers too; a file means text by them.
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS_MAX = 400  # far beyond every limit; a million of them would take a second to read
_SHOWN = 40  # characters of a cell, in messages
# A number, were the other mark the decimal one; or one whose thousands are set apart.
_OTHERS: dict[str, re.Pattern[str]] = {
    ".": re.compile(r"[+-]?[0-9]*,[0-9]+|[+-]?[0-9]{1,3}([.,'][0-9]{3})+[.,][0-9]+"),
    ",": re.compile(r"[+-]?[0-9]*\.[0-9]+|[+-]?[0-9]{1,3}([.,'][0-9]{3})+[.,][0-9]+"),
}


class Cells:
    """Reads the cells of one file.

    Args:
        decimal: The decimal mark; None: the point, and nobody has said so.

    >>> Cells(",").guessed("1,5", "sales.csv:2: price"), Cells().guessed("yes", "")
    (1.5, 'yes')
    """

    def __init__(self, decimal: str | None = None) -> None:
        self._mark = decimal or "."
        # Who names the point as the mark means text by 1,5.
        self._foreign = None if decimal == "." else _OTHERS[self._mark]

    def typed(self, text: str, spec: FeatureSpec | None, where: str) -> Scalar:
        """The cell as the model file's entry has it, where there is one.

        Raises:
            SendError: It does not fit; `where` says which cell.
        """
        if spec is None:
            return self.guessed(text, where)
        if spec.type == "string":
            return text
        kind = {"bool": _bool, "int": _int, "float": self._float}[spec.type]
        value = kind(text.strip())
        if value is None:
            raise SendError(f"{where}: {text[:_SHOWN]!r} is no {spec.type}{self._hint(text)}")
        return value

    def guessed(self, text: str, where: str) -> Scalar:
        """A number where it is one, true or false, else the text.

        Raises:
            SendError: It looks like a number with another decimal mark.
        """
        stripped = text.strip()
        number = _int(stripped)
        value = number if number is not None else self._float(stripped)
        if value is not None:
            return value
        if hint := self._hint(stripped, is_typed=False):
            what = f'is no number with the decimal mark "{self._mark}"{hint}'
            raise SendError(f"{where}: {text[:_SHOWN]!r} {what}")
        return _TRUE_FALSE.get(text.lower(), text)

    def label(self, text: str, task: Task, labels: Sequence[Scalar] | None, where: str) -> Scalar:
        """The label as the model file has it, else as guessed; of classes, 1.0 is 1."""
        value: Scalar = text if text in (labels or ()) else self.guessed(text, where)
        if task.has_classes and isinstance(value, float) and value.is_integer():
            value = int(value)
        for label in labels or ():
            if written(label) in (text, written(value)):
                return label
        return value

    def _float(self, text: str) -> float | None:
        if self._mark == ",":
            text = "" if "." in text else text.replace(",", ".", 1)
        number = float(text) if _NUMBER.fullmatch(text) else math.inf
        return number if math.isfinite(number) else None

    def _hint(self, text: str, *, is_typed: bool = True) -> str:
        """What to say of a cell that would be a number elsewhere; empty of any other.

        Args:
            is_typed: A model file says what it is: no option makes it text, then.
        """
        if self._foreign is None or not self._foreign.fullmatch(text):
            return ""
        other = "," if self._mark == "." else "."
        as_text = (
            "`type: string` in the model file makes it text"
            if is_typed or self._mark != "."
            else '--decimal "." makes it text'
        )
        return f': --decimal "{other}" names another; thousands must not be set apart; ' + as_text


def looks_decimal(text: str) -> bool:
    """Whether it is a number with a decimal comma.

    >>> looks_decimal("-1,5"), looks_decimal("1.5"), looks_decimal("a,b")
    (True, False, False)
    """
    return _NUMBER.fullmatch(text.strip().replace(",", ".", 1)) is not None and "," in text


def is_number(text: str, *, is_real: bool = False) -> bool:
    """Whether it is a number; with `is_real`, one with a fraction, a sign or an exponent.

    >>> is_number("2024"), is_number("2024", is_real=True), is_number("-1.5", is_real=True)
    (True, False, True)
    """
    return _NUMBER.fullmatch(text.strip()) is not None and not (is_real and text.strip().isdigit())


def is_whole(text: str) -> bool:
    """Whether it is a whole number, as the index of a row is."""
    return _WHOLE.fullmatch(text.strip()) is not None


def written(label: Scalar) -> str:
    """How a label of the model file stands in a CSV file."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _bool(text: str) -> bool | None:
    return {**_TRUE_FALSE, "1": True, "0": False}.get(text.lower())


def _int(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) and len(text) <= _DIGITS_MAX else None
