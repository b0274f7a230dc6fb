"""Log, store and model file that tell different stories: stop and say so; never from zero."""

import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from checkpoints.compatibility import ModelFileChangedError, adopted_sections
from checkpoints.dev_server import ValkeyServer
from checkpoints.stores.in_redis.connection import RedisConnection
from config.model_file import parse_model_file
from config.processes.child import free_port
from stream.between.positions import Positions
from stream.errors import LogDisagreesError
from stream.kafka import client as kafka_client
from stream.kafka.consumer import KafkaSource
from tests.stream.rig import WAIT_S, events, rig


def learn(at, count, *, first=0, **options):
    """Publish so many more events, learn up to them, stop."""
    at.send_events(numbered(count, first))
    process = at.start(**options)
    goal = at.consumed() + count if at.head() else count
    at.until(lambda: at.consumed() >= goal or not process.is_alive(), "all is learned")
    assert at.stop(process) == 0


def numbered(count, first=0):
    made = events(count, seed=first)
    for n, event in enumerate(made):
        event["features"]["n"] = first + n
    return made


def learned(at):
    return at.payload()["estimator"].learned


def ended(process):
    """The exit code of a learner that ends by itself."""
    process.join(WAIT_S)
    assert process.exitcode is not None, "the learner goes on"
    return process.exitcode


def admin(at):
    return closing(KafkaAdminClient(bootstrap_servers=at.kafka))


def delete_topic(at):
    topic = at.model_file.topics.events
    kafka = at.settings("test").kafka
    with admin(at) as client:
        client.delete_topics([topic])
    at.until(lambda: not kafka_client.describe(kafka, [topic]), "the topic is gone")


def recreate_topic(at):
    delete_topic(at)
    kafka_client.create_topics(at.settings("test").kafka, at.model_file, partitions=1)


@pytest.mark.parametrize("count", [50, 300], ids=["shorter", "longer"])
def test_a_recreated_topic_is_not_learned_from(place, count):
    """Longer than the head's offset it would be read on in silence."""
    with rig(**place) as at:
        learn(at, 200)
        before = at.head().id
        recreate_topic(at)
        at.send_events(numbered(count, 1000))

        assert ended(at.start()) == 4
        assert at.head().id == before


def test_a_topic_recreated_under_a_running_learner_is_not_learned_from(place):
    """It ends by itself: 4, or 3 while the topic is missing."""
    with rig(**place) as at:
        at.send_events(numbered(200))
        process = at.start()
        at.until(lambda: at.consumed() == 200, "the first are learned")
        recreate_topic(at)
        at.send_events(numbered(300, 1000))

        assert ended(process) in {3, 4}
        assert max(learned(at)) < 1000


def test_a_missing_topic_ends_it(place):
    """Exit code 3: a topic is created by saying so."""
    with rig(**place) as at:
        delete_topic(at)

        assert ended(at.start(is_new=True)) == 3


def test_retention_past_the_heads_offset_ends_it(place):
    """What comes next is gone: to go on would skip it in silence."""
    with rig(**place) as at:
        learn(at, 100)
        at.send_events(numbered(100, 100))
        key = TopicPartition(at.model_file.topics.events, 0)
        with admin(at) as client:
            client.delete_records({key: 150})

        assert ended(at.start()) == 4
        assert ended(at.start(is_new=True, abandon_history=True)) == 4
        assert at.consumed() == 100

        empty_store(at)
        process = at.start(is_new=True, abandon_history=True)
        at.until(lambda: at.consumed() == 200, "it begins anew")
        assert at.stop(process) == 0
        assert learned(at) == [*range(150, 200)]


def test_retention_that_overtakes_a_running_source_is_an_error(place):
    """Not a reset to the beginning or the end."""
    with rig(**place) as at:
        at.send_events(numbered(100))
        topic = at.model_file.topics.events
        kafka = at.settings("test").kafka
        found = kafka_client.require(kafka, [topic])[topic]
        start = {(topic, 0): 10}
        source = KafkaSource(
            kafka, "a", Positions({topic: found.topic_id}, begins=start, next_offsets=start)
        )
        with closing(source), admin(at) as client:
            client.delete_records({TopicPartition(topic, 0): 50})

            with pytest.raises(LogDisagreesError, match=r"-0 at offset 10: the log no longer"):
                at.until(lambda: bool(source.poll(100)), "it is noticed")


def test_records_deleted_behind_the_head_are_no_trouble(place):
    """Only the anchor has gone with them."""
    with rig(**place) as at:
        learn(at, 100)
        key = TopicPartition(at.model_file.topics.events, 0)
        with admin(at) as client:
            client.delete_records({key: 100})
        learn(at, 50, first=100)

        assert learned(at) == list(range(150))


def empty_store(at):
    connection = RedisConnection(at.redis)
    keys = connection.ask("KEYS", f"{at.line.prefix}*", doing="list")
    assert keys
    connection.ask("DEL", *keys, doing="empty it")
    connection.close()


def test_an_emptied_store_is_not_begun_again_unasked(place):
    """Kafka's group remembers: 4 whatever is said, until --abandon-history; numbers rise on."""
    with rig(**place) as at:
        learn(at, 100)
        number = at.head().number
        empty_store(at)

        assert ended(at.start()) == 4
        assert ended(at.start(begins_if_untouched=False)) == 4
        assert ended(at.start(is_new=True)) == 4
        process = at.start(is_new=True, abandon_history=True)
        at.until(lambda: at.consumed() == 100, "it begins anew")

        assert at.stop(process) == 0
        assert min(v.number for v in at.reader().versions(limit=1000)) > number


def test_a_model_is_begun_only_by_saying_so(place):
    """Exit code 4 without --new; with it v1 is the untrained model."""
    with rig(**place) as at:
        assert ended(at.start(begins_if_untouched=False)) == 4
        assert at.head() is None
        learn(at, 10, is_new=True, begins_if_untouched=False)

        assert at.reader().version(1).manifest.counts.learned == 0


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ("task: binary", "task: multiclass", "task was 'binary', is 'multiclass'"),
        ("Recorder", "AnotherRecorder", "learner was"),
        ("metrics:", "limits: {value: 5.0}\nmetrics:", "limits was"),
        ("metrics:", "labels: [false, true]\nmetrics:", "labels was None"),
    ],
)
def test_a_model_file_that_learns_otherwise_is_refused(place, was, now, named):
    """Exit code 4, naming the difference."""
    with rig(**place) as at:
        learn(at, 20)
        assert was in at.model_text
        at.model_text = at.model_text.replace(was, now)

        assert ended(at.start()) == 4
        manifest = at.head().manifest
        assert manifest.counts.learned == 20
        with pytest.raises(ModelFileChangedError, match=re.escape(named)):
            adopted_sections(
                "a", "v2", manifest.model_file, parse_model_file(at.model_text).sections()
            )


def test_a_model_file_that_scores_otherwise_is_adopted(place):
    """The next version lists what changed; the scores that stayed go on."""
    with rig(**place) as at:
        learn(at, 200)
        number = at.head().number
        at.model_text = at.model_text.replace("LogLoss", "F1").replace("ADWIN", "DDM")
        learn(at, 100, first=200)

        adopted = at.reader().version(number + 1).manifest
        assert adopted.adopted == ("drift", "metrics")
        manifest = at.head().manifest
        assert list(manifest.metrics) == ["Accuracy", "F1"]
        assert manifest.adopted == ()
        assert manifest.counts.scored == manifest.counts.learned == 300


def test_a_redis_that_may_evict_is_refused(place, tmp_path):
    """Exit code 6: allkeys-lru would eat the head's own segments."""
    with ValkeyServer(tmp_path / "evicting") as server:
        connection = RedisConnection(server.url)
        connection.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", doing="set it")
        connection.close()
        with rig(**{**place, "redis": server.url}) as at:
            assert ended(at.start()) == 6
            assert at.head() is None


def test_added_partitions_are_noticed(place):
    """While it runs, begun at their first record."""
    with rig(**place) as at:
        at.send_events(numbered(50))
        process = at.start()
        at.until(lambda: at.consumed() == 50, "the first are learned")
        with admin(at) as client:
            client.create_partitions({at.model_file.topics.events: 3})
        at.partitions = 3
        at.send_events(numbered(60, 50))
        at.until(lambda: at.consumed() == 110, "all partitions are read")

        assert at.stop(process) == 0
        assert sorted(learned(at)) == list(range(110))
        assert at.head().manifest.counts.learned == 110


def transaction(at, made, *, is_aborted=False):
    producer = KafkaProducer(
        bootstrap_servers=at.kafka, transactional_id=at.model_file.name, acks="all"
    )
    with closing(producer):
        producer.init_transactions()
        producer.begin_transaction()
        for event in made:
            producer.send(at.model_file.topics.events, value=msgspec.json.encode(event))
        producer.flush()
        (producer.abort_transaction if is_aborted else producer.commit_transaction)()


def test_aborted_transactions_and_gaps_are_no_loss(place):
    """Only what was committed is read; at the end nothing lags, and a restart finds its anchor."""
    with rig(**place) as at:
        transaction(at, numbered(50))
        transaction(at, numbered(40, 1000), is_aborted=True)
        at.send_events(numbered(30, 50))
        transaction(at, numbered(20, 80))
        transaction(at, numbered(10, 2000), is_aborted=True)
        process = at.start()
        at.until(lambda: at.head() and at.head().manifest.counts.learned == 100, "all is learned")
        at.until(lambda: beat(at).get("state") == "idle", "it is idle")
        assert beat(at)["lag"] == 0
        assert at.stop(process) == 0
        transaction(at, numbered(10, 100))
        process = at.start()
        at.until(lambda: at.head().manifest.counts.learned == 110, "it goes on")

        assert at.stop(process) == 0
        assert learned(at) == list(range(110))
        assert at.head().manifest.counts.refused == 0


def test_retention_behind_the_last_record_loses_nothing(place):
    """What stands between it and the end are marks of transactions and what was aborted."""
    with rig(**place) as at:
        transaction(at, numbered(50))
        transaction(at, numbered(10, 1000), is_aborted=True)
        process = at.start()
        end = 50 + 1 + 10 + 1  # two marks
        at.until(lambda: at.head() and at.consumed() == end, "a version stands at the end")
        at.kill(process)
        delete_before(at, end)
        transaction(at, numbered(10, 50))
        process = at.start()
        at.until(lambda: at.head().manifest.counts.learned == 60, "it goes on")

        assert at.stop(process) == 0
        assert learned(at) == list(range(60))


def delete_before(at, offset):
    """What retention does, sooner."""
    partition = TopicPartition(at.model_file.topics.events, 0)
    with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as admin:
        admin.delete_records({partition: offset})


def beat(at):
    return at.store.beats(at.line, "learner").get("learner", {})


def test_a_new_model_begins_where_it_is_told(place):
    """At the end, or at the first record of a time; what was before is not its own."""
    with rig(**place) as at:
        at.send_events(numbered(40))
        process = at.start(is_new=True, start="latest")
        at.until(lambda: at.head() is not None, "it begins")
        at.send_events(numbered(20, 40))
        at.until(lambda: at.consumed() == 60, "the new ones are learned")
        assert at.stop(process) == 0
        manifest = at.head().manifest

        assert learned(at) == list(range(40, 60))
        assert dict(manifest.begins[at.model_file.topics.events]) == {"0": 40}
        assert manifest.counts.learned == 20


def test_a_new_model_begins_at_a_time(place):
    """The first record at or after it."""
    with rig(**place) as at:
        at.send_events(numbered(30))
        moment_ms = int(time.time() * 1000) + 1
        at.until(lambda: time.time() * 1000 > moment_ms, "the moment comes")
        at.send_events(numbered(20, 30))
        process = at.start(is_new=True, start=moment_ms)
        at.until(lambda: at.consumed() == 50, "all is learned")

        assert at.stop(process) == 0
        assert learned(at) == list(range(30, 50))


def weir_learn(tmp_path, text, **variables):
    """`weir learn --new` itself: its exit code and what it said."""
    path = tmp_path / "model.yaml"
    path.write_text(text)
    done = subprocess.run(
        [Path(sys.executable).with_name("weir"), "learn", "--model", path, "--new"],
        env={**os.environ, "WEIR_LEARNER__START_WAIT_SECONDS": "7", **variables},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("away", ["Kafka", "Redis"])
def test_a_server_that_is_down_at_start_is_waited_for_and_named(place, tmp_path, away):
    """A line each few seconds, and exit code 5 after the limit."""
    nowhere = f"127.0.0.1:{free_port()}"
    with rig(**place) as at:
        keys = at.folder / "keys"
        code, said = weir_learn(
            tmp_path,
            at.model_text,
            WEIR_KAFKA__BOOTSTRAP_SERVERS=nowhere if away == "Kafka" else at.kafka,
            WEIR_REDIS__URL=f"redis://{nowhere}/0" if away == "Redis" else at.redis,
            WEIR_SIGNING__LEARNER_KEY=str(keys / "learner.pem"),
            WEIR_SIGNING__OPERATOR_PUBLIC=str(keys / "operator.pub"),
        )

    assert code == 5, said
    assert f"waiting for {away}" in said
    assert nowhere in said.splitlines()[-1]
