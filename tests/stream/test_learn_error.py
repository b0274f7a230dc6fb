"""A learner that raises is thrown away, restored, tried again; then the event is refused."""

import pytest

from tests.stream.poison import dead_letters, headers
from tests.stream.raising import BAD
from tests.stream.recorder import Recorder
from tests.stream.rig import RECORDER, events, rig

COUNT = 1500
MORE = 100


@pytest.fixture
def place(kafka_server, valkey_server, tmp_path, unique_name):
    """Where a rig finds its servers."""

    def at(learner):
        text = RECORDER.format(name=unique_name, every_seconds=0.1)
        return {
            "kafka": kafka_server.address, "redis": valkey_server.url, "folder": tmp_path,
            "model_text": text.replace("tests.stream.recorder:Recorder", learner),
        }  # fmt: skip

    return at


def learned_alone(made):
    """River's own model over these events, uninterrupted."""
    model = Recorder()
    for event in made:
        model.learn_one(event["features"], event["label"])
    return model


def run(at, made):
    """Learn all, stop, begin another process, learn more; the head and its learner."""
    at.send_events(made[:COUNT])
    process = at.start()
    at.until(lambda: at.consumed() == COUNT or not process.is_alive(), "the first are consumed")
    assert at.stop(process) == 0
    process = at.start()
    at.send_events(made[COUNT:])
    at.until(lambda: at.consumed() == COUNT + MORE, "the others are consumed")
    assert at.stop(process) == 0
    return at.head().manifest, at.payload()["estimator"]


@pytest.mark.parametrize("learner", ["Raising", "Exiting"])
def test_an_event_that_raises_twice_is_refused_and_named(place, learner):
    """Learned without it, to the last bit; one dead letter; the version names it for rebuilding."""
    made = events(COUNT + MORE, seed=1)
    with rig(**place(f"tests.stream.raising:{learner}")) as at:
        manifest, learner = run(at, made)
        versions = at.reader().versions(limit=1000)
        letters = {headers(letter)["weir-dlq-id"]: letter for letter in dead_letters(at)}
        topic = at.model_file.topics.events

    others = [event for event in made if event["features"]["n"] != BAD]
    alone = learned_alone(others)
    assert learner.learned == alone.learned
    for event in made[:100]:
        x = event["features"]
        assert learner.predict_proba_one(x) == alone.predict_proba_one(x)
    counts = manifest.counts
    assert (counts.learned, dict(counts.refused_by)) == (COUNT + MORE - 1, {"learn_error": 1})
    named = [place for version in versions for place in version.manifest.learn_errors]
    assert [tuple(place) for place in named] == [(topic, 0, BAD)]
    assert list(letters) == [f"{topic}-0-{BAD}"]
    said = headers(next(iter(letters.values())))
    assert (said["weir-dlq-reason"], said["weir-dlq-stage"]) == ("learn_error", "learn")


def test_an_event_that_raises_once_is_learned(place):
    """What was passing refuses nothing; the half-updated learner was thrown away."""
    made = events(COUNT + MORE, seed=2)
    with rig(**place("tests.stream.raising:Moody")) as at:
        manifest, learner = run(at, made)
        letters = dead_letters(at)

    assert learner.learned == list(range(COUNT + MORE))
    alone = learned_alone(made)
    for event in made[:100]:
        x = event["features"]
        assert learner.predict_proba_one(x) == alone.predict_proba_one(x)
    assert (manifest.counts.learned, manifest.counts.refused, letters) == (COUNT + MORE, 0, [])
