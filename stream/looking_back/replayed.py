"""`weir replay-prediction`: an answer of the log, given again by the version that gave it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
from msgspec import Struct

from checkpoints.errors import NoSuchVersion
from checkpoints.operating.not_found import dropped
from checkpoints.reading.reader import LineReader
from checkpoints.records.manifest import Version, version_number
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.values import Features, Refusal
from stream.errors import PredictionGoneError, PredictionNotFoundError
from stream.kafka import client as kafka_client
from stream.kafka.log_reader import LogReader, Span
from stream.looking_back.judging.models import VersionModels
from stream.looking_back.progress import LookProgress

Body = dict[str, Any]


class LoggedPrediction(Struct):
    """An answer as the log has it.

    CONTRACT of the topic: docs/reference/events-and-dead-letters.md.
    """

    prediction_id: str
    model: str
    version: str
    version_id: str
    predicted_at: str
    prediction: Any
    probabilities: dict[str, float | None] | None = None
    features: Features | None = None


_decode = msgspec.json.Decoder(LoggedPrediction).decode


class LoggedAt(Struct, frozen=True):
    """An answer, and where it stands."""

    answer: LoggedPrediction
    topic: str
    partition: int
    offset: int


def replay_prediction(
    kafka: KafkaSettings,
    reader: LineReader,
    models: VersionModels,
    model_file: ModelFile,
    prediction_id: str,
    *,
    since_ms: int | None = None,
) -> Body:
    """The answer that was logged, and the one that its version gives now.

    Args:
        model_file: Of the head: where the log is.
        since_ms: The log is read from then on; None: from its beginning.

    Raises:
        PredictionNotFoundError: There is no such answer in the log.
        PredictionGoneError: It, its features or its version is not kept any more.
        CheckpointError: The version does not verify, or cannot be loaded.
        KafkaUnavailableError, TopicMissingError: The log cannot be read.
    """
    found = _found(kafka, model_file, prediction_id, since_ms)
    answer = found.answer
    if answer.features is None:
        raise PredictionGoneError(
            f"{_place(found)} was logged without its features (`log: {{features: false}}` in the "
            "model file): it cannot be asked again"
        )
    version = _version(reader, found)
    model, _ = models.load(version)
    given = model.predict(answer.features)
    logged = _plain(answer.prediction, answer.probabilities)
    replayed = {"refused": given.detail} if isinstance(given, Refusal) else _of(given)
    return {
        "prediction_id": answer.prediction_id,
        "model": answer.model,
        "version": answer.version,
        "version_id": answer.version_id,
        "predicted_at": answer.predicted_at,
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "logged": logged,
        "replayed": replayed,
        "equal": logged == replayed,
    }


def _of(given: Body) -> Body:
    """An answer as it would have been logged: through JSON and back."""
    written = msgspec.json.decode(msgspec.json.encode(given))
    return _plain(written["prediction"], written.get("probabilities"))


def _plain(prediction: Any, chances: dict[str, float | None] | None) -> Body:
    return {"prediction": prediction} | ({} if chances is None else {"probabilities": chances})


def _found(
    kafka: KafkaSettings, model_file: ModelFile, prediction_id: str, since_ms: int | None
) -> LoggedAt:
    """The first answer with this id."""
    name = model_file.topics.predictions
    topic = kafka_client.require(kafka, [name])[name]
    with closing(LogReader(kafka)) as reader:
        spans = reader.spans(topic, since_ms)
        for found in _answers(reader, spans, prediction_id):
            if found.answer.model == model_file.name:
                return found
        has_lost = any(span.begin for span in reader.spans(topic, None))
    what = f"model {model_file.name}: no answer {prediction_id[:100]!r} on topic {name}"
    if since_ms is not None:
        raise PredictionNotFoundError(f"{what} from that time on: leave --from out")
    if has_lost:
        raise PredictionGoneError(
            f"{what}: retention has deleted its oldest records, perhaps this one; raise "
            "`retention.ms` of the topic to keep answers for longer, or `weir log export` them"
        )
    raise PredictionNotFoundError(f"{what}: check the id, and `log.predictions` in the model file")


def _answers(reader: LogReader, spans: list[Span], prediction_id: str) -> Iterator[LoggedAt]:
    """The answers with this id, as they come."""
    total = sum(span.end - span.begin for span in spans)
    progress = LookProgress("answers of the log read", total)
    sought = msgspec.json.encode(prediction_id)
    for records in reader.records(spans):
        for record in records:
            if sought not in (record.value or b""):
                continue
            answer = _decoded(record.value)
            if answer is not None and answer.prediction_id == prediction_id:
                yield LoggedAt(answer, record.topic, record.partition, record.offset)
        progress.add(len(records))


def _decoded(value: bytes) -> LoggedPrediction | None:
    """The answer that a record is; None of what a stranger wrote there."""
    try:
        return _decode(value)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _version(reader: LineReader, found: LoggedAt) -> Version:
    try:
        return reader.version_by_id(found.answer.version_id)
    except NoSuchVersion as error:
        gone = dropped(reader, reader.line, _number(found.answer.version))
        raise PredictionGoneError(
            f"{_place(found)} was given by {found.answer.version}: {gone}"
        ) from error


def _number(name: str) -> int:
    try:
        return version_number(name)
    except ValueError:  # a stranger's record
        return 0


def _place(found: LoggedAt) -> str:
    name = found.answer.prediction_id[:100]
    return f"answer {name!r} ({found.topic}-{found.partition} at offset {found.offset})"
