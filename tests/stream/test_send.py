"""Publishing on a real broker: in order, all acknowledged, at the rate asked for."""

import asyncio
import time
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from config.model_file import parse_model_file
from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError, TopicMissingError
from stream.producer import NotAcknowledgedError, Publisher
from stream.readers import Columns, SendError
from stream.send import send

MODEL = "name: {}\ntask: binary\nlearner: {{river: [linear_model.LogisticRegression]}}\n"


@pytest.fixture
def kafka(kafka_server):
    return KafkaSettings(bootstrap_servers=kafka_server.address)


def sent_from(kafka, name, source, *, rate=None, limit=None):
    model = parse_model_file(MODEL.format(name))
    return send(kafka, model, str(source), Columns(), rate=rate, limit=limit)


def read(kafka, topic):
    """Every record of partition 0."""
    place = TopicPartition(topic, 0)
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

    assert done == {"sent": 3000, "acknowledged": 3000}
    found = read(kafka, topic)
    assert [record.value for record in found] == lines
    assert [record.key for record in found[6:9]] == [b"e-6", None, b"e-8"]
    assert "3,000 sent, 3,000 acknowledged" in capsys.readouterr().err


def test_limit_and_rate_hold(kafka, make_topic, unique_name):
    """40 records at 50 a second take about 0.8 s."""
    topic = make_topic()
    started = time.monotonic()

    done = sent_from(kafka, unique_name, "river:SEA", rate=50, limit=40)

    assert done == {"sent": 40, "acknowledged": 40}
    assert time.monotonic() - started > 0.7
    assert len(read(kafka, topic)) == 40


def test_a_missing_topic_is_said_before_anything_is_read(kafka, unique_name):
    """Exit code 3."""
    with pytest.raises(TopicMissingError, match="--create-topics") as raised:
        sent_from(kafka, unique_name, "nothing.csv")
    assert raised.value.exit_code == 3


def test_what_was_sent_before_an_unreadable_line_is_there(kafka, make_topic, unique_name, tmp_path):
    """The error names the line; the records before it are published."""
    topic = make_topic()
    (tmp_path / "data.csv").write_text("a,b\n1,2\n3\n")

    with pytest.raises(SendError, match=r"data\.csv:3"):
        sent_from(kafka, unique_name, tmp_path / "data.csv")

    assert len(read(kafka, topic)) == 1


def test_a_record_that_the_topic_refuses_ends_it(kafka, make_topic, unique_name, tmp_path):
    """Exit code 5, and how many were acknowledged before it."""
    make_topic(bytes_max=10_000)
    large = msgspec.json.encode({"features": {"a": "x" * 20_000}})
    (tmp_path / "data.ndjson").write_bytes(b'{"features":{}}\n' + large)

    with pytest.raises(NotAcknowledgedError, match="did not take record 2") as raised:
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


def test_a_publisher_names_a_missing_topic(kafka, unique_name):
    """Rather than making one."""
    publisher = Publisher(kafka)
    try:
        with pytest.raises(TopicMissingError):
            asyncio.run(publisher.publish(f"{unique_name}.none", None, b"x"))
    finally:
        publisher.close()
