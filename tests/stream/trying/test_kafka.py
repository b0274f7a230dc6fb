"""What a version learned, learned again from its topic: its very numbers."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from checkpoints.errors import NoSuchVersion
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from config.model_file import parse_model_file
from config.processes.stopping import Stop
from stream.errors import TopicMissingError
from stream.trying.candidates import Candidate
from stream.trying.kafka_source import (
    KafkaLog,
    LogGoneError,
    NotAVersionError,
    check_log,
    recorded_stretch,
    whole_stretch,
)
from stream.trying.progress import TrialProgress
from stream.trying.rows import TrialRow, beside_version
from stream.trying.side_by_side import Comparison, SideBySide
from stream.trying.sources import TrialSource
from tests.stream.rig import Rig, events, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy, LogLoss]
checkpoint: {{every_seconds: 0.05, keep: {{last: 3, minutely: 0, hourly: 0, daily: 0}}}}
"""


def tried(source: TrialSource, *texts: str) -> Comparison:
    """These models on this source."""
    candidates = [Candidate(path="m.yaml", model_file=parse_model_file(text)) for text in texts]
    return SideBySide(candidates, source).run(Stop(), TrialProgress(source.name, source.total()))


def recorded(at: Rig, version: str) -> KafkaLog:
    """What this version learned."""
    kafka = at.settings("try").kafka
    stretch = recorded_stretch(at.reader(), at.store, at.keys.verifier, version)
    check_log(kafka, stretch)
    return KafkaLog(kafka, at.model_file, stretch, limit=None)


def row_to(at: Rig, version: str) -> TrialRow:
    (row,) = tried(recorded(at, version), at.model_text).rows
    return row


@pytest.fixture
def at(place: dict[str, Any], unique_name: str) -> Iterator[Rig]:
    """Three partitions: in which order their records were learned is the learner's own."""
    with rig(**{**place, "model_text": MODEL.format(name=unique_name)}, partitions=3) as made:
        yield made


def learned(at: Rig, count: int, seed: int) -> None:
    """Have so many events more learned, while a learner runs."""
    before = at.consumed()
    at.send_events(events(count, seed))
    at.until(lambda: at.consumed() == before + count, "all is learned")


def oldest(at: Rig) -> int:
    """The number of the oldest version kept; those before it are folded into it."""
    found = at.reader().versions(limit=30)
    return found[-1].number if found else 1


def test_a_versions_numbers_come_again(at: Rig) -> None:
    """From several partitions, in the order that its lineage tells, pruned versions and all."""
    process = at.start()
    seeds = itertools.count()
    while oldest(at) == 1:
        learned(at, 300, next(seeds))
    at.stop(process)

    head = at.head()
    assert head is not None
    middle = at.reader().versions(limit=30)[-1]
    for version in (head, middle):
        row = row_to(at, version.manifest.name)
        assert {n: s.lifetime for n, s in row.metrics.items()} == {
            n: s["lifetime"] for n, s in version.manifest.metrics.items()
        }
        assert row.learned == version.manifest.counts.learned
        assert beside_version(row, version.manifest).startswith(
            f"{at.line.model}: exactly the scores of {version.manifest.name}"
        )


def test_what_a_rollback_forgot_is_not_learned(at: Rig) -> None:
    """A version made after it stands on the one gone back to, and on what came later."""
    process = at.start()
    learned(at, 300, 1)
    back_to = at.head()
    assert back_to is not None
    learned(at, 300, 2)
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="test")
    order = Order(
        command="rollback", to=back_to.manifest.name, mode="forget", reason="a test of what is left"
    )
    operator.run(at.line, order)
    learned(at, 300, 3)
    at.stop(process)

    head = at.head()
    assert head is not None
    row = row_to(at, head.manifest.name)

    assert row.learned == head.manifest.counts.learned == 600
    assert row.metrics["Accuracy"].lifetime == head.manifest.metrics["Accuracy"]["lifetime"]


def test_a_topic_is_read_to_its_end(at: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a store; of several partitions in the order of their times, which is said."""
    sent = events(500, seed=4)
    at.send_events(sent)
    kafka = at.settings("try").kafka

    source = KafkaLog(kafka, at.model_file, whole_stretch(kafka, at.model_file), limit=None)
    several = tried(source, at.model_text, at.model_text)

    assert (several.records, [row.learned for row in several.rows]) == (500, [500, 500])
    assert source.total() == 500
    assert "3 partitions, taken in the order of their records' times" in capsys.readouterr().err


def test_a_limit_ends_it_where_it_is(at: Rig) -> None:
    """In the midst of a run."""
    at.send_events(events(500, seed=4))
    kafka = at.settings("try").kafka

    source = KafkaLog(kafka, at.model_file, whole_stretch(kafka, at.model_file), limit=130)

    assert tried(source, at.model_text).rows[0].learned == 130


def test_what_is_not_there_is_told(at: Rig) -> None:
    """No version, no such version, records that the log has not, a topic of another model."""
    process = at.start()
    learned(at, 30, 1)
    at.stop(process)
    kafka, other = at.settings("try").kafka, parse_model_file(MODEL.format(name="no-such-model"))
    stretch = recorded_stretch(at.reader(), at.store, at.keys.verifier, at.head().manifest.name)
    first = stretch.spans[0]
    beyond = stretch._replace(spans=(first._replace(end=10_000),))

    with pytest.raises(NotAVersionError, match="--end 3: '3' is no version"):
        recorded_stretch(at.reader(), at.store, at.keys.verifier, "3")
    with pytest.raises(NoSuchVersion):
        recorded_stretch(at.reader(), at.store, at.keys.verifier, "v999")
    with pytest.raises(LogGoneError, match="up to offset 10000, and the log ends at 10"):
        check_log(kafka, beyond)
    with pytest.raises(TopicMissingError):
        whole_stretch(kafka, other)


LATE = MODEL + "late_labels: {{}}\n"


def test_labels_of_their_own_topic_come_in_the_recorded_order(
    place: dict[str, Any], unique_name: str
) -> None:
    """An event is scored by the prediction at its place, learned at that of its label."""
    text = LATE.format(name=unique_name)
    with (
        rig(**{**place, "model_text": text}) as at,
        closing(KafkaProducer(bootstrap_servers=at.kafka)) as producer,
    ):
        process = at.start()
        made = events(300, seed=5)
        for n, event in enumerate(made):
            body = {"id": f"e{n}", "features": event["features"]}
            producer.send(at.model_file.topics.events, msgspec.json.encode(body))
            if n >= 20:
                label = {"id": f"e{n - 20}", "label": made[n - 20]["label"]}
                producer.send(at.model_file.topics.labels, msgspec.json.encode(label))
        producer.flush()
        at.until(lambda: at.consumed() == 580, "all is taken")
        at.stop(process)

        manifest = at.head().manifest
        row = row_to(at, manifest.name)

    assert (
        (row.learned, row.pending)
        == (280, 20)
        == (manifest.counts.learned, manifest.counts.pending)
    )
    assert row.metrics["LogLoss"].lifetime == manifest.metrics["LogLoss"]["lifetime"]
