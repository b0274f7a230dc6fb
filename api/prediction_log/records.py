"""From what was asked and answered to the records of the predictions topic."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from config.model.answer_log import AnswerLog
from config.traces.context import HEADER


class Note(Struct, frozen=True, array_like=True):
    """One request that was answered.

    Attributes:
        model: Who was asked.
        at_ms: When, Unix time.
        count: How many of its answers are to be written down.
        request: The body that was sent, a `PredictBody`.
        answer: The body that was answered.
        trace: Its `traceparent`, where it is traced.
    """

    model: str
    at_ms: int
    count: int
    request: bytes
    answer: bytes
    trace: bytes = b""


class LogRecord(NamedTuple):
    """One record.

    Attributes:
        at_ms: When it was answered, Unix time.
    """

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    at_ms: int


class _Asked(Struct):
    features: Raw | UnsetType = UNSET
    instances: list[Raw] | UnsetType = UNSET
    key: str | None = None


class _Answered(Struct):
    """One answer. What is passed on is passed on as it was written."""

    prediction: Raw
    prediction_id: str
    model: Raw
    version: Raw
    version_id: Raw
    learned: Raw
    probabilities: Raw | UnsetType = UNSET


class _AllAnswered(Struct):
    predictions: list[_Answered]


class _Logged(Struct, omit_defaults=True):
    """CONTRACT of the topic: docs/reference/events-and-dead-letters.md."""

    prediction_id: str
    model: Raw
    version: Raw
    version_id: Raw
    learned: Raw
    predicted_at: str
    prediction: Raw
    probabilities: Raw | UnsetType = UNSET
    features: Raw | UnsetType = UNSET
    key: str | UnsetType = UNSET


notes_to_bytes = msgspec.msgpack.Encoder().encode
notes_from_bytes = msgspec.msgpack.Decoder(list[Note]).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_one = msgspec.json.Decoder(_Answered).decode
_decode_several = msgspec.json.Decoder(_AllAnswered).decode
_encode = msgspec.json.Encoder().encode


def records(note: Note, answer_log: AnswerLog) -> Iterator[LogRecord]:
    """The records of a request's answers, as many as `note.count`.

    >>> note = Note("m", 1_700_000_000_250, 1, b'{"features": {"a": 1.50}, "key": "k"}',
    ...             b'{"prediction": true, "prediction_id": "x", "model": "m", "version": "v1", '
    ...             b'"version_id": "4f1c", "learned": 7, "age_seconds": 0.1}')
    >>> key, value, _, _ = next(records(note, AnswerLog()))
    >>> key, value[value.index(b'"predicted_at') :]
    (b'k', b'"predicted_at":"2023-11-14T22:13:20.250Z","prediction":true,"features":{"a": 1.50},\
"key":"k"}')
    """
    asked = _decode_asked(note.request)
    answers: Sequence[_Answered]
    if isinstance(asked.instances, UnsetType):
        answers, features = [_decode_one(note.answer)], [asked.features]
    else:
        answers, features = _decode_several(note.answer).predictions, list(asked.instances)
    at = _rfc3339(note.at_ms)
    headers = ((HEADER, note.trace),) if note.trace else ()
    for answer, given in zip(answers, features, strict=True):
        if answer_log.holds(answer.prediction_id):
            value = _value(answer, given if answer_log.features else UNSET, asked.key, at)
            key = (asked.key or answer.prediction_id).encode()
            yield LogRecord(key, value, headers, note.at_ms)


def _value(answer: _Answered, features: Raw | UnsetType, key: str | None, at: str) -> bytes:
    value = _Logged(
        prediction_id=answer.prediction_id,
        model=answer.model,
        version=answer.version,
        version_id=answer.version_id,
        learned=answer.learned,
        predicted_at=at,
        prediction=answer.prediction,
        probabilities=answer.probabilities,
        features=features,
        key=UNSET if key is None else key,
    )
    return _encode(value)


@lru_cache(maxsize=8)  # as quickly as they come, many have one
def _rfc3339(at_ms: int) -> str:
    seconds, milliseconds = divmod(at_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
