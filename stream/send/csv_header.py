"""The first line of a CSV file: whether it names the columns, and what parts them. Pure."""

import csv
import re
from collections.abc import Sequence
from itertools import pairwise

from config.text.nearest import did_you_mean
from stream.errors import SendError
from stream.send.csv_values import is_number

_DELIMITERS = (",", ";", "\t", "|")
# What pandas names a column that had no name: the index of a frame written before.
_UNNAMED = re.compile(r"\s*|Unnamed: [0-9]+")
# So many names that are numbers, rising or falling, are a scale (wavelengths), not data.
_SCALE_MIN = 5
_TOLD_CHARACTERS = 80
_LINE_CHARACTERS_MAX = 100_000  # less than the csv module takes for one cell


def unnamed_columns(header: Sequence[str]) -> list[int]:
    """Where columns have no name.

    >>> unnamed_columns(["", "price", "Unnamed: 2"])
    [0, 2]
    """
    return [i for i, name in enumerate(header) if _UNNAMED.fullmatch(name)]


def check_header(
    where: str, header: Sequence[str], asked: Sequence[str], *, is_chosen: bool
) -> None:
    """See that a header names its columns, each once, and all that are asked for.

    Args:
        where: File and line.
        asked: Columns that an option names.
        is_chosen: The features are among these; else all columns are.

    Raises:
        SendError: It does not; with the nearest right name.
    """
    missing = [name for name in asked if name not in header]
    for name in missing:
        data = f"; {_looks_like_data(header)}" if any(map(is_number, header)) else ""
        raise SendError(f"{where}: no column {name!r}{did_you_mean(name, header)}{data}")
    if not is_chosen and _is_data(header):
        raise SendError(f"{where}: {_looks_like_data(header)}")
    for i, name in enumerate(header):
        if name.strip() and name in header[:i]:
            raise SendError(f"{where}: two columns are named {name!r}")
        if name.strip() and name != name.strip():
            what = f"column {i + 1} is named {name!r}, with space around the name: take it away"
            raise SendError(f"{where}: {what}")


def foreign_delimiter(lines: Sequence[str], delimiter: str) -> str | None:
    r"""What parts a file's first lines better than `delimiter` does; None: nothing.

    >>> foreign_delimiter(["price;items\n", "1,5;2\n"], ","), foreign_delimiter(["a,b\n"], ",")
    (';', None)
    """
    usual = _width(lines[0], delimiter)
    widths = {each: {_width(line, each) for line in lines if line.strip()} for each in _DELIMITERS}
    found = [(max(w), each) for each, w in widths.items() if len(w) == 1 and max(w) > usual]
    return max(found)[1] if found else None


def _width(line: str, delimiter: str) -> int:
    return len(cells_of(line, delimiter))


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of one line, for a look only: quotes may be wrong, and what is long is cut."""
    return next(
        csv.reader([line[:_LINE_CHARACTERS_MAX].partition("\r")[0]], delimiter=delimiter), []
    )


def _is_data(header: Sequence[str]) -> bool:
    """Whether some names are numbers with a fraction or sign, and no scale."""
    numbers = [float(name) for name in map(str.strip, header) if is_number(name, is_real=True)]
    steps = {later > earlier for earlier, later in pairwise(numbers)}
    is_scale = len(numbers) >= _SCALE_MIN and len(steps) == 1
    return bool(numbers) and not is_scale


def _looks_like_data(header: Sequence[str]) -> str:
    first = ",".join(header)[:_TOLD_CHARACTERS]
    return f"{first!r} looks like data: the first line of a CSV file is to name its columns"
