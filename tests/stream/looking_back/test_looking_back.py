"""Looking back on a line that was poisoned: a real broker, a real store, a real learner."""

import json
import re
import uuid
from collections.abc import Iterator

import msgspec
import pytest

from checkpoints.reading.views import timestamp
from checkpoints.unpickle import loads
from learner.served_model import ServedModel
from tests.stream.looking_back.judging.poisoned import POISONS
from tests.stream.looking_back.line import PoisonedLine, poisoned_line


@pytest.fixture(scope="module")
def line(request, kafka_server, valkey_server, tmp_path_factory) -> Iterator[PoisonedLine]:
    """A line for each process that runs some of these tests: their Kafka is one."""
    folder = tmp_path_factory.mktemp("looking-back")
    poison = getattr(request, "param", "flipped")
    name = f"looking-back-{poison}-{uuid.uuid4().hex[:8]}"
    with poisoned_line(
        poison, name=name, kafka=kafka_server.address, redis=valkey_server.url,
        folder=folder,
    ) as made:  # fmt: skip
        yield made


@pytest.mark.parametrize("line", POISONS, indirect=True)
def test_blame_finds_the_first_version_of_the_poisoned_stretch(line: PoisonedLine) -> None:
    """With what it had learned, and the command that takes it out."""
    model = line.at.line.model
    since = line.version_at(line.poison[0] // 2).manifest.name

    code, out, err = line.weir("blame", model, "--since", since, "--metric", "Accuracy", "--json")

    assert code == 0, err
    found = json.loads(out)
    topic, (first, end) = f"{model}.events", line.poison
    good, bad = (
        line.at.reader().version(int(found[key]["version"][1:])).manifest.offsets[topic]["0"]
        for key in ("last_good", "first_bad")
    )
    assert good == first < bad
    assert found["between"]["complete"]
    assert [(s["source"], s["records"]) for s in found["between"]["sources"]] == [
        ("scraper", bad - good)
    ]
    assert found["next"].startswith(
        f"weir rollback {model} {found['last_good']['version']} --mode rewind --skip 0:{first}-"
    )
    assert found["next_by_source"] == (
        f"weir rollback {model} {found['last_good']['version']} --mode rewind "
        "--skip source:scraper --reason TEXT"
    )
    last = int(re.search(r"--skip 0:\d+-(\d+) ", found["next"])[1])
    assert last >= end - 1


def test_blame_takes_good_events_from_a_file(line: PoisonedLine) -> None:
    """The same answer, for people."""
    model = line.at.line.model
    probe = line.at.folder / "good.ndjson"
    rows = [{"features": x, "label": y} for x, y in line.pairs[:300]]
    probe.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    since = line.version_at(line.poison[0] // 2).manifest.name
    bad = line.version_at(line.poison[0] + 1).manifest.name

    code, out, err = line.weir("blame", model, "--since", since, "--probe", str(probe))

    assert code == 0, err
    assert f"first bad: {bad} (" in out
    assert "scraper" in out
    assert f"next: weir rollback {model}" in out
    assert "300 of them" in err


def test_a_stretch_that_is_good_is_not_blamed(line: PoisonedLine) -> None:
    """Said, and no error."""
    after = line.version_at(line.poison[1] + 400).manifest.name

    code, out, err = line.weir(
        "blame", line.at.line.model, "--since", after, "--metric", "Accuracy", "--json"
    )

    assert code == 0, err
    assert json.loads(out)["first_bad"] is None


def test_diff_tells_what_was_learned_and_what_it_moved(line: PoisonedLine) -> None:
    """Between two good versions one source, across the poison two; predictions move more."""
    model = line.at.line.model
    before, good = (line.version_at(line.poison[0] - n) for n in (200, 0))
    after = line.version_at(line.poison[1])
    names = [each.manifest.name for each in (before, good, after)]

    code, out, err = line.weir("diff", model, names[0], names[1], "--json")
    assert code == 0, err
    quiet = json.loads(out)
    loud = json.loads(line.weir("diff", model, names[0], names[2], "--json")[1])
    code, out, err = line.weir("diff", model, names[0], names[2])

    sources = {each["source"]: each for each in loud["between"]["sources"]}
    assert code == 0, err
    assert [each["source"] for each in quiet["between"]["sources"]] == ["shop"]
    assert sum(each["records"] for each in sources.values()) == (
        after.manifest.counts.learned - before.manifest.counts.learned
    )
    assert sources["scraper"]["records"] == 300
    assert sum(sources["scraper"]["labels"].values()) == 300
    assert loud["predictions"]["events"] == 200
    assert loud["predictions"]["moved"]["mean"] > quiet["predictions"]["moved"]["mean"]
    assert [each["of"] for each in loud["probes"]] == [names[0], names[2]]
    assert loud["metrics"]["Accuracy"]["lifetime"] == [
        each.manifest.metrics["Accuracy"]["lifetime"] for each in (before, after)
    ]
    assert "scraper" in out


def test_a_logged_answer_is_given_again(line: PoisonedLine) -> None:
    """Equal: 0. Another than was logged: 1. Not there: 3. Of a version that is gone: 6."""
    model, topic = line.at.line.model, line.at.model_file.topics.predictions
    version = line.version_at(line.poison[0])
    x = line.pairs[5][0]
    payload = loads(line.at.reader().load_segments(version)["model"], ())
    answer = ServedModel(line.at.model_file, payload).predict(x)
    assert isinstance(answer, dict)
    logged = {
        "prediction_id": "p-1", "model": model, "version": version.manifest.name,
        "version_id": version.id, "learned": 1, "predicted_at": "2026-11-20T12:00:00.000Z",
        **answer, "features": x,
    }  # fmt: skip
    line.publish(topic, logged)
    line.publish(topic, logged | {"prediction_id": "p-2", "prediction": not answer["prediction"]})
    line.publish(topic, logged | {"prediction_id": "p-3", "version_id": "0" * 64})

    codes = {
        name: line.weir("replay-prediction", model, name, "--json")
        for name in ("p-1", "p-2", "p-3", "p-4")
    }

    assert {name: code for name, (code, _, _) in codes.items()} == {
        "p-1": 0, "p-2": 1, "p-3": 6, "p-4": 3,
    }  # fmt: skip
    same = json.loads(codes["p-1"][1])
    assert same["equal"] is True
    assert same["logged"] == same["replayed"]
    assert json.loads(codes["p-2"][1])["equal"] is False
    assert "retention has dropped it" in codes["p-3"][2]
    assert "no answer 'p-4'" in codes["p-4"][2]


def test_what_served_at_a_time_is_told(line: PoisonedLine) -> None:
    """Of a version that is kept: that one."""
    version = line.version_at(line.poison[0])
    at_ms = version.manifest.created_at_ms
    code, out, err = line.weir("show", line.at.line.model, "--at", timestamp(at_ms), "--json")

    assert code == 0, err
    assert (json.loads(out)["version"], json.loads(out)["kept"]) == (version.manifest.name, True)
