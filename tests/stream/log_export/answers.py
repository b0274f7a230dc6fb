"""A model's topics, and what tests of its log put there."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from kafka import KafkaProducer

from config.model_file import ModelFile, parse_model_file
from config.settings import KafkaSettings
from stream.kafka import client
from stream.log_export.export import Exported, Period, export

MODEL = "name: {name}\ntask: binary\nlearner: {{river: [linear_model.LogisticRegression]}}\n"
# An hour ago: what is older than its topic's retention, the broker deletes while a test reads it.
BEGAN_MS = (int(time.time()) - 3600) * 1000


def answer(prediction_id: str, **fields: Any) -> dict[str, Any]:
    """What the API logs, as far as `fields` say nothing else."""
    usual = {
        "prediction_id": prediction_id,
        "model": "orders",
        "version": "v17",
        "version_id": "4f1c",
        "learned": 1250,
        "predicted_at": "2026-03-01T09:30:00.250Z",
        "prediction": False,
        "probabilities": {"true": 0.2, "false": 0.8},
        "features": {"amount": 99.0},
    }
    return usual | fields


def _bytes(value: Any) -> bytes | None:
    return value if isinstance(value, bytes | None) else json.dumps(value).encode()


class ModelTopics(NamedTuple):
    """The topics of a model, on a real broker."""

    kafka: KafkaSettings
    model_file: ModelFile

    def send(self, topic: str, *values: Any, at_ms: int = BEGAN_MS, partition: int = 0) -> None:
        """Publish, one after the other, each a millisecond later; bytes as they are."""
        with closing(KafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers)) as producer:
            sent = [
                producer.send(
                    topic, _bytes(value), key=b"k", partition=partition, timestamp_ms=at_ms + number
                )
                for number, value in enumerate(values)
            ]
            producer.flush()
            assert all(each.succeeded() for each in sent)

    def answers(self, *values: Any, **options: Any) -> None:
        self.send(self.model_file.topics.predictions, *values, **options)

    def labels(self, *values: Any, **options: Any) -> None:
        self.send(self.model_file.topics.labels, *values, **options)

    def events(self, *values: Any, **options: Any) -> None:
        self.send(self.model_file.topics.events, *values, **options)

    def export(self, path: Path, **period: int) -> Exported:
        return export(self.kafka, self.model_file, path, Period(**period))


def rfc3339(at_ms: int) -> str:
    """A moment, as people type it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


MakeTopics = Callable[..., ModelTopics]


def made(address: str, name: str, *, more: str = "", partitions: int = 1) -> ModelTopics:
    """New topics of a model whose file has `more`."""
    kafka = KafkaSettings(bootstrap_servers=address)
    model_file = parse_model_file(MODEL.format(name=name) + more)
    client.create_topics(kafka, model_file, partitions=partitions)
    return ModelTopics(kafka, model_file)


def rows(path: Path) -> list[dict[str, Any]]:
    """What is in a Parquet file, in the order of the topic, by the names of its columns."""
    with closing(duckdb.connect()) as database:
        content = database.read_parquet(str(path)).order('"partition", "offset"')
        return [dict(zip(content.columns, row, strict=True)) for row in content.fetchall()]


def kinds(path: Path) -> dict[str, str]:
    """The columns of a Parquet file, each with its type."""
    with closing(duckdb.connect()) as database:
        found = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)])
        return {name: kind for name, kind, *_ in found.fetchall()}
