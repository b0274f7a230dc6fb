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
from checkpoints.reading.lineages import Lineages
from config.model_file import parse_model_file
from config.processes.stopping import Stop
from stream.errors import TopicMissingError
from stream.trying.beside.version import BesideVersion, beside_version, told
from stream.trying.candidates import Candidate
from stream.trying.kafka_source import (
    KafkaLog,
    LogGoneError,
    NotAVersionError,
    NotOfThisLogError,
    check_log,
    recorded_stretch,
    whole_stretch,
)
from stream.trying.progress import TrialProgress
from stream.trying.rows import TrialRow
from stream.trying.side_by_side import Comparison, SideBySide
from stream.trying.sources import TrialSource
from tests.stream.ordered_line import Line, kept
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
    stretch = recorded_stretch(lineages(at), version)
    check_log(kafka, stretch)
    return KafkaLog(kafka, at.model_file, stretch, limit=None)


def lineages(at: Rig) -> Lineages:
    return Lineages(at.store, at.keys.verifier, at.line)


def compared(at: Rig, version: str, text: str = "") -> tuple[TrialRow, BesideVersion]:
    """The row of the model, or of another one, and how it compares with the version."""
    source, text = recorded(at, version), text or at.model_text
    (row,) = tried(source, text).rows
    assert source.version is not None
    passes = source.passes_rollback
    return row, beside_version(row, parse_model_file(text), source.version, passes_rollback=passes)


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


def rolled_back(at: Rig, to: str) -> None:
    """Have what came after this version forgotten."""
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="test")
    order = Order(command="rollback", to=to, mode="forget", reason="a test of what is left")
    operator.run(at.line, order)


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
        row, beside = compared(at, version.manifest.name)
        for window in ("lifetime", "rolling", "fading"):
            assert {n: getattr(s, window) for n, s in row.metrics.items()} == {
                n: s[window] for n, s in version.manifest.metrics.items()
            }
        assert row.learned == version.manifest.counts.learned
        assert beside.is_exact
        assert told(row, beside).startswith(
            f"{at.line.model}: exactly the scores of {version.manifest.name}"
        )


def test_another_model_in_a_versions_place_is_not_called_equal(at: Rig) -> None:
    """Whatever scores it has; nor is one that the records were not learned by."""
    process = at.start()
    learned(at, 60, 1)
    at.stop(process)
    name = at.head().manifest.name
    learner = "[preprocessing.StandardScaler, linear_model.LogisticRegression]"
    tree = at.model_text.replace(learner, "[tree.HoeffdingTreeClassifier]")
    other = at.model_text.replace("[Accuracy, LogLoss]", "[F1]")

    row, beside = compared(at, name, tree)
    assert (beside.other, beside.is_exact) == (("learner",), False)
    assert told(row, beside).endswith("was learned by another model file (learner)")
    assert compared(at, name, other)[1].is_exact, "of what both tell"

    row, beside = compared(at, name)
    wrong = beside_version(
        msgspec.structs.replace(row, refused=3), at.model_file,
        at.head().manifest, passes_rollback=False,
    )  # fmt: skip
    assert wrong.differences == ("refused 3 for 0",)
    assert told(row, wrong) == f"{row.model}: not the scores of {name}: refused 3 for 0"


def test_what_a_rewind_replayed_is_learned_again(place: dict[str, Any]) -> None:
    """And nothing that it left out: the rewind's own version, and one that goes on from it."""
    with rig(**kept(place)) as at:
        at.start()
        line = Line(at)
        good = line.learns(100)
        line.learns(100, bad=range(150, 160))
        line.rewind(good, "0:150-159", "id:e-120")
        head = line.learns(30)
        made = next(each for each in at.reader().versions(limit=500) if each.manifest.rewind)

        for version in (made, head):
            row, beside = compared(at, version.manifest.name)
            assert beside.is_exact, told(row, beside)
        assert row.learned == 230 - 11


def test_ids_that_a_rollback_left_known_are_said_to_make_the_difference(at: Rig) -> None:
    """A trial from the beginning does not know them: it is said, and is not taken for equal."""
    process = at.start()
    learned(at, 90, 1)
    back_to = at.head()
    named = [{**each, "id": f"e{n}"} for n, each in enumerate(events(90, 2))]
    at.send_events(named)
    at.until(lambda: at.consumed() == 180, "all is learned")
    rolled_back(at, back_to.manifest.name)
    at.send_events(named)  # each is a duplicate to the learner, though the model forgot it
    at.until(lambda: at.consumed() == 270, "all is refused")
    at.stop(process)

    row, beside = compared(at, at.head().manifest.name)

    assert (row.learned, at.head().manifest.counts.learned) == (180, 90)
    assert "learned 180 for 90" in beside.differences
    assert "; a rollback lies on the way there: " in told(row, beside)
    assert f"weir rebuild {row.model} v" in told(row, beside)


def test_what_a_rollback_forgot_is_not_learned(at: Rig) -> None:
    """A version made after it stands on the one gone back to, and on what came later."""
    process = at.start()
    learned(at, 300, 1)
    back_to = at.head()
    assert back_to is not None
    learned(at, 300, 2)
    rolled_back(at, back_to.manifest.name)
    learned(at, 300, 3)
    at.stop(process)

    head = at.head()
    assert head is not None
    row, beside = compared(at, head.manifest.name)

    assert row.learned == head.manifest.counts.learned == 600
    assert (beside.passes_rollback, beside.is_exact) == (True, True)


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
    stretch = recorded_stretch(lineages(at), at.head().manifest.name)
    first = stretch.spans[0]
    beyond = stretch._replace(spans=(first._replace(end=10_000),))

    with pytest.raises(NotAVersionError, match="--end 3: '3' is no version"):
        recorded_stretch(lineages(at), "3")
    with pytest.raises(NoSuchVersion):
        recorded_stretch(lineages(at), "v999")
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


def test_events_that_wait_over_a_rollback_are_refused(
    place: dict[str, Any], unique_name: str
) -> None:
    """Those that it made the model forget wait on: no trial from the beginning has them."""
    with rig(**{**place, "model_text": LATE.format(name=unique_name)}) as at:
        process = at.start()
        learned(at, 30, 1)
        back_to = at.head().manifest.name
        assert recorded_stretch(lineages(at), back_to).passes_rollback is False
        learned(at, 30, 2)
        rolled_back(at, back_to)
        learned(at, 30, 3)
        at.stop(process)
        name = at.head().manifest.name

        with pytest.raises(NotOfThisLogError, match=f"weir rebuild {unique_name} {name}"):
            recorded_stretch(lineages(at), name)
