"""What of the log can be read again, and the last labelled events before a version."""

from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from checkpoints.records.line import Line
from checkpoints.records.manifest import Manifest, TopicAnchors
from config.model_file import ModelFile, parse_model_file
from config.settings import KafkaSettings
from stream.looking_back.event_log import EventLog
from tests.checkpoints.builders import a_manifest

MODEL = """
name: {name}
task: binary
learner: {{river: [linear_model.LogisticRegression]}}
"""


class Topics:
    """Two partitions of events, and labels apart."""

    def __init__(self, address: str, model_file: ModelFile) -> None:
        self.kafka = KafkaSettings(bootstrap_servers=address)
        self.model_file = model_file
        self.events, self.labels = model_file.topics.events, model_file.topics.labels

    def send(self, topic: str, *values: object, partition: int = 0) -> None:
        with closing(KafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers)) as producer:
            for value in values:
                producer.send(topic, msgspec.json.encode(value), partition=partition)
            producer.flush()

    def manifest(self, offsets: dict[str, dict[str, int]], **fields: object) -> Manifest:
        return a_manifest(
            Line(self.model_file.name), offsets=offsets,
            begins={topic: dict.fromkeys(of, 0) for topic, of in offsets.items()}, **fields,
        )  # fmt: skip

    def log(self, manifest: Manifest) -> EventLog:
        return EventLog(self.kafka, self.model_file, manifest)


@pytest.fixture
def topics(kafka_server, make_topic: Callable[..., str], unique_name: str) -> Iterator[Topics]:
    make_topic(partitions=2)
    make_topic(suffix="labels")
    return Topics(kafka_server.address, parse_model_file(MODEL.format(name=unique_name)))


def event(number: int, **more: object) -> dict[str, object]:
    return {"features": {"n": number}, "label": number % 2 == 0, **more}


def test_the_last_labelled_events_are_those_before_the_version(topics: Topics) -> None:
    """Over the partitions; what came after it is not among them."""
    topics.send(topics.events, *(event(n) for n in range(60)))
    topics.send(topics.events, *(event(n) for n in range(100, 140)), partition=1)
    manifest = topics.manifest({topics.events: {"0": 50, "1": 30}})

    with closing(topics.log(manifest)) as log:
        found = [each.features["n"] for each in log.last_labelled(manifest, 20)]
        everything = log.last_labelled(manifest, 500)

    assert len(found) == 20
    assert set(found) <= {*range(50), *range(100, 130)}
    assert {129, 128} <= set(found)
    assert len(everything) == 80


def test_labels_that_are_rare_are_sought_further_back(topics: Topics) -> None:
    """And one that came on its own is put to its event."""
    rows = [event(n, label=None, id=f"e{n}") for n in range(300)]
    topics.send(topics.events, *rows)
    topics.send(topics.labels, *({"id": f"e{n}", "label": True} for n in (7, 260)))
    manifest = topics.manifest({topics.events: {"0": 300}, topics.labels: {"0": 2}})

    with closing(topics.log(manifest)) as log:
        found = log.last_labelled(manifest, 30)

    assert [(each.features["n"], each.label) for each in found] == [(7, True), (260, True)]


def test_what_retention_deleted_is_counted(topics: Topics) -> None:
    topics.send(topics.events, *(event(n) for n in range(40)))
    with closing(KafkaAdminClient(bootstrap_servers=topics.kafka.bootstrap_servers)) as admin:
        admin.delete_records({TopicPartition(topics.events, 0): 25})
    manifest = topics.manifest({topics.events: {"0": 40}})

    with closing(topics.log(manifest)) as log:
        held = log.held({topics.events: {"0": [(10, 40)]}})
        read = [each.record.offset for each in log.read(held.spans, limit=5)]

    assert (held.offsets, held.gone, held.why) == (15, 15, "retention has deleted them")
    assert read == [25, 26, 27, 28, 29]


@pytest.mark.parametrize("topic_id", ["another", None])
def test_another_log_is_not_read(topics: Topics, topic_id: str | None) -> None:
    """A topic that was created anew, or is not there any more."""
    name = topics.events if topic_id else f"{topics.events}.gone"
    anchors = {name: TopicAnchors(topic_id=topic_id or "x", partitions={})}
    manifest = topics.manifest({name: {"0": 10}}, anchors=anchors)

    with closing(topics.log(manifest)) as log:
        held = log.held({name: {"0": [(0, 10)]}})

    assert (held.spans, held.gone) == ([], 10)
    assert ("created anew" if topic_id else "there is no topic") in held.why
