"""One keeper of many lines: each learns, dies, fails and ends by itself."""

from contextlib import ExitStack

import pytest

from stream.kafka import client as kafka_client
from tests.stream.rig import RECORDER, events, rig

COUNT = 300
UNFIT = """
name: {name}
task: regression
learner: {{python: "tests.stream.unfit:Locked"}}
trust: [tests]
metrics: [MAE]
"""


@pytest.fixture
def places(kafka_server, valkey_server, tmp_path, unique_name):
    """`places(name, text)`: where a rig finds its servers."""

    def place(name, text=RECORDER):
        return {
            "kafka": kafka_server.address,
            "redis": valkey_server.url,
            "folder": tmp_path,
            "model_text": text.format(name=f"{unique_name}-{name}", every_seconds=0.05),
        }

    return place


def test_a_line_that_is_killed_is_started_again_alone(places):
    """The others notice nothing; each event once, of each line."""
    made = events(2 * COUNT, seed=3)
    with ExitStack() as stack:
        first, *others = [stack.enter_context(rig(**places(name))) for name in "abc"]
        lines = [first, *others]
        process = first.start(beside=[each.model_text for each in others])
        for each in lines:
            each.send_events(made[:COUNT])
        for each in lines:
            first.until(lambda each=each: each.consumed() == COUNT, "the first are learned")
        before = first.parts().pids
        assert len(before) == 6

        assert first.kill_part("learner")
        for each in lines:
            each.send_events(made[COUNT:])
        for each in lines:
            first.until(lambda each=each: each.consumed() == 2 * COUNT, "all is learned")

        after, own = first.parts().pids, first.line.model
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {f"source:{own}", f"learner:{own}"}
        assert first.stop(process) == 0
        for each in lines:
            assert each.payload()["estimator"].learned == list(range(2 * COUNT))


def test_a_line_that_cannot_be_learned_ends_alone(places):
    """It says so to whoever supervises; the others learn, and a stop is a stop."""
    with rig(**places("good")) as at, rig(**places("unfit", UNFIT)) as unfit:
        process = at.start(beside=[unfit.model_text])
        at.send_events(events(COUNT, seed=8))
        at.until(lambda: at.consumed() == COUNT, "the good one learns")
        at.until(lambda: bool(at.parts().lost), "the other has ended")

        assert at.parts().lost == {f"learner:{unfit.line.model}": 2}
        assert at.parts().pids.keys() == {f"{it}:{at.line.model}" for it in ("source", "learner")}
        at.until(lambda: unfit.beat().get("state") == "failed", "it is told as failed", 10)
        assert "guard" in unfit.beat()["last_error"]
        assert at.stop(process) == 0


def test_when_the_last_line_has_ended_the_keeper_ends_with_its_code(places):
    """Nothing is left to be kept."""
    with rig(**places("one", UNFIT)) as at, rig(**places("other", UNFIT)) as other:
        process = at.start(beside=[other.model_text])
        process.join(60)
        assert process.exitcode == 2


def test_a_line_that_lacks_its_topic_is_tried_again_until_it_has_it(places):
    """It fails, and says how; it holds up no other."""
    made = events(COUNT, seed=9)
    late = places("late")["model_text"].replace("metrics:", "topics: {events: EVENTS}\nmetrics:")
    with rig(**places("good")) as at:
        late = late.replace("EVENTS", f"{at.line.model}-late")
        process = at.start(beside=[late])
        at.send_events(made)
        at.until(lambda: at.consumed() == COUNT, "the good one learns")
        at.until(lambda: bool(at.parts().failing), "the other fails")
        ((name, how),) = at.parts().failing.items()
        assert name.endswith("-late")
        assert how.startswith("ended with code 3, ")

        with rig(**{**places("late"), "model_text": late}) as other:  # makes its topics
            kafka_client.require(at.settings("rig").kafka, [f"{at.line.model}-late"])
            other.send_events(made)
            at.until(lambda: other.consumed() == COUNT, "it learns, too")
            at.until(lambda: not at.parts().failing, "it fails no more")
        assert at.stop(process) == 0
