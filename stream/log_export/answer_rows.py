"""From a record of the predictions topic to a row."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from stream.log_export.columns import FeatureColumn, number_cell

Row: TypeAlias = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER_BEGINS = frozenset("-0123456789")


class LoggedAnswer(Struct):
    """CONTRACT of the topic: docs/reference/events-and-dead-letters.md."""

    prediction_id: str
    model: str
    version: str
    version_id: str
    learned: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    predicted_at: Annotated[datetime, Meta(tz=True)]
    prediction: Raw
    probabilities: Raw | UnsetType = UNSET
    features: Raw | UnsetType = UNSET
    key: str | None = None


_decode = msgspec.json.Decoder(LoggedAnswer).decode
_decode_features = msgspec.json.Decoder(dict[str, Any]).decode
_decode_text = msgspec.json.Decoder(str).decode


def answer_reader(columns: Sequence[FeatureColumn]) -> Callable[[Any], Row | None]:
    """What makes a row of a record, whatever its bytes; None where it is no answer.

    >>> from types import SimpleNamespace
    >>> value = (b'{"prediction_id":"a","model":"m","version":"v1","version_id":"4f","learned":7,'
    ...          b'"predicted_at":"1970-01-01T00:00:01.250Z","prediction":"UP","key":"k"}')
    >>> record = SimpleNamespace(value=value, topic="t", partition=0, offset=5, timestamp=1251)
    >>> row = answer_reader([])(record)
    >>> row["prediction"], row["prediction_number"], row["predicted_at"], row["features"]
    ('UP', None, 1250, None)
    """

    def row_of(record: Any) -> Row | None:
        try:
            return _row(record, _decode(record.value or b""), columns)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return None

    return row_of


def _row(record: Any, answer: LoggedAnswer, columns: Sequence[FeatureColumn]) -> Row:
    prediction = _json(answer.prediction)
    features = _json(answer.features)
    row = {
        "prediction_id": answer.prediction_id,
        "model": answer.model,
        "version": answer.version,
        "version_id": answer.version_id,
        "learned": answer.learned,
        "predicted_at": (answer.predicted_at - _EPOCH) // _MILLISECOND,
        "prediction": _unquoted(prediction),
        "prediction_number": _number(prediction),
        "probabilities": _json(answer.probabilities),
        "features": features,
        "key": answer.key,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "logged_at": record.timestamp,
    }
    if columns and features is not None:
        row |= _cells(features, columns)
    return row


def _json(raw: Raw | UnsetType) -> str | None:
    """A value as it was written; None where there is none."""
    if isinstance(raw, UnsetType):
        return None
    text = str(memoryview(raw), "utf-8")
    return None if text == "null" else text


def _unquoted(text: str | None) -> str | None:
    return _decode_text(text) if text is not None and text.startswith('"') else text


def _number(text: str | None) -> float | None:
    is_number = text is not None and text[0] in _NUMBER_BEGINS
    return number_cell(float(text)) if is_number and text else None


def _cells(text: str, columns: Sequence[FeatureColumn]) -> Row:
    """The listed features; none of what a stranger wrote that is no object of JSON."""
    try:
        features = _decode_features(text)
    except (ValueError, RecursionError):
        return {}
    return {each.place: each.cell(_found(features, each.feature)) for each in columns}


def _found(features: Mapping[str, Any], name: str) -> Any:
    """A feature by its name; of a nested one that is `outer.inner`."""
    value = features.get(name)
    if value is None and "." in name:
        outer, _, inner = name.partition(".")
        within = features.get(outer)
        value = within.get(inner) if isinstance(within, dict) else None
    return value
