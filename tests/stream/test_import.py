"""A real learner goes on after an import: from where its line stood, or from where it begins."""

import functools
from pathlib import Path

import pytest

from api.offline.opened import opened_here
from checkpoints.exporting.believed import verifier_of
from checkpoints.exporting.container import ExportedVersion, read_exported
from checkpoints.exporting.export import write_version
from checkpoints.exporting.importer import Importer
from checkpoints.operating.connection import Connection
from checkpoints.operating.order import Order
from checkpoints.records.line import Line
from checkpoints.records.lineage import accounted, advanced
from stream.source.topics import beginning
from tests.stream.rig import Rig, events, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy, LogLoss]
drift: [{{on: error, detector: ADWIN}}]
checkpoint: {{every_seconds: 0.2}}
"""
ORDER = Order(command="import", reason="tried elsewhere")


def learned(at: Rig, count: int) -> bool:
    head = at.head()
    return head is not None and head.manifest.counts.learned == count


def exported(at: Rig, file: Path) -> ExportedVersion:
    """The head of a line, out of a file."""
    head = at.head()
    assert head is not None
    connection = Connection(store=at.store, keys=at.keys, who="ann")
    written = write_version(connection, at.line.model, head.manifest.name, file)
    return read_exported(written.file, verifier_of([written.public_key]))


def imported(at: Rig, version: ExportedVersion, start: str = "latest") -> None:
    kafka = at.settings("ann").kafka
    importer = Importer(
        at.store,
        at.keys.signer("operator"),
        at.keys.verifier,
        who="ann",
        try_out=lambda found, trust: opened_here(found, trust) and None,
        begin=functools.partial(beginning, kafka, at.model_file, start),
    )
    importer.run(at.line, version, ORDER)


@pytest.fixture
def environments(kafka_server, valkey_server, unique_name, tmp_path):
    """What makes a rig, with keys and a line of its own: theirs, and ours."""

    def made(name: str) -> dict:
        (tmp_path / name).mkdir()
        text = MODEL.format(name=f"{unique_name}-{name}")
        return {"kafka": kafka_server.address, "redis": valkey_server.url,
                "folder": tmp_path / name, "model_text": text}  # fmt: skip

    return made("theirs"), made("ours")


def test_the_learner_goes_on_from_it_where_its_line_stood(environments, tmp_path) -> None:
    """What the line's own events teach the imported model is what they teach the same model that
    never moved: scores and answers are equal to the last bit.
    """
    theirs, ours = environments
    first, own, more = events(300, 1), events(50, 2), events(200, 3)
    with rig(**theirs) as a, rig(**ours) as b:
        a.send_events(first)
        b.send_events(own)
        a.start()
        b.start()
        a.until(lambda: learned(a, 300), "a has learned")
        b.until(lambda: learned(b, 50), "b has learned")

        assert not {*a.keys.verifier.key_ids} & {*b.keys.verifier.key_ids}
        imported(b, exported(a, tmp_path / "a.weir"))
        assert b.head().manifest.counts.forgotten == 50
        a.send_events(more)
        b.send_events(more)
        a.until(lambda: learned(a, 500), "a has learned on")
        b.until(lambda: learned(b, 500), "b has learned on")

        one, other = a.head().manifest, b.head().manifest
        assert other.metrics == one.metrics
        assert b.payload()["probe"]["predicted"] == a.payload()["probe"]["predicted"]
        assert other.kind == "commit"
        assert (other.origin.model, other.origin.learned) == (a.line.model, 300)
        assert other.offsets[f"{b.line.model}.events"] == {"0": 250}
        assert accounted(other) == advanced(other) == 250
        assert (other.learned_here, other.counts.forgotten) == (200, 50)


@pytest.mark.parametrize(("start", "first", "learns"), [("latest", 60, 200), ("earliest", 0, 260)])
def test_a_line_that_has_no_version_begins_with_it(
    environments, tmp_path, start, first, learns
) -> None:
    """The learner is started without `--new`, and killed in between: nothing is learned twice."""
    theirs, ours = environments
    with rig(**theirs) as a, rig(**ours, partitions=2) as b:
        a.send_events(events(300, 1))
        a.start()
        a.until(lambda: learned(a, 300), "a has learned")
        b.send_events(events(60, 2))

        imported(b, exported(a, tmp_path / "a.weir"), start)
        b.send_events(events(200, 3))
        learner = b.start(begins_if_untouched=False)
        b.until(lambda: b.head().manifest.counts.learned > 300, "b learns")
        b.kill(learner)
        b.start("second", begins_if_untouched=False)
        b.until(lambda: learned(b, 300 + learns), "b has learned")

        found = b.head().manifest
        assert sum(found.begins[f"{b.line.model}.events"].values()) == first
        assert accounted(found) == advanced(found) == learns
        assert (found.learned_here, found.learned_elsewhere) == (learns, 300)
        assert b.store.highest(Line(b.line.model)) == found.number
