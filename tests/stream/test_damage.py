"""A live learner and a store with damage: it stops or goes on, and never learns twice."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.records.control import open_control
from checkpoints.records.lineage import accounted, advanced
from stream.kafka.group_mirror import GroupMirror, highest_mirrored
from tests.checkpoints.builders import damage, damage_segment, point_control, point_head
from tests.stream.rig import RECORDER, WAIT_S, events, rig


@pytest.fixture
def at(kafka_server, valkey_server, tmp_path, unique_name):
    """A rig that commits often."""
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as made:
        yield made


def send(at, count, first):
    """Each with an id, which the window remembers: one of a later version would refuse it."""
    made = events(count, seed=first)
    for n, event in enumerate(made, first):
        event["id"] = f"event-{n}"
        event["features"]["n"] = n
    at.send_events(made)


def learn(at, count, first):
    """Learn so many more events, in a process of their own; the head then."""
    send(at, count, first)
    process = at.start()
    at.until(lambda: at.consumed() == first + count, "all is learned")
    assert at.stop(process) == 0
    return at.head()


def order(at, command, to=None):
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="ann")
    mode = "forget" if command == "rollback" else None
    return operator.run(at.line, Order(command=command, to=to, mode=mode, reason="damage"))


def ended(at):
    """`weir learn` itself, which ends: its exit code and what it said last."""
    path, keys = at.folder / "model.yaml", at.folder / "keys"
    path.write_text(at.model_text)
    given = {
        "WEIR_KAFKA__BOOTSTRAP_SERVERS": at.kafka,
        "WEIR_REDIS__URL": at.redis,
        "WEIR_SIGNING__LEARNER_KEY": str(keys / "learner.pem"),
        "WEIR_SIGNING__OPERATOR_PUBLIC": str(keys / "operator.pub"),
        "WEIR_LEARNER__NAME": "learner",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("weir"), "learn", "--model", path],
        env={**os.environ, **given}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=False, timeout=WAIT_S,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()[-1]


def gone(at, head):
    damage(at.store, head, b"")


def flipped(at, head):
    damage(at.store, head)


def model_flipped(at, head):
    damage_segment(at.store, head, "model")


def window_flipped(at, head):
    damage_segment(at.store, head, "window")


@pytest.mark.parametrize("spoil", [gone, flipped, window_flipped])
def test_what_a_damaged_head_had_learned_is_learned_again_and_once(at, spoil):
    """It stops with 6 and names the command; after that no record is skipped and none learned
    twice: what was learned after the older version is gone with the damaged model.
    """
    older = learn(at, 100, 0)
    head = learn(at, 50, 100)
    spoil(at, head)

    code, said = ended(at)
    assert code == 6
    sound = max(v.number for v in at.reader().kept() if v.number < head.number)
    assert f"weir rollback {at.line.model} v{sound} --mode forget --reason" in said
    answer = order(at, "rollback", older.manifest.name)
    assert answer["unreadable"]["head"] == head.manifest.name
    send(at, 20, 150)
    process = at.start()
    at.until(lambda: at.consumed() == 170, "it goes on")
    assert at.stop(process) == 0

    manifest = at.head().manifest
    counts = manifest.counts
    learned = at.payload()["estimator"].learned
    place = at.reader().version(int(answer["unreadable"]["place"][1:])).manifest
    read_again = place.offsets[at.model_file.topics.events]["0"]
    assert learned == [*range(100), *range(read_again, 170)]
    assert (counts.learned, counts.forgotten) == (270 - read_again, read_again - 100)
    assert accounted(manifest) == advanced(manifest) == 170
    assert int(answer["version"][1:]) > head.number


def test_a_head_whose_model_is_damaged_stops_the_learner_too(at):
    """Its place is known: what it had learned is forgotten, as with any rollback."""
    older = learn(at, 100, 0)
    head = learn(at, 50, 100)
    model_flipped(at, head)

    code, said = ended(at)
    assert (code, f"weir rollback {at.line.model} v" in said) == (6, True)
    assert "unreadable" not in order(at, "rollback", older.manifest.name)
    learn(at, 20, 150)

    assert at.payload()["estimator"].learned == [*range(100), *range(150, 170)]
    assert at.head().manifest.counts.forgotten == 50


def test_a_damaged_old_version_does_not_keep_a_learner_from_starting(at):
    """It goes on from its sound head."""
    older = learn(at, 100, 0)
    learn(at, 50, 100)
    damage(at.store, older)
    learn(at, 50, 150)

    assert at.payload()["estimator"].learned == list(range(200))
    assert older.number in [each.number for each in at.store.versions(at.line, limit=1000)]


def test_a_frozen_model_is_not_thawed_by_taking_the_order_away(at):
    """A fresh learner finds it in the audit: 6, and nothing is consumed."""
    before = learn(at, 50, 0)
    order(at, "freeze")
    newest = open_control(at.store.control(at.line), at.keys.verifier, at.line)
    point_control(at.store, at.line, None)
    send(at, 50, 50)

    code, said = ended(at)
    assert (code, "an operator's order was taken back" in said) == (6, True)
    assert at.reader().state().head == before
    point_control(at.store, at.line, newest)
    order(at, "thaw")
    process = at.start()
    at.until(lambda: at.consumed() == 100, "it goes on")
    assert at.stop(process) == 0
    assert at.head().manifest.orders_seen == 2


def lose_commits(at, back_to):
    """What a failover to a replica that lags does; Kafka's mirror is older still."""
    at.store._redis.ask(
        "ZREMRANGEBYSCORE", f"{at.line.prefix}versions", back_to.number + 1, "+inf", doing="lose"
    )
    at.store._redis.ask("SET", f"{at.line.prefix}highest", back_to.number, doing="lose")
    kafka = at.settings("test").kafka
    unnumbered = SimpleNamespace(number="none", offsets=back_to.manifest.offsets)
    GroupMirror(kafka, at.model_file.name)._write(unnumbered)
    assert highest_mirrored(kafka, at.model_file.name) == -1
    point_head(at.store, back_to)


def test_a_running_learner_uses_no_number_twice_when_the_store_loses_commits(at):
    """Its process remembers, over the workers that it restores."""
    older = learn(at, 50, 0)
    process = at.start()
    send(at, 50, 50)
    kafka = at.settings("test").kafka
    at.until(lambda: at.consumed() == 100, "all is learned")
    last = at.head()
    at.until(lambda: highest_mirrored(kafka, at.model_file.name) == last.number, "it is mirrored")
    lose_commits(at, older)
    send(at, 50, 100)
    at.until(lambda: at.consumed() == 150, "it goes on")
    assert at.stop(process) == 0

    made = [each.number for each in at.store.versions(at.line, limit=1000)]
    assert min(each for each in made if each > older.number) > last.number
    assert at.payload()["estimator"].learned == list(range(150))


def test_a_new_process_uses_no_number_twice_when_the_store_loses_commits(at):
    """The data directory remembers."""
    at.data_dir = at.folder / "data"
    older = learn(at, 50, 0)
    last = learn(at, 50, 50)
    lose_commits(at, older)
    learn(at, 50, 100)

    made = [each.number for each in at.store.versions(at.line, limit=1000)]
    assert min(each for each in made if each > older.number) > last.number
    assert at.payload()["estimator"].learned == list(range(150))
