"""How a line begins: slowly, anew once its model file is another, again after it was removed."""

import pytest

from checkpoints.operating.removal import remove_line
from stream.kafka import client as kafka_client
from tests.stream.rig import events, rig

COUNT = 30
SLOW = "tests.stream.slow:slow_recorder"


@pytest.mark.timeout(240)
def test_a_learner_that_is_slow_to_build_is_let_begin(place):
    """It is built three times before its loop turns: longer together than that may stand still."""
    place["model_text"] = place["model_text"].replace("tests.stream.recorder:Recorder", SLOW)
    made = events(COUNT, seed=1)
    with rig(**place, watchdog_seconds=3.0) as at:
        process = at.start()
        at.send_events(made)
        at.until(lambda: at.consumed() == COUNT, "all is learned", limit_s=180)
        assert at.stop(process) == 0


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("task: binary", "task: binary\nlabels: [low, high]"),
        ('{python: "tests.stream.recorder:Recorder"}', "{river: [linear_model.PAClassifier]}"),
    ],
)
def test_a_model_that_has_learned_nothing_may_be_another(place, was, now):
    """Its line begins anew, as a new version; what was refused then is read again."""
    text = place["model_text"]
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        at.send([b"no JSON"])
        at.until(lambda: at.consumed() == 1, "the refusal is committed")
        assert at.stop(process) == 0
        first = at.head()

        at.model_text = text.replace(was, now).replace("LogLoss", "F1")
        label = "high" if "labels" in now else True
        process = at.start()
        at.until(lambda: at.head().number > first.number, "it has begun anew")
        at.send_events([{"features": {"n": n}, "label": label} for n in range(COUNT)])
        at.until(lambda: at.consumed() == COUNT + 1, "all is learned")
        counts = at.head().manifest.counts
        assert (counts.learned, counts.refused) == (COUNT, 1)
        assert at.head().manifest.parent is not None
        assert at.stop(process) == 0


def test_a_model_that_was_removed_begins_again(place):
    """At v1 and at the log's beginning, without a word about history."""
    made = events(COUNT, seed=2)
    with rig(**place) as at:
        process = at.start()
        at.send_events(made)
        at.until(lambda: at.consumed() == COUNT, "all is learned")
        assert at.stop(process) == 0
        kafka, model = at.settings("rig").kafka, at.line.model
        assert kafka_client.mirrored(kafka, model)

        remove_line(at.store, at.line, who="ann", reason="a test")
        assert at.head() is None
        assert kafka_client.forget_group(kafka, model).startswith("forgotten")
        assert kafka_client.forget_group(kafka, model).startswith("forgotten")

        process = at.start()
        at.until(lambda: at.consumed() == COUNT, "all is learned again")
        assert at.head().manifest.counts.learned == COUNT
        assert at.stop(process) == 0
