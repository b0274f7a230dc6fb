"""Publishing on a real broker: in order, all acknowledged, at the rate asked for."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from config.model_file import parse_model_file
from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, SendStoppedError, StreamError, TopicMissingError
from stream.kafka import client
from stream.kafka.producer import Producer, Publisher
from stream.send.csv_file import CsvColumns
from stream.send.readers import records
from stream.send.resume import HEADER, header, sent_before
from stream.send.send import send

MODEL = "name: {}\ntask: binary\nlearner: {{river: [linear_model.LogisticRegression]}}\n"


@pytest.fixture
def kafka(kafka_server):
    return KafkaSettings(bootstrap_servers=kafka_server.address)


def sent_from(kafka, name, source, *, rate=None, limit=None, label=None, start_over=None):
    model = parse_model_file(MODEL.format(name))
    columns = CsvColumns(label=label)
    return send(kafka, model, str(source), columns, rate=rate, limit=limit, start_over=start_over)


def read(kafka, topic, partition=0):
    """Every record of a partition."""
    place = TopicPartition(topic, partition)
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=None, auto_offset_reset="earliest"
    )
    with closing(consumer):
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        found = []
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=500).values():
                found += records
    return found


def test_lines_arrive_byte_for_byte_in_order(kafka, make_topic, unique_name, tmp_path, capsys):
    """What is no event goes too; the count is on the last line of progress."""
    topic = make_topic()
    lines = [b'{"features":{"n":%d},"label":true,"id":"e-%d"}' % (n, n) for n in range(3000)]
    lines[7] = b"\x00 nonsense"
    (tmp_path / "data.ndjson").write_bytes(b"\n".join(lines))

    done = sent_from(kafka, unique_name, tmp_path / "data.ndjson")

    assert done.sent == 3000
    found = read(kafka, topic)
    assert [record.value for record in found] == lines
    assert [record.key for record in found[6:9]] == [b"e-6", None, b"e-8"]
    assert "3,000 sent, 3,000 acknowledged" in capsys.readouterr().err


def test_limit_and_rate_hold(kafka, make_topic, unique_name):
    """40 records at 50 a second take about 0.8 s."""
    topic = make_topic()
    started = time.monotonic()

    done = sent_from(kafka, unique_name, "river:SEA", rate=50, limit=40)

    assert done.sent == 40
    assert time.monotonic() - started > 0.7
    assert len(read(kafka, topic)) == 40


def test_a_missing_topic_is_said_with_what_makes_it(kafka, make_topic, unique_name):
    """Exit code 3; the nearest topic that exists is named."""
    topic = make_topic()

    with pytest.raises(TopicMissingError) as raised:
        sent_from(kafka, unique_name[:-1], "river:SEA")

    assert raised.value.exit_code == 3
    assert f'(did you mean "{topic}"?)' in str(raised.value)
    for way in ("`topics` in the model file", "weir dev --model", "weir learn --create-topics"):
        assert way in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nosuch.csv", r"^cannot read nosuch\.csv: No such file or directory$"),
        ("river:Phising", r'river:Phising \(did you mean "Phishing"\?\)$'),
        ("river:Nosuch", r"river:Nosuch: there are .*SEA"),
    ],
)
def test_a_source_that_is_not_there_is_said_first(unique_name, source, said, capsys):
    """Before Kafka is asked for anything; nothing else is said."""
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")

    with pytest.raises(StreamError, match=said) as raised:
        sent_from(nowhere, unique_name, source)

    assert raised.value.exit_code == 2
    assert capsys.readouterr().err == ""


def test_events_without_a_label_are_told_of_at_the_end(
    kafka, make_topic, unique_name, tmp_path, capsys
):
    """They are sent all the same; with a label nothing is said."""
    make_topic()
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3,4\n")

    assert sent_from(kafka, unique_name, tmp_path / "data.csv").sent == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "these 2 events carry no label" in last
    assert "--label" in last

    sent_from(kafka, unique_name, tmp_path / "data.csv", label="b")
    assert "carry no label" not in capsys.readouterr().err


def test_what_is_in_the_topic_is_left_out_by_a_sender_that_goes_on(
    kafka, make_topic, unique_name, capsys
):
    """Whatever the order in which Kafka took it, and whoever else sent in between."""
    topic = make_topic(partitions=2)
    model = parse_model_file(MODEL.format(unique_name))
    producer = Producer(kafka, topic)
    every = list(records("river:Phishing", model, CsvColumns()))
    for number in (0, 1, 3, 4):
        value, key = every[number]
        producer.send(value, key, [header("river:Phishing", number)])
    producer.send(every[2][0], None)
    producer.send(every[2][0], None, [header("river:SEA", 2)])
    for odd in (b"river:Phishing#two", b"river:Phishing#", b"river:Phishing#" + b"9" * 5000):
        producer.send(every[2][0], None, [(HEADER, odd)])
    producer.finish()

    for count, told in ((6, "4 events are in"), (0, f"remove {unique_name}")):
        done = sent_from(
            kafka, unique_name, "river:Phishing", limit=10, start_over=f"remove {unique_name}"
        )
        assert done.sent == count
        assert told in capsys.readouterr().err

    there = [dict(record.headers).get(HEADER) for p in (0, 1) for record in read(kafka, topic, p)]
    ours = sorted(int(h[15:]) for h in there if h and re.fullmatch(rb"river:Phishing#\d{1,3}", h))
    assert ours == list(range(10))


def test_a_topic_that_has_lost_records_is_never_sent_them_again(kafka, make_topic, unique_name):
    """What came before the last that is left counts as sent."""
    topic = make_topic()
    sent_from(kafka, unique_name, "river:Phishing", limit=10, start_over="")
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.delete_records({TopicPartition(topic, 0): 7})

    before = sent_before(kafka, topic, "river:Phishing")

    assert [number in before for number in (0, 6, 9, 10)] == [True, True, True, False]


@pytest.mark.timeout(60)
def test_ctrl_c_says_how_many_were_acknowledged(kafka, make_topic, unique_name, tmp_path):
    """Exit code 130, and what it says is what is there."""
    topic = make_topic()
    (tmp_path / "model.yaml").write_text(MODEL.format(unique_name))
    command = [Path(sys.executable).with_name("weir"), "send", "--model", "model.yaml"]
    with subprocess.Popen(
        [*command, "--from", "river:SEA", "--rate", "100"],
        cwd=tmp_path,
        env={**os.environ, "WEIR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # a second's progress
        process.send_signal(signal.SIGINT)
        *_, counts, told = process.stderr.read().splitlines()

    assert process.returncode == 130
    assert told == "weir: river:SEA: interrupted, the rest was not sent"
    assert f"{len(read(kafka, topic)):,} acknowledged" in counts


def test_what_was_sent_before_an_unreadable_line_is_there(kafka, make_topic, unique_name, tmp_path):
    """The error names the line; the records before it are published."""
    topic = make_topic()
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3\n")

    told = r"data\.csv:3: .*; 1 events of it were sent before, 1 acknowledged"
    with pytest.raises(SendStoppedError, match=told) as raised:
        sent_from(kafka, unique_name, tmp_path / "data.csv")

    assert raised.value.exit_code == 2
    assert len(read(kafka, topic)) == 1


def test_a_record_that_the_topic_refuses_ends_it(kafka, make_topic, unique_name, tmp_path):
    """Exit code 5, and how many were acknowledged before it."""
    make_topic(bytes_max=10_000)
    large = msgspec.json.encode({"features": {"a": "x" * 20_000}})
    (tmp_path / "data.ndjson").write_bytes(b'{"features":{}}\n' + large)

    told = r"data\.ndjson: .* did not take record 2.* 2 events of it were sent before, 1 acknow"
    with pytest.raises(SendStoppedError, match=told) as raised:
        sent_from(kafka, unique_name, tmp_path / "data.ndjson")
    assert (raised.value.acknowledged, raised.value.exit_code) == (1, 5)


def test_a_publisher_publishes_on_after_a_record_was_refused(kafka, make_topic):
    """One caller's record too large for the topic is no other caller's trouble."""
    topic = make_topic(bytes_max=10_000)

    async def publish_three():
        first = await publisher.publish(topic, b"k", b"one")
        with pytest.raises(KafkaUnavailableError, match="TooLarge"):
            await publisher.publish(topic, None, b"x" * 20_000)
        return first, await publisher.publish(topic, None, b"two")

    publisher = Publisher(kafka)
    try:
        first, last = asyncio.run(publish_three())
    finally:
        publisher.close()

    assert (first.topic, first.partition, first.offset) == (topic, 0, 0)
    assert last.offset == 1
    assert [record.value for record in read(kafka, topic)] == [b"one", b"two"]


def test_a_producer_closed_in_haste_ends_and_its_futures_tell(kafka, make_topic):
    """kafka-python's own close raises instead, and its thread stays."""
    producer = KafkaProducer(linger_ms=60_000, **client.options(kafka))
    topic = make_topic()
    futures = [producer.send(topic, value=b"x" * 1000) for _ in range(3)]

    client.close_producer(producer, limit_s=0.0)

    producer._sender.join(10)
    assert not producer._sender.is_alive()
    assert all(future.is_done for future in futures)


def test_a_publisher_names_a_missing_topic(kafka, unique_name):
    """Rather than making one."""
    publisher = Publisher(kafka)
    try:
        with pytest.raises(TopicMissingError):
            asyncio.run(publisher.publish(f"{unique_name}.none", None, b"x"))
    finally:
        publisher.close()
