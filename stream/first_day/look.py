"""The first rows of a CSV file, column by column."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from config.model_file import parse_model_file
from stream.errors import SendError
from stream.first_day.column import Column
from stream.send.csv_file import CsvColumns, CsvFile
from stream.send.csv_header import unnamed_columns
from stream.send.file_lines import first_lines

# So many rows are looked at, fewer of a wide file: it takes a few seconds.
_ROWS_MAX, _ROWS_MIN = 50_000, 1_000
_CELLS_MAX = 2_000_000
# What one event may have by default (`limits.features`); a wider file is to be chosen from.
_COLUMNS_MAX = 1_000
# A file is read before there is a model: every cell is a number where it is one, else a text.
_NO_MODEL = parse_model_file("{name: none, task: multiclass, learner: {vw: --noconstant}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of a file.

    Attributes:
        path: The file.
        rows: How many were looked at.
        is_whole: There are no more.
        label: The label's column.
        columns: The others that may be learned from, in the file's order.
    """

    path: Path
    rows: int
    is_whole: bool
    label: Column
    columns: tuple[Column, ...]

    @property
    def extent(self) -> str:
        """How much was looked at, in words."""
        return f"all {self.rows:,} rows" if self.is_whole else f"the first {self.rows:,} rows"


def look_at(path: Path, chosen: CsvColumns) -> Look:
    """The first rows of a CSV file.

    Args:
        path: `.csv` or `.csv.gz`.
        chosen: `label` is named.

    Raises:
        SendError: It is no CSV file, cannot be read without a guess, has no rows, or too many
            columns; with file and line.
    """
    assert chosen.label is not None
    if Path(str(path).removesuffix(".gz")).suffix != ".csv":
        raise SendError(f"{path}: a model file is made of a .csv or .csv.gz file")
    file = CsvFile(path, chosen, first_lines)
    names = _names(file, chosen)
    if len(names) > _COLUMNS_MAX:
        what = f"{len(names):,} columns beside the label, and an event has {_COLUMNS_MAX:,} at most"
        raise SendError(f"{path}:1: {what}: choose them with --columns")
    if not names:
        raise SendError(f"{path}:1: has no column beside {chosen.label!r} to learn from")
    label, columns = Column(chosen.label), {name: Column(name) for name in names}
    rows_max = max(_ROWS_MIN, min(_ROWS_MAX, _CELLS_MAX // len(names)))
    events = file.events(_NO_MODEL)
    rows = 0
    for _, event in islice(events, rows_max):
        rows += 1
        _add(event, columns, label)
    if not rows:
        raise SendError(f"{path}: has no row below the names of its columns")
    return Look(
        path=path,
        rows=rows,
        is_whole=rows < rows_max or next(events, None) is None,
        label=label,
        columns=tuple(columns.values()),
    )


def _names(file: CsvFile, chosen: CsvColumns) -> list[str]:
    """The features' columns; one without a name may be empty, and is none then."""
    if chosen.features is not None:
        return list(chosen.features)
    unnamed, used = unnamed_columns(file.header), {chosen.label, chosen.id, chosen.key}
    return [n for i, n in enumerate(file.header) if i not in unnamed and n not in used]


def _add(event: Mapping[str, Any], columns: Mapping[str, Column], label: Column) -> None:
    for name, value in event["features"].items():
        columns[name].add(value)
    if "label" in event:
        label.add(event["label"])
