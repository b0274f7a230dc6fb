"""A Redis that is full: the learner waits, orders are taken, and a lower `keep` makes room."""

from contextlib import closing

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import NotInForce
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from tests.stream.rig import RECORDER, events, rig

BATCH, VERSIONS = 20, 12
KEEP = "keep: {{last: {last}, minutely: 0, hourly: 0, daily: 0}}"


@pytest.fixture
def at(kafka_server, tmp_path, unique_name):
    """A rig whose Redis is its own, and whose versions are large."""
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    text = text.replace(":Recorder", ":HeavyRecorder")
    text = text.replace("checkpoint: {", f"checkpoint: {{{KEEP.format(last=1000)}, ")
    with (
        ValkeyServer(tmp_path / "own") as server,
        rig(kafka=kafka_server.address, redis=server.url, folder=tmp_path, model_text=text) as made,
    ):
        yield made


def test_a_lower_keep_makes_room_in_a_full_store(at):
    """Meanwhile the learner waits, alive, and takes orders; afterwards nothing is missing."""
    sent = 0

    def send():
        nonlocal sent
        at.send_events(numbered(sent))
        sent += BATCH

    process = at.start()
    for _ in range(VERSIONS):
        send()
        at.until(lambda: at.consumed() == sent, "all is learned")
    full = at.head()
    with closing(Redis.from_url(at.redis)) as raw:
        raw.config_set("maxmemory", raw.info("memory")["used_memory"])
        send()
        at.until(lambda: at.beat().get("uncommitted") == BATCH, "more is learned")
        for command in ("freeze", "thaw"):
            with pytest.raises(NotInForce):  # the learner has first to commit what it learned
                order(at, command)
        order(at, "tag", to=full.manifest.name, tag="good")
        seen = at.beat()["at_ms"]
        at.until(lambda: at.beat().get("at_ms", 0) > seen, "it is alive")
        assert at.stop(process) == 0
        assert at.head().id == full.id

        was, now = KEEP.format(last=1000), KEEP.format(last=3)
        at.model_text = at.model_text.replace(was, now)
        assert now in at.model_text
        process = at.start()
        at.until(lambda: at.consumed() == sent, "learning goes on")
        send()
        at.until(lambda: at.consumed() == sent, "and on")
        assert at.stop(process) == 0
        assert raw.info("memory")["maxmemory"] > 0

    assert at.payload()["estimator"].learned == [*range(sent)]
    numbers = [each.number for each in at.store.versions(at.line, limit=100)]
    assert full.number in numbers
    assert len(numbers) < VERSIONS


def numbered(first):
    made = events(BATCH, seed=first)
    for n, event in enumerate(made, first):
        event["features"]["n"] = n
    return made


def order(at, command, **more):
    signer, verifier = at.keys.signer("operator"), at.keys.verifier
    enforcement = Enforcement(store=at.store, limit_s=1.0)
    operator = Operator(at.store, signer, verifier, who="ann", enforcement=enforcement)
    operator.run(at.line, Order(command=command, reason="full", **more))
