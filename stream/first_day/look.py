"""The first rows of a CSV file, column by column."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from config.model_file import parse_model_file
from config.text.nearest import did_you_mean
from stream.errors import CellError, SendError
from stream.first_day.columns.column import Column
from stream.first_day.columns.leaks import Row
from stream.first_day.columns.spread import Spread
from stream.send.csv_file import CsvColumns, CsvFile
from stream.send.file_lines import first_lines

# So many rows are looked at, fewer of a wide file: it takes a few seconds.
_ROWS_MAX, _ROWS_MIN = 50_000, 1_000
_CELLS_MAX = 2_000_000
# Rows that are kept, to be looked at whole.
_KEPT_MAX, _KEPT_MIN, _CELLS_KEPT_MAX = 4_000, 500, 400_000
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
        dropped: Of these the ones that are to be left out: they were named, or not chosen.
        unread: Columns that were not chosen, and could not be looked at.
        sample: Features and label of some rows, spread evenly.
    """

    path: Path
    rows: int
    is_whole: bool
    label: Column
    columns: tuple[Column, ...]
    dropped: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    sample: tuple[Row, ...] = ()

    @property
    def extent(self) -> str:
        """How much was looked at, in words."""
        return f"all {self.rows:,} rows" if self.is_whole else f"the first {self.rows:,} rows"


def look_at(path: Path, chosen: CsvColumns, drop: Sequence[str] = ()) -> Look:
    """The first rows of a CSV file.

    Columns that were not chosen are looked at like those to drop, so that the model file can say
    what they are; where they cannot be read, or are too many, they are passed over.

    Args:
        path: `.csv` or `.csv.gz`.
        chosen: `label` is named.
        drop: Columns that are not to be learned from.

    Raises:
        SendError: It is no CSV file, cannot be read without a guess, has no rows, or too many
            columns; with file and line.
    """
    assert chosen.label is not None
    if Path(str(path).removesuffix(".gz")).suffix != ".csv":
        raise SendError(f"{path}: a model file is made of a .csv or .csv.gz file")
    names = _checked_names(path, CsvFile(path, chosen, first_lines), drop)
    others = _others(CsvFile(path, chosen, first_lines), chosen)
    if others and len(names) + len(others) <= _COLUMNS_MAX:
        wider = replace(chosen, features=(*names, *others))
        with contextlib.suppress(CellError):
            return _looked(path, wider, dropped=frozenset([*drop, *others]), unread=())
    return _looked(path, chosen, dropped=frozenset(drop), unread=tuple(others))


def _checked_names(path: Path, file: CsvFile, drop: Sequence[str]) -> list[str]:
    """The features' columns, if there are some and not too many."""
    names = file.features
    if len(names) > _COLUMNS_MAX:
        what = f"{len(names):,} columns beside the label, and an event has {_COLUMNS_MAX:,} at most"
        raise SendError(f"{path}:1: {what}: choose them with --columns")
    if not names:
        raise SendError(f"{path}:1: has no column beside the label's to learn from")
    _check_dropped(f"{path}:1", drop, names)
    return names


def _looked(
    path: Path, chosen: CsvColumns, *, dropped: frozenset[str], unread: tuple[str, ...]
) -> Look:
    file = CsvFile(path, chosen, first_lines)
    label = Column(str(chosen.label))
    columns = {name: Column(name) for name in file.features}
    rows_max = max(_ROWS_MIN, min(_ROWS_MAX, _CELLS_MAX // len(columns)))
    sample = Spread[Row](max(_KEPT_MIN, min(_KEPT_MAX, _CELLS_KEPT_MAX // len(columns))))
    events = file.events(_NO_MODEL)
    rows = 0
    for _, event in islice(events, rows_max):
        rows += 1
        _add(event, columns, label)
        if "label" in event:
            sample.add((event["features"], event["label"]))
    if not rows:
        raise SendError(f"{path}: has no row below the names of its columns")
    return Look(
        path=path,
        rows=rows,
        is_whole=rows < rows_max or next(events, None) is None,
        label=label,
        columns=tuple(columns.values()),
        dropped=dropped,
        unread=unread,
        sample=tuple(sample.kept),
    )


def _others(file: CsvFile, chosen: CsvColumns) -> list[str]:
    """Columns with a name that were not chosen."""
    if chosen.features is None:
        return []
    known = {*chosen.features, chosen.label, chosen.id, chosen.key}
    return [name for name in file.header if name.strip() and name not in known]


def _check_dropped(where: str, drop: Sequence[str], names: Sequence[str]) -> None:
    for name in drop:
        if name not in names:
            what = f"--drop {name}: no column {name!r} would be learned from"
            raise SendError(f"{where}: {what}{did_you_mean(name, names)}")


def _add(event: Mapping[str, Any], columns: Mapping[str, Column], label: Column) -> None:
    for name, value in event["features"].items():
        columns[name].add(value)
    if "label" in event:
        label.add(event["label"])
