"""The whole of it: an API with workers, a real Valkey, a real Kafka."""

import json
import os
import re
import signal
import time
from collections import Counter
from contextlib import closing

import httpx
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from stream.dev.kafka_server import KafkaServer
from tests.api.hosting import LIGHT, hosting
from tests.api.running import until

LOGGED = LIGHT + "log: {{predictions: 1.0}}\n"
BATCH = 1_000


@pytest.fixture
def answering(valkey_server, kafka_server, make_topic, unique_name):
    """`answering(model=…)`: a host whose answers go to a topic of one partition."""
    make_topic(suffix="predictions")

    def host(model=LOGGED, workers=2):
        return hosting(valkey_server.url, unique_name, model=model, workers=workers,
                       kafka=kafka_server.address)  # fmt: skip

    return host


def read(address, topic):
    """All records of the topic by now."""
    consumer = KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=20_000)
    where = TopicPartition(topic, 0)
    consumer.assign([where])
    consumer.seek_to_beginning(where)
    end = consumer.end_offsets([where])[where]
    found = []
    while consumer.position(where) < end:
        for records in consumer.poll(1_000).values():
            found += records
    consumer.close()
    return found


def counts(host):
    pattern = rf'weir_predictions_logged_total\{{model="{host.name}",outcome="(\w+)"\}} (\S+)'
    return {name: int(float(count)) for name, count in re.findall(pattern, host.metrics())}


def settled(host, asked, limit_s=30):
    """The counts, when each answer has come to something."""
    until(lambda: sum(counts(host).values()) == asked, limit_s=limit_s)
    return counts(host)


def ask_many(host, client, batches):
    """So many batches of answers; their ids."""
    body = {"instances": [{"https": 1}] * BATCH}
    answers = [client.post(f"{host.path}/predict", json=body, timeout=30) for _ in range(batches)]
    assert [answer.status_code for answer in answers] == [200] * batches
    return [it["prediction_id"] for answer in answers for it in answer.json()["predictions"]]


def test_what_was_answered_is_in_the_topic(answering, kafka_server, unique_name):
    with answering() as host, httpx.Client() as client:
        asked = [{"features": {"https": number / 7}} for number in range(50)]
        asked += [{"features": {"https": 0}, "id": "mine", "key": "customer-7"}]
        answers = [client.post(f"{host.path}/predict", json=each).json() for each in asked]
        refused = client.post(f"{host.path}/predict", json={"features": {"https": []}})
        assert refused.status_code == 422
        assert settled(host, 51) == {"acknowledged": 51, "dropped": 0}

        found = read(kafka_server.address, f"{unique_name}.predictions")
        records = {it["prediction_id"]: it for it in (json.loads(each.value) for each in found)}
        assert len(found) == len(records) == 51
        for question, answer in zip(asked, answers, strict=True):
            record = records[answer["prediction_id"]]
            assert record["features"] == question["features"]
            same = ("prediction", "probabilities", "model", "version", "version_id", "learned")
            assert [record[name] for name in same] == [answer[name] for name in same]
        keyed = next(each for each in found if each.key == b"customer-7")
        assert json.loads(keyed.value)["prediction_id"] == "mine"
        assert all(abs(each.timestamp / 1000 - time.time()) < 60 for each in found)


def test_a_host_that_is_told_to_end_sends_what_it_has(answering, kafka_server, unique_name):
    with answering() as host, httpx.Client() as client:
        names = ask_many(host, client, 5)
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(15) == 0
    found = read(kafka_server.address, f"{unique_name}.predictions")
    assert Counter(json.loads(each.value)["prediction_id"] for each in found) == Counter(names)


def test_when_the_sender_is_killed_what_it_had_is_counted(answering, kafka_server, unique_name):
    """Another takes its place; no answer fails, and each is logged or counted as dropped."""
    with answering(workers=1) as host, httpx.Client() as client:
        names = []
        for _ in range(3):
            names += ask_many(host, client, 2)
            killed = sender(host)
            os.kill(killed, signal.SIGKILL)
            until(lambda gone=killed: gone not in host.workers and len(host.workers) == 2)
        names += ask_many(host, client, 2)
        found = settled(host, len(names))
        logged = Counter(
            json.loads(each.value)["prediction_id"]
            for each in read(kafka_server.address, f"{unique_name}.predictions")
        )
        assert set(logged.values()) == {1}
        assert logged.keys() <= set(names)
        assert found["acknowledged"] <= logged.total()
        assert set(names[-2 * BATCH :]) <= logged.keys()


def test_when_a_worker_is_killed_what_it_had_noted_is_counted(answering, kafka_server, unique_name):
    """All that it answered is logged, or counted as dropped."""
    with answering(workers=1) as host, httpx.Client() as client:
        names = []
        for _ in range(3):
            for _ in range(3):
                names += ask_many(host, client, 1)
            (worker,) = set(host.workers) - {sender(host)}
            os.kill(worker, signal.SIGKILL)
            until(lambda gone=worker: gone not in host.workers and len(host.workers) == 2)
            until(host.is_ready)
        found = settled(host, len(names))
        logged = read(kafka_server.address, f"{unique_name}.predictions")
    assert len(logged) == found["acknowledged"]
    assert {json.loads(each.value)["prediction_id"] for each in logged} <= set(names)


def test_a_host_that_ends_while_kafka_is_away_says_what_is_missing(
    starts_servers, valkey_server, tmp_path, unique_name, capfd
):
    """Its counters end with it."""
    with KafkaServer(tmp_path) as kafka:
        make_predictions_topic(kafka.address, unique_name)
        with (
            hosting(valkey_server.url, unique_name, model=LOGGED, kafka=kafka.address) as host,
            httpx.Client() as client,
        ):
            settled(host, len(ask_many(host, client, 1)))
            kafka.kill()
            ask_many(host, client, 2)
            host.process.send_signal(signal.SIGTERM)
            assert host.process.wait(20) == 0
    said = capfd.readouterr().err
    missing = f"of {3 * BATCH} answers {2 * BATCH} are not in its predictions topic"
    assert f"model {unique_name}: {missing}" in said


def sender(host):
    """The process that sends answers: the one that gives way to the others."""
    urgency = {pid: os.getpriority(os.PRIO_PROCESS, pid) for pid in host.workers}
    return max(urgency, key=urgency.__getitem__)


def make_predictions_topic(address, name):
    """Of one partition, on a broker of the test's own."""
    topic = f"{name}.predictions"
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        options = {"num_partitions": 1, "replication_factor": 1}
        admin.create_topics({topic: options}, wait_for_metadata=True)
    return topic


def test_while_kafka_is_away_answers_go_on_and_each_drop_is_counted(
    starts_servers, valkey_server, tmp_path, unique_name
):
    """Twenty thousand records of a model wait, the others are dropped; then it goes on."""
    with KafkaServer(tmp_path) as kafka:
        admin = KafkaAdminClient(bootstrap_servers=kafka.address)
        topic = f"{unique_name}.predictions"
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}},
                            wait_for_metadata=True)  # fmt: skip
        admin.close()
        with (
            hosting(valkey_server.url, unique_name, model=LOGGED, kafka=kafka.address) as host,
            httpx.Client() as client,
        ):
            names = ask_many(host, client, 1)
            settled(host, BATCH)
            os.kill(kafka.pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                names += ask_many(host, client, 25)
                took_s = time.monotonic() - began
                until(lambda: counts(host)["dropped"] >= 5 * BATCH, limit_s=30)
            finally:
                os.kill(kafka.pid, signal.SIGCONT)
            found = settled(host, 26 * BATCH, limit_s=60)
            names += ask_many(host, client, 1)
            assert settled(host, 27 * BATCH)["dropped"] == found["dropped"]
            logged = read(kafka.address, topic)
    assert found == {"acknowledged": 21 * BATCH, "dropped": 5 * BATCH}
    assert len(logged) == len({json.loads(each.value)["prediction_id"] for each in logged})
    assert len(logged) == 22 * BATCH
    assert took_s < 20


def test_a_topic_that_is_missing_is_said_once(valkey_server, kafka_server, unique_name, capfd):
    """And what is answered is counted as dropped."""
    with (
        hosting(valkey_server.url, unique_name, model=LOGGED, kafka=kafka_server.address) as host,
        httpx.Client() as client,
    ):
        ask_many(host, client, 3)
        assert settled(host, 3 * BATCH) == {"acknowledged": 0, "dropped": 3 * BATCH}
    said = capfd.readouterr().err
    assert said.count(f"answers are not logged: topic {unique_name}.predictions") == 1
