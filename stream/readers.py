"""What `weir send` reads: files and River's own streams, as records ready to publish."""

import csv
import datetime
import gzip
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from config.model_file import FeatureSpec, ModelFile
from config.nearest import did_you_mean
from stream.errors import StreamError
from stream.streams import river_stream

Outgoing = tuple[bytes, bytes | None]
Scalar = bool | int | float | str

_TRUE_FALSE = {"true": True, "false": False}


class SendError(StreamError):
    """What was asked to be sent cannot be read. Nothing was sent from there on."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of a CSV file are what.

    Attributes:
        label: The label's column; None: no label is sent.
        id: The event id's.
        key: The Kafka key's.
        features: The features'; None: every other column.
        null: A text that means absent, besides the empty one.
    """

    label: str | None = None
    id: str | None = None
    key: str | None = None
    features: tuple[str, ...] | None = None
    null: str = ""


class _KeyAndId(msgspec.Struct):
    key: str | None = None
    id: str | None = None


def records(source: str, model_file: ModelFile, columns: Columns) -> Iterator[Outgoing]:
    """The records of `source`: value and Kafka key (`key`, else `id`).

    Args:
        source: `FILE.csv`, `.ndjson` or `.vw`, each also `.gz`; or `river:NAME`.

    Raises:
        SendError: It is none of these, or cannot be read; with file and line.
    """
    if source.startswith("river:"):
        yield from _from_river(source.removeprefix("river:"), columns)
        return
    path = Path(source)
    kind = path.suffixes[-2] if path.suffix == ".gz" and len(path.suffixes) > 1 else path.suffix
    try:
        if kind == ".csv":
            yield from _from_csv(path, model_file, columns)
        elif kind == ".ndjson":
            yield from _from_ndjson(path)
        elif kind == ".vw":
            yield from _from_vw(path)
        else:
            raise SendError(f"{source}: --from takes .csv, .ndjson, .vw (or .gz), or river:NAME")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SendError(f"{source}: {error}") from error


def _from_ndjson(path: Path) -> Iterator[Outgoing]:
    decode = msgspec.json.Decoder(_KeyAndId).decode
    for line in _lines(path):
        try:
            found = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # Sent as it is: what is no event is for the learner to refuse, where all can see it.
            yield line, None
            continue
        key = found.key if found.key is not None else found.id
        yield line, None if key is None else key.encode()


def _from_vw(path: Path) -> Iterator[Outgoing]:
    for line in _lines(path):
        head = line.partition(b"|")[0]
        tag = head.rpartition(b" ")[2].removeprefix(b"'") if b"'" in head else b""
        yield line, tag or None


def _lines(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _open(path: Path) -> IO[bytes]:
    open_it = gzip.open if path.suffix == ".gz" else open
    return cast("IO[bytes]", open_it(path, "rb"))


def _from_csv(path: Path, model_file: ModelFile, columns: Columns) -> Iterator[Outgoing]:
    with _open(path) as file:
        text = (line.decode("utf-8-sig" if n == 0 else "utf-8") for n, line in enumerate(file))
        rows = csv.DictReader(text)
        header = list(rows.fieldnames or ())
        _check_columns(path, header, columns)
        names = columns.features or tuple(
            name for name in header if name not in (columns.label, columns.id, columns.key)
        )
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if None in row or None in row.values():
                raise SendError(f"{where}: {len(header)} columns in the header, not in this line")
            yield _event(_row_event(row, names, model_file, columns, where))


def _check_columns(path: Path, header: list[str], columns: Columns) -> None:
    asked = (columns.label, columns.id, columns.key, *(columns.features or ()))
    for name in asked:
        if name is not None and name not in header:
            raise SendError(f"{path}: no column {name!r}{did_you_mean(name, header)}")


def _row_event(
    row: dict[str, str], names: Iterable[str], model_file: ModelFile, columns: Columns, where: str
) -> dict[str, Any]:
    specs = model_file.features or {}
    features = {}
    for name in names:
        if row[name] not in ("", columns.null):
            features[name] = _typed(row[name], specs.get(name), f"{where}: {name}")
    event: dict[str, Any] = {"features": features}
    if columns.label is not None and row[columns.label] not in ("", columns.null):
        event["label"] = _label(row[columns.label], model_file)
    if columns.id is not None:
        event["id"] = row[columns.id]
    if columns.key is not None:
        event["key"] = row[columns.key]
    return event


def _label(text: str, model_file: ModelFile) -> Scalar:
    """The label as the model file has it, else a number where it parses, else the text."""
    for label in model_file.labels or ():
        if text == (str(label).lower() if isinstance(label, bool) else str(label)):
            return label
    return _guessed(text)


def _typed(text: str, spec: FeatureSpec | None, where: str) -> Scalar:
    if spec is None:
        return _guessed(text)
    try:
        if spec.type == "string":
            return text
        if spec.type == "bool":
            return _TRUE_FALSE[text.lower()] if text.lower() in _TRUE_FALSE else bool(int(text))
        return int(text) if spec.type == "int" else float(text)
    except ValueError as error:
        raise SendError(f"{where}: {text[:40]!r} is no {spec.type}") from error


def _guessed(text: str) -> Scalar:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return _TRUE_FALSE.get(text.lower(), text)


def _from_river(name: str, columns: Columns) -> Iterator[Outgoing]:
    for x, y in river_stream(name):
        features = {k: _plain(v) for k, v in x.items()}
        if columns.features is not None:
            features = {k: v for k, v in features.items() if k in columns.features}
        yield _event({"features": features, "label": _plain(y)})


def _plain(value: Any) -> Any:
    """A feature of a River stream as JSON has it."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _event(event: dict[str, Any]) -> Outgoing:
    key = event.get("key", event.get("id"))
    return msgspec.json.encode(event), None if key is None else str(key).encode()
