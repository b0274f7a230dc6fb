"""A learner that raises as it learns is thrown away and restored; then a copy tries each event."""

import time

import pytest
from river import metrics

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
    assert said["weir-dlq-detail"] in {"OverflowError: math range error", "SystemExit: 3"}


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


def test_however_many_raise_the_learner_is_restored_once(place):
    """Those on which it cannot be asked cost nothing; the others are found by a copy."""
    made = events(300, seed=3)
    with rig(**place("tests.stream.raising:OftenRaising")) as at:
        at.send_events(made)
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        lives = {at.part("learner")}
        while at.consumed() < len(made):
            lives.add(at.part("learner"))
        assert at.stop(process) == 0
        manifest, learner = at.head().manifest, at.payload()["estimator"]
        letters = {headers(letter)["weir-dlq-id"]: letter for letter in dead_letters(at)}
        topic = at.model_file.topics.events

    bad = {n for n in range(len(made)) if n % 5 == 3 or n % 7 == 5}
    assert len(lives - {None}) <= 2  # between two of them there is none
    assert learner.learned == [n for n in range(len(made)) if n not in bad]
    assert dict(manifest.counts.refused_by) == {"learn_error": len(bad)}
    assert letters.keys() == {f"{topic}-0-{n}" for n in bad}
    for n in bad:
        raised = f"ArithmeticError: never {n}" if n % 7 == 5 else f"OverflowError: no {n}"
        assert headers(letters[f"{topic}-0-{n}"])["weir-dlq-detail"] == raised
    truth = metrics.Accuracy()
    model = Recorder()
    for event in (each for n, each in enumerate(made) if n not in bad):
        truth.update(event["label"], model.predict_one(event["features"]))
        model.learn_one(event["features"], event["label"])
    assert manifest.metrics["Accuracy"]["lifetime"] == truth.get()


def test_where_each_of_the_first_raises_the_learner_ends_with_2(place):
    """Fewer than twenty are refused in a version: the others are read again, once it is mended."""
    with rig(**place("tests.stream.raising:Never")) as at:
        at.send_events(events(100, seed=4))
        process = at.start()
        at.until(lambda: not process.is_alive(), "it ends")
        counts = at.head().manifest.counts

        assert process.exitcode == 2
        assert counts.learned == 0
        assert counts.refused < 20


def test_records_that_are_only_refused_make_ever_fewer_versions(place):
    """All of them are committed when it stops; the first are soon."""
    made = events(50, seed=5)
    with rig(**place("tests.stream.recorder:Recorder")) as at:
        process = at.start()
        at.send_events(made)
        at.until(lambda: at.consumed() == len(made), "they are learned")
        before = at.head().number
        sent, until = 0, time.monotonic() + 4.0
        while time.monotonic() < until:
            at.send([b"no event"])
            sent += 1
        assert at.consumed() > len(made)
        at.until(lambda: at.taken() == len(made) + sent, "the last one is taken")
        assert at.stop(process) == 0
        head = at.head()

    assert head.manifest.counts.refused == sent
    assert sum(head.manifest.offsets[at.model_file.topics.events].values()) == 50 + sent
    assert head.number - before <= 8, "0.1 s, then twice as long each: 5 in 3.1 s, and the last"
