"""What `weir send` reads: files and River's own streams, as records ready to publish.

Each line of an NDJSON or VW file is a record, byte for byte, whatever it holds: what is no event is
for the learner to refuse, where all can see it. An empty line is no line, and a byte order mark
belongs to none. To Vowpal Wabbit an empty line ends an example of several lines; such examples are
no events here, where each line is one.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from config.model.parts import Limits
from config.model_file import ModelFile
from learner.values import Refusal
from learner.vw.text import parse_line
from stream.errors import SendError
from stream.send.csv_file import CsvColumns, CsvFile, OnMisfit
from stream.send.file_lines import Lines, first_lines, numbered_lines, require_readable
from stream.send.river_streams import require_stream, river_stream

Outgoing = tuple[bytes, bytes | None]
Numbered = Iterator[tuple[int, bytes]]

_RIVER = "river:"
_KINDS = (".csv", ".ndjson", ".vw")


class _KeyAndId(msgspec.Struct):
    key: str | None = None
    id: str | None = None


def records(source: str, model_file: ModelFile, columns: CsvColumns) -> Iterator[Outgoing]:
    """The records of `source`: value and Kafka key (`key`, else `id`).

    Args:
        source: `FILE.csv`, `.ndjson` or `.vw`, each also `.gz`; or `river:NAME`.

    Raises:
        SendError: It is none of these, or cannot be read; with file and line.
    """
    return (outgoing for _, outgoing in numbered_records(source, model_file, columns))


def numbered_records(
    source: str,
    model_file: ModelFile,
    columns: CsvColumns,
    on_misfit: OnMisfit | None = None,
    read: Lines = numbered_lines,
) -> Iterator[tuple[int, Outgoing]]:
    """As `records`, each with its line; of a stream of River's, with its number from 1 on.

    Args:
        on_misfit: Told of a row of a CSV file that is no event, which is then passed over; None:
            it ends the reading.
        read: Gives the lines of a file.

    Raises:
        SendError: As `records`.
    """
    kind, path = _kind(source), Path(source)
    if kind == _RIVER:
        yield from enumerate(_from_river(source.removeprefix(_RIVER), columns), 1)
    elif kind == ".csv":
        for number, event in CsvFile(path, columns, read).events(model_file, on_misfit):
            yield number, _event(event)
    elif kind == ".ndjson":
        yield from _from_ndjson(read(path))
    else:
        yield from _from_vw(read(path), model_file.limits)


def check_source(source: str, columns: CsvColumns) -> None:
    """See that `source` is there and that every option given means something to it.

    Raises:
        SendError, UnknownStreamError: With what is wrong, and the nearest right thing.
    """
    kind = _kind(source)
    given = {
        "--label": columns.label,
        "--id": columns.id,
        "--key": columns.key,
        "--null": columns.null,
        "--delimiter": columns.delimiter,
        "--decimal": columns.decimal,
        "--columns": columns.features if kind != _RIVER else None,
    }
    idle = [option for option, value in given.items() if value] if kind != ".csv" else []
    if idle:
        raise SendError(f"{source}: {' and '.join(idle)} can be said of CSV files only")
    if kind == _RIVER:
        require_stream(source.removeprefix(_RIVER))
        return
    require_readable(Path(source))


def features_of(source: str, columns: CsvColumns) -> list[str]:
    """The features' columns of a CSV file; of other sources they are not known beforehand.

    Raises:
        SendError: It cannot be read; with file and line.
    """
    is_csv = _kind(source) == ".csv"
    return CsvFile(Path(source), columns, first_lines).features if is_csv else []


def has_labels(source: str, columns: CsvColumns) -> bool:
    """False of a CSV file of which no column is the label's; of other sources it is not known."""
    return _kind(source) != ".csv" or columns.label is not None


def _kind(source: str) -> str:
    """`river:`, or what the name of the file ends with, `.gz` left out."""
    if source.startswith(_RIVER):
        return _RIVER
    kind = Path(source.removesuffix(".gz")).suffix
    if kind not in _KINDS:
        raise SendError(f"{source}: --from takes .csv, .ndjson, .vw (or .gz), or river:NAME")
    return kind


def _from_ndjson(lines: Numbered) -> Iterator[tuple[int, Outgoing]]:
    decode = msgspec.json.Decoder(_KeyAndId).decode
    for number, line in _records_of(lines):
        try:
            found = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield number, (line, None)
            continue
        key = found.key if found.key is not None else found.id
        yield number, (line, None if key is None else key.encode())


def _from_vw(lines: Numbered, limits: Limits) -> Iterator[tuple[int, Outgoing]]:
    for number, line in _records_of(lines):
        found = parse_line(line.decode("utf-8", "replace"), limits)
        tag = None if isinstance(found, Refusal) else found.tag
        yield number, (line, None if tag is None else tag.encode())


def _records_of(lines: Numbered) -> Numbered:
    """Each line as it is, without its end. An empty one is no record."""
    for number, line in lines:
        if line.strip():
            yield number, line.removesuffix(b"\n")


def _from_river(name: str, columns: CsvColumns) -> Iterator[Outgoing]:
    for x, y in _read_on(name, river_stream(name)):
        features = {k: _plain(v) for k, v in x.items()}
        if columns.features is not None:
            features = {k: v for k, v in features.items() if k in columns.features}
        yield _event({"features": features, "label": _plain(y)})


def _read_on(name: str, stream: Iterator[Any]) -> Iterator[Any]:
    number = 1
    try:
        for example in stream:
            yield example
            number += 1
    except OSError as error:
        raise SendError(f"river:{name}: example {number} cannot be read: {error}") from error


def _plain(value: Any) -> Any:
    """A feature of a River stream as JSON has it."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _event(event: dict[str, Any]) -> Outgoing:
    key = event.get("key", event.get("id"))
    return msgspec.json.encode(event), None if key is None else str(key).encode()
