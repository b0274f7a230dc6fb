"""The publish gate on a whole `weir dev`, and under kills: a poisoned stretch is never served."""

import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.records.gate import PublishGate
from checkpoints.records.manifest import Version
from checkpoints.records.publish_gate import judged
from tests.stream.rig import Rig, rig
from tests.stream.whole_dev import dev, events, until

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy]
scores: {{rolling: 200}}
checkpoint: {{every_seconds: {every_seconds}, keep: {{last: 500}}}}
publish: {{score: Accuracy, margin: 0.1}}
"""


@pytest.mark.timeout(300)
def test_predictions_go_on_from_the_good_version_while_a_stretch_is_poisoned(
    starts_servers: None, tmp_path: Path
) -> None:
    """Through kills of learner, source and API; then it is served again by itself, or by order."""
    rng = random.Random(17)
    with dev(tmp_path, "gated", MODEL.format(name="gated", every_seconds=0.2)) as found:
        found.send(events(1000, rng))
        assert found.model()["held"] is None
        until(lambda: found.answers_by() == found.model()["version"], "the head is served")

        found.send(events(200, rng, poisoned=True))
        held = found.model()["held"]
        assert held["value"] < held["best"] - 0.1
        good = held["good"]
        until(lambda: found.answers_by() == good, "the good version is served")
        until(lambda: found.held_by_metric() == 1, "told by the metric")

        for child in ("learner:gated", "source:gated", "api"):
            found.kill(child)
            until(lambda: found.model()["state"] in ("idle", "learning"), "back")
            found.send(events(20, rng, poisoned=True))
            now = found.model()
            assert (now["held"]["good"], now["serving"]) == (good, good)
            assert found.answers_by() == good != now["version"]

        found.send(events(600, rng))
        assert found.model()["held"] is None
        until(lambda: found.answers_by() == found.model()["version"], "the head is served again")

        found.send(events(200, rng, poisoned=True))
        head = found.model()["version"]
        assert found.model()["held"]["good"] not in (good, head)
        released = found.order("release")

        assert (released["to"], released["serving"]) == (head, head)
        assert found.answers_by() == head
        until(lambda: found.held_by_metric() == 0, "told by the metric")
        assert found.order("release")["changed"] is False
        said = (tmp_path / "said").read_text()
        assert f"is held back and {good} is served: rolling Accuracy" in said
        assert "no longer held back" in said


@pytest.fixture
def at(kafka_server, valkey_server, tmp_path, unique_name) -> Iterator[Rig]:
    """A rig that commits often, under a gate."""
    text = MODEL.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as made:
        yield made


@pytest.mark.timeout(300)
def test_each_decision_follows_from_the_signed_ones_before_it_whatever_is_killed(at: Rig) -> None:
    """Judged anew from the manifests alone, each version's gate is the one that it has."""
    rng, sent = random.Random(7), 0
    at.start()
    for step, victim in enumerate(("learner", "source", "committer") * 3):
        is_poisoned = step % 3 == 1
        for _ in range(10):
            at.send_events(events(30, rng, poisoned=is_poisoned))
            time.sleep(0.03)
        sent += 300
        at.kill_part(victim)
        at.until(lambda total=sent: at.consumed() == total, "all is learned")
        state = at.reader().checked()
        if is_poisoned:
            assert state.held
            assert state.serving.id == state.held.good.id
        if step == 4:
            release(at)
            assert at.reader().checked().held is None

    control = at.reader().checked().control.record
    versions = at.reader().versions(limit=1000)[::-1]
    assert {bool(each.manifest.held_back(0)) for each in versions} == {True, False}
    for head, version in pairwise(versions):
        # What was let through may be known just before the order is said to be obeyed.
        is_before = version.manifest.orders_seen < control.seq
        known = (0, control.let_through) if is_before else (control.let_through,)
        assert version.manifest.gate in [judged_anew(head, version, each) for each in known]


def release(at: Rig) -> None:
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="ann")
    operator.run(at.line, Order(command="release", reason="test"))


def judged_anew(head: Version, version: Version, released: int) -> PublishGate:
    now = version.manifest
    assert isinstance(now.gate, PublishGate)
    return judged(
        now.gate.rule, head, metrics=now.metrics, scored=now.counts.scored,
        at_ms=now.created_at_ms, released=released,
    )  # fmt: skip
