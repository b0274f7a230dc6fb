"""The last dead letters of a model, out of a topic that others write to, too."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from config.model_file import parse_model_file
from config.settings import KafkaSettings, load_settings
from learner.values import Reason, Refusal
from stream.errors import KafkaUnavailableError
from stream.kafka import client as kafka_client
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.letters import LetterReader
from tests.servers import SharedKafka

MODEL = "name: {}\ntask: binary\nlearner: {{river: [linear_model.LogisticRegression]}}\n"


def kafka_at(address: str) -> KafkaSettings:
    return load_settings({"kafka": {"bootstrap_servers": address}}, environ={}).kafka


def refuse(kafka: KafkaSettings, model: str, topic: str, first: int, *reasons: Reason) -> None:
    """A letter for each reason, of offsets from `first` on."""
    with closing(DeadLetters(kafka, model)) as letters:
        for offset, reason in enumerate(reasons, first):
            record = SimpleNamespace(
                topic=topic, partition=0, offset=offset, key=b"k", headers=[],
                value=b"\xff" * (3000 if reason is Reason.too_large else 3),
            )  # fmt: skip
            letters.send(record, Refusal(reason, f"it is {reason.value}", "decode"))
        letters.flush()


def test_they_are_found_by_model_and_reason_the_newest_first(
    kafka_server: SharedKafka, unique_name: str
) -> None:
    kafka = kafka_at(kafka_server.address)
    model_file = parse_model_file(MODEL.format(unique_name))
    topic, model = model_file.topics.events, unique_name
    topics = [topic, model_file.topics.labels, "a.topic.that.is.not.there"]
    kafka_client.create_topics(kafka, model_file, partitions=1)
    refuse(kafka, model, topic, 0, Reason.not_json, Reason.too_large)
    refuse(kafka, "another", topic, 2, *[Reason.not_json] * 130)
    refuse(kafka, model, topic, 132, Reason.bad_label, Reason.not_json)
    reader = LetterReader(kafka)

    found = reader.last(topics, model=model, reason=None, limit=10)
    not_json = reader.last(topics, model=model, reason="not_json", limit=1)

    assert [(it.offset, it.reason) for it in sorted(found, key=lambda it: -it.offset)] == [
        (133, "not_json"), (132, "bad_label"), (1, "too_large"), (0, "not_json"),
    ]  # fmt: skip
    assert [it.at_ms for it in found] == sorted((it.at_ms for it in found), reverse=True)
    (newest,) = not_json
    assert newest.id == f"{topic}-0-133"
    assert (newest.topic, newest.partition, newest.key) == (topic, 0, b"k")
    assert (newest.stage, newest.detail) == ("decode", "it is not_json")
    (large,) = reader.last(topics, model=model, reason="too_large", limit=1)
    assert (large.size, large.value) == (3000, b"\xff" * 1024)


@pytest.fixture
def leaves_sockets() -> Iterator[None]:
    """kafka-python leaves the sockets of attempts that failed open: they go here, unnoticed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_kafka_that_is_away_is_named(
    leaves_sockets: None, caplog: pytest.LogCaptureFixture
) -> None:
    reader = LetterReader(kafka_at("127.0.0.1:1"))

    with pytest.raises(KafkaUnavailableError, match=r"127\.0\.0\.1:1"):
        reader.last(["t"], model="m", reason=None, limit=1)
    caplog.clear()
