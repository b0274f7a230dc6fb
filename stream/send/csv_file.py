"""CSV files as events: which columns are what, and what is wrong with a file that cannot be read.

A file is refused rather than repaired: where columns, types or marks do not fit, what was learned
would be wrong without a word. What is refused is told by file and line, with what mends it.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from config.model.parts import FeatureSpec, Learner
from config.model_file import MISSING_IN_CSV, ModelFile
from learner.tasks import TASKS
from stream.errors import CellError, SendError
from stream.send.csv_header import cells_of, check_header, foreign_delimiter, unnamed_columns
from stream.send.csv_values import Cells, Scalar, is_whole, looks_decimal, written
from stream.send.file_lines import Lines, numbered_lines

Row = tuple[int, list[str]]
# Told of a line and of what is wrong with it.
OnMisfit = Callable[[int, SendError], None]

_NO_DELIMITERS = '"\r\n\0'
# Of River's steps, those to which null is something else than absent.
_ASKING = ("Imputer", "OrdinalEncoder")
_TOLD_MAX = 12  # columns named in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """Which columns of a CSV file are what, and how it is written.

    Attributes:
        label: The label's column; None: no label is sent.
        id: The event id's.
        key: The Kafka key's.
        features: The features'; None: every other column.
        null: A text that means absent, besides the empty one and the model file's `missing`.
        delimiter: What stands between two cells; None: a comma.
        decimal: The decimal mark; None: a point.
    """

    label: str | None = None
    id: str | None = None
    key: str | None = None
    features: tuple[str, ...] | None = None
    null: str = ""
    delimiter: str | None = None
    decimal: str | None = None

    @property
    def asked(self) -> list[str]:
        """The columns that must be there."""
        named = (self.label, self.id, self.key, *(self.features or ()))
        return [name for name in named if name is not None]

    @property
    def between(self) -> str:
        """What stands between two cells."""
        return self.delimiter or ","


def csv_columns(
    *, features: str | None, delimiter: str | None, decimal: str | None, **named: Any
) -> CsvColumns:
    r"""The columns as the command line names them.

    Args:
        features: A list of names, with commas.
        delimiter: One character, or `\t` for a tab.
        decimal: `.` or `,`.
        named: The others of `CsvColumns`.

    Raises:
        SendError: Delimiter or mark cannot be one.
    """
    between = {r"\t": "\t", "tab": "\t"}.get(delimiter or "", delimiter)
    if between is not None and (len(between) != 1 or between in _NO_DELIMITERS):
        raise SendError(f'--delimiter {delimiter!r}: must be one character, as in ";" or "\\t"')
    if decimal is not None and decimal not in (".", ","):
        raise SendError(f'--decimal {decimal!r}: must be "." or ","')
    names = tuple(name.strip() for name in features.split(",")) if features else None
    return CsvColumns(features=names, delimiter=between, decimal=decimal, **named)


class CsvFile:
    """A CSV file whose header has been read, and its rows not yet.

    Args:
        path: The file.
        columns: Which of its columns are what.
        read: Gives its lines.

    Attributes:
        header: The names of its columns.

    Raises:
        SendError: It cannot be read, or not without a guess; with file and line.
    """

    def __init__(self, path: Path, columns: CsvColumns, read: Lines = numbered_lines) -> None:
        lines = _decoded(path, read)
        first = list(islice(lines, 2))
        if not first:
            raise SendError(f"{path}:1: is empty: a CSV file begins with the names of its columns")
        if shown := [line for line in first if line.strip()]:
            _check_delimiter(path, shown, columns)
        self._path, self._columns = path, columns
        self._rows = _rows(path, chain(first, lines), columns.between)
        at, self.header = next(self._rows, (1, []))
        is_chosen = columns.features is not None
        check_header(f"{path}:{at}", self.header, columns.asked, is_chosen=is_chosen)

    @property
    def features(self) -> list[str]:
        """The names of its features."""
        if self._columns.features is not None:
            return list(self._columns.features)
        columns = self._columns
        unnamed, used = unnamed_columns(self.header), {columns.label, columns.id, columns.key}
        return [n for i, n in enumerate(self.header) if i not in unnamed and n not in used]

    def events(
        self, model_file: ModelFile, on_misfit: OnMisfit | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events in order, each with the line that it begins at.

        Args:
            model_file: Its `features` and `missing` say what a cell means.
            on_misfit: Told of a row that is no event, which is then passed over; None: it ends
                the reading.

        Raises:
            SendError: A row is no event, or the file cannot be read on; with file and line.
        """
        reader = _RowReader(self._path, self.header, model_file, self._columns)
        for number, row in self._rows:
            try:
                event = reader.event(number, row)
            except SendError as misfit:
                if on_misfit is None:
                    raise
                on_misfit(number, misfit)
                continue
            yield number, event


def _decoded(path: Path, read: Lines) -> Iterator[str]:
    for number, line in read(path):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            byte = f"byte {line[error.start]:#04x}, the {error.start + 1}. of the line"
            hint = "iconv -f latin1 -t UTF-8 makes it so, where it is Latin-1"
            raise SendError(f"{path}:{number}: is not UTF-8 ({byte}): {hint}") from error
        if "\0" in text:
            what = "holds a null byte: a damaged file, or UTF-16 (iconv -f UTF-16 -t UTF-8)"
            raise SendError(f"{path}:{number}: {what}")
        yield text


def _rows(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    """Each row that is not empty, with the line it begins at."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SendError(f"{path}:{number}: {_plain(error)}") from error
        if row:
            yield number, row


def _plain(error: csv.Error) -> str:
    """The csv module's complaint in words for people."""
    text = str(error)
    if text.startswith("unexpected end of data"):
        return "a quote that begins here is not closed"
    if text.startswith("field larger"):
        return f"{text}: perhaps a quote that begins here is not closed"
    if text.startswith("new-line character"):
        return "a carriage return within a line: lines must end with \\n or \\r\\n"
    return f"a quote stands amid a cell ({text}): write it twice, within quotes"


def _check_delimiter(path: Path, lines: Sequence[str], columns: CsvColumns) -> None:
    """Refuse a file that something else parts better, with the options that read it.

    Args:
        lines: Of its first two those that are not empty.
    """
    header = cells_of(lines[0], columns.between)
    is_split = len(header) > 1 and all(name in header for name in columns.asked)
    other = None if is_split else foreign_delimiter(lines, columns.between)
    if other is None:
        return
    cells = cells_of(lines[-1], other)
    comma = columns.decimal is None and other != "," and any(map(looks_decimal, cells))
    options = f'--delimiter "{other}"'.replace("\t", "\\t") + ' --decimal ","' * comma
    what = f"it looks as if {other!r} parts its columns, not {columns.between!r}"
    raise SendError(f"{path}:1: {what}: say {options}")


class _RowReader:
    """Makes events of the rows of one file."""

    def __init__(
        self, path: Path, header: Sequence[str], model_file: ModelFile, columns: CsvColumns
    ) -> None:
        self._path, self._header = path, header
        self._task, self._labels = TASKS[model_file.task], model_file.labels
        self._cells = Cells(columns.decimal)
        self._empty = ("", columns.null)
        self._absent = _absent_words(model_file, columns)
        self._sends_null = asks_for_nulls(model_file.learner)
        place = {name: i for i, name in enumerate(header)}
        used = {columns.label, columns.id, columns.key}
        unnamed = unnamed_columns(header) if columns.features is None else []
        self._unnamed = [i for i in unnamed if header[i] not in used]
        names = columns.features or tuple(
            name for i, name in enumerate(header) if name not in used and i not in self._unnamed
        )
        specs = model_file.features or {}
        self._features = [(place[name], name, specs.get(name)) for name in names]
        self._label = None if columns.label is None else place[columns.label]
        others = (("id", columns.id), ("key", columns.key))
        self._others = [(field, place[name]) for field, name in others if name is not None]

    def event(self, number: int, row: list[str]) -> dict[str, Any]:
        """The event of the row that begins at line `number`."""
        where = f"{self._path}:{number}"
        if len(row) != len(self._header):
            what = f"{len(row)} cells, but the header names {len(self._header)} columns"
            raise SendError(f"{where}: {what}")
        for i in self._unnamed:
            self._refuse_unnamed(i, row[i], where)
        event: dict[str, Any] = {"features": self._features_of(row, where)}
        label = None if self._label is None else self._label_of(row[self._label], where)
        if label is not None:
            event["label"] = label
        event.update((field, row[i]) for field, i in self._others if row[i] not in self._empty)
        return event

    def _features_of(self, row: list[str], where: str) -> dict[str, Scalar | None]:
        features: dict[str, Scalar | None] = {}
        for i, name, spec in self._features:
            if row[i].strip() not in self._absent:
                features[name] = self._typed(row[i], name, spec, where)
            elif self._sends_null:
                features[name] = None
        return features

    def _typed(self, text: str, name: str, spec: FeatureSpec | None, where: str) -> Scalar:
        try:
            return self._cells.typed(text, spec, f"{where}: {name}")
        except SendError as misfit:
            raise CellError(str(misfit), column=name, text=text) from misfit

    def _label_of(self, text: str, where: str) -> Scalar | None:
        """The label; None where there is none, which a label called NA is not."""
        is_named = text in map(written, self._labels or ())
        if text in self._empty or (text.strip() in self._absent and not is_named):
            return None
        return self._cells.label(text, self._task, self._labels, f"{where}: label")

    def _refuse_unnamed(self, i: int, text: str, where: str) -> None:
        """Refuse a cell with a value in a column without a name."""
        if text.strip() in self._absent:
            return
        named = f'is named "{self._header[i]}"' if self._header[i].strip() else "has no name"
        like = ", as a row index has" if i == 0 and is_whole(text) else ""
        names = [name for _, name, _ in self._features]
        listed = ",".join(names) if len(names) <= _TOLD_MAX else "LIST"
        what = f"column {i + 1} {named} and holds {text[:40]!r}{like}"
        hint = f'give it a name, or leave it out: --columns "{listed}"'
        raise SendError(f"{where}: {what}: {hint}")


def _absent_words(model_file: ModelFile, columns: CsvColumns) -> frozenset[str]:
    """The texts that mean absent in a feature's column; the empty one always does."""
    missing = model_file.missing
    return frozenset({"", columns.null, *(MISSING_IN_CSV if missing is None else missing)})


def asks_for_nulls(learner: Learner) -> bool:
    """Whether the learner may do something with a null. Where it does not, null is absent."""
    return learner.python is not None or any(name in str(learner.river) for name in _ASKING)
