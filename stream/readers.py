"""What `weir send` reads: files and River's own streams, as records ready to publish."""

import csv
import datetime
import gzip
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from config.model_file import MISSING_IN_CSV, FeatureSpec, Learner, Limits, ModelFile
from config.nearest import did_you_mean
from learner.values import Refusal
from learner.vw_text import parse_line
from stream.errors import StreamError
from stream.streams import require_stream, river_stream

Outgoing = tuple[bytes, bytes | None]
Scalar = bool | int | float | str

_RIVER = "river:"
_KINDS = (".csv", ".ndjson", ".vw")
# Of River's steps, those to which null is something else than absent.
_ASKING = ("Imputer", "OrdinalEncoder")
_TRUE_FALSE = {"true": True, "false": False}
# Python reads 1_000, and digits of every script, as numbers too; a file means text by them.
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS_MAX = 400  # far beyond every limit; a million of them would take a second to read


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
        null: A text that means absent, besides the empty one and the model file's `missing`.
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
    kind, path = _kind(source), Path(source)
    try:
        if kind == _RIVER:
            yield from _from_river(source.removeprefix(_RIVER), columns)
        elif kind == ".csv":
            yield from _from_csv(path, model_file, columns)
        elif kind == ".ndjson":
            yield from _from_ndjson(path)
        else:
            yield from _from_vw(path, model_file.limits)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SendError(f"{source}: {error}") from error


def check_source(source: str, columns: Columns) -> None:
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
        "--columns": columns.features if kind != _RIVER else None,
    }
    idle = [option for option, value in given.items() if value] if kind != ".csv" else []
    if idle:
        raise SendError(f"{source}: {' and '.join(idle)} can be said of CSV files only")
    if kind == _RIVER:
        require_stream(source.removeprefix(_RIVER))
        return
    try:
        _open(Path(source)).close()
    except OSError as error:
        raise SendError(f"cannot read {source}: {error.strerror or error}") from error


def has_labels(source: str, columns: Columns) -> bool:
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


def _from_vw(path: Path, limits: Limits) -> Iterator[Outgoing]:
    for line in _lines(path):
        found = parse_line(line.decode("utf-8", "replace"), limits)
        tag = None if isinstance(found, Refusal) else found.tag
        yield line, None if tag is None else tag.encode()


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
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise SendError(f"{path}: two columns are named {twice[0]!r}")
        _check_columns(path, header, columns)
        names = columns.features or tuple(
            name for name in header if name not in (columns.label, columns.id, columns.key)
        )
        absent = _absent_words(model_file, columns)
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if None in row or None in row.values():
                raise SendError(f"{where}: {len(header)} columns in the header, not in this line")
            yield _event(_row_event(row, names, model_file, columns, absent, where))


def _check_columns(path: Path, header: list[str], columns: Columns) -> None:
    asked = (columns.label, columns.id, columns.key, *(columns.features or ()))
    for name in asked:
        if name is not None and name not in header:
            raise SendError(f"{path}: no column {name!r}{did_you_mean(name, header)}")


def _absent_words(model_file: ModelFile, columns: Columns) -> frozenset[str]:
    """The texts that mean absent in a feature's column; the empty one always does."""
    missing = model_file.missing
    return frozenset({"", columns.null, *(MISSING_IN_CSV if missing is None else missing)})


def _asks_for_nulls(learner: Learner) -> bool:
    """Whether the learner may do something with a null. Where it does not, null is absent."""
    return learner.python is not None or any(name in str(learner.river) for name in _ASKING)


def _row_event(
    row: dict[str, str],
    names: Iterable[str],
    model_file: ModelFile,
    columns: Columns,
    absent: frozenset[str],
    where: str,
) -> dict[str, Any]:
    specs = model_file.features or {}
    present = {name: text for name, text in row.items() if text not in ("", columns.null)}
    features: dict[str, Scalar | None] = {}
    for name in names:
        if row[name].strip() not in absent:
            features[name] = _typed(row[name], specs.get(name), f"{where}: {name}")
        elif _asks_for_nulls(model_file.learner):
            features[name] = None
    event: dict[str, Any] = {"features": features}
    label = present.get(columns.label or "", "")
    if label in _label_texts(model_file) or label.strip() not in absent:
        event["label"] = _label(label, model_file)
    for field, column in (("id", columns.id), ("key", columns.key)):
        if column in present:
            event[field] = present[column]
    return event


def _label_texts(model_file: ModelFile) -> dict[str, Scalar]:
    """How the model file's labels stand in a file."""
    labels = model_file.labels or ()
    return {str(each).lower() if isinstance(each, bool) else str(each): each for each in labels}


def _label(text: str, model_file: ModelFile) -> Scalar:
    """The label as the model file has it, else a number where it parses, else the text."""
    found = _label_texts(model_file).get(text)
    return _guessed(text) if found is None else found


def _typed(text: str, spec: FeatureSpec | None, where: str) -> Scalar:
    if spec is None:
        return _guessed(text)
    if spec.type == "string":
        return text
    kind = {"bool": _bool, "int": _int, "float": _float}[spec.type]
    value = kind(text.strip())
    if value is None:
        raise SendError(f"{where}: {text[:40]!r} is no {spec.type}")
    return value


def _guessed(text: str) -> Scalar:
    """A number where it is one, true or false, else the text."""
    for kind in (_int, _float):
        number = kind(text.strip())
        if number is not None:
            return number
    return _TRUE_FALSE.get(text.lower(), text)


def _bool(text: str) -> bool | None:
    return {**_TRUE_FALSE, "1": True, "0": False}.get(text.lower())


def _int(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) and len(text) <= _DIGITS_MAX else None


def _float(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


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
