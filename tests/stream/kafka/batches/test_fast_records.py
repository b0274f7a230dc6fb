"""A consumer read fast and one read by kafka-python alone, side by side on a real broker."""

import logging
import time
from collections import defaultdict
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.producer import ProduceRequest
from kafka.record import MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatch

from config.settings import KafkaSettings
from stream.between.positions import Positions
from stream.dev.kafka_server import KafkaServer
from stream.errors import UnreadableLogError
from stream.kafka import client as kafka_client
from stream.kafka.batches import fast_records
from stream.kafka.batches.record_batches import Record
from stream.kafka.consumer import KafkaSource

MIB = 1 << 20
WAIT_S = 30


def consumer(address, *, is_fast, isolation="read_committed"):
    made = KafkaConsumer(
        bootstrap_servers=address,
        group_id=None,
        auto_offset_reset="none",
        isolation_level=isolation,
        max_partition_fetch_bytes=4 * MIB,
        fetch_max_wait_ms=50,
    )
    assert fast_records.use_in(made) if is_fast else True
    return closing(made)


def producer(address, **options):
    return closing(KafkaProducer(bootstrap_servers=address, linger_ms=20, **options))


def read(reader, begins, *, max_records=500):
    """All records from there to the end, and where the consumer then stands."""
    records = defaultdict(list)
    reader.assign(list(begins))
    for key, begin in begins.items():
        reader.seek(key, begin)
    ends = reader.end_offsets(list(begins))
    deadline = time.monotonic() + WAIT_S
    while any(reader.position(key) < end for key, end in ends.items()):
        assert time.monotonic() < deadline, f"not read in time: {ends}"
        polled = reader.poll(timeout_ms=200, max_records=max_records)
        assert sum(map(len, polled.values())) <= max_records
        for key, found in polled.items():
            records[key] += found
            assert reader.position(key) >= found[-1].offset + 1
    standing = {key: (reader.position(key), reader.highwater(key)) for key in begins}
    return dict(records), standing


def told(records):
    return {
        key: [
            *(
                (r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers))
                for r in found
            )
        ]
        for key, found in records.items()
    }


def both(address, begins, **options):
    """What both readers see, which is the same; the records of the fast one."""
    with consumer(address, is_fast=False) as stock, consumer(address, is_fast=True) as fast:
        expected, expected_standing = read(stock, begins, **options)
        found, standing = read(fast, begins, **options)
    assert told(found) == told(expected)
    assert standing == expected_standing
    return found


def fill(address, topic, *, codec=None, partitions=1):
    """Of everything a topic may hold."""
    records = [
        *({"value": b'{"features": {"a": %d}}' % n} for n in range(300)),
        *({"key": b"%d" % n, "value": b"v" * (n % 90)} for n in range(300)),
        *({"value": b"v", "headers": [("ce_id", b"%d" % n), ("é", b"")]} for n in range(100)),
        *({"key": b"k", "value": None} for _ in range(100)),
        *({"key": b"", "value": b""} for _ in range(100)),
        *({"value": b"v" * size} for size in (63, 64, 8191, 8192, MIB)),
        *({"value": b"v", "timestamp_ms": 1_600_000_000_000 + n * 99_999} for n in range(100)),
    ]
    with producer(address, compression_type=codec, max_request_size=2 * MIB) as sender:
        for n, each in enumerate(records):
            sender.send(topic, partition=n % partitions, **each)
    for partition in range(partitions):
        send_as_other_clients_may(address, TopicPartition(topic, partition))
    return {TopicPartition(topic, p): 0 for p in range(partitions)}, len(records) + 3 * partitions


def send_as_other_clients_may(address, key):
    """Headers without a value, and records without anything, which `send()` refuses."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1024)
    for value in (b"v", None, b""):
        builder.append(1_700_000_000_000, None, value, [("none", None), ("some", b"x")])
    builder.close()
    topic = ProduceRequest.TopicProduceData
    partition = topic.PartitionProduceData(index=key.partition, records=builder.buffer())
    request = ProduceRequest(
        transactional_id=None,
        acks=-1,
        timeout_ms=WAIT_S * 1000,
        topic_data=[topic(name=key.topic, partition_data=[partition])],
        min_version=3,
        max_version=9,
    )
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        (node,) = admin._manager.cluster.brokers()
        answer = admin._manager.run(admin._manager.send, request, node.node_id)
    (answered,) = answer.responses[0].partition_responses
    assert answered.error_code == 0


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_records_are_the_same(kafka_server, make_topic, codec):
    """Every field, whatever the record holds, however many are asked for."""
    begins, count = fill(kafka_server.address, make_topic(), codec=codec)

    for max_records in (1000, 7):
        (found,) = both(kafka_server.address, begins, max_records=max_records).values()
        assert len(found) == count
        assert sum(type(each) is Record for each in found) > count / 2


def test_records_of_several_partitions_are_the_same(kafka_server, make_topic):
    begins, count = fill(kafka_server.address, make_topic(partitions=3), partitions=3)

    found = both(kafka_server.address, begins, max_records=90)
    assert len(found) == 3
    assert sum(map(len, found.values())) == count


def test_reading_begins_at_any_offset(kafka_server, make_topic):
    """In the midst of batches, as after most restarts."""
    address, topic = kafka_server.address, make_topic()
    key = TopicPartition(topic, 0)
    with producer(address) as sender:
        for n in range(200):
            sender.send(topic, b"%d" % n)

    for begin in (0, 1, 99, 198, 199):
        found = both(address, {key: begin}, max_records=50)[key]
        assert [each.offset for each in found] == [*range(begin, 200)]


def test_a_seek_drops_what_was_fetched(kafka_server, make_topic):
    """Also the rest of a batch that was opened: what comes next is what was sought."""
    address, topic = kafka_server.address, make_topic()
    key = TopicPartition(topic, 0)
    with producer(address) as sender:
        for n in range(200):
            sender.send(topic, b"%d" % n)

    with consumer(address, is_fast=True) as fast:
        fast.assign([key])
        for begin in (10, 150, 20, 21):
            fast.seek(key, begin)
            (found,) = fast.poll(timeout_ms=WAIT_S * 1000, max_records=5).values()
            assert [each.offset for each in found] == [*range(begin, begin + 5)]
            assert fast.position(key) == begin + 5


def test_aborted_transactions_are_never_seen(kafka_server, make_topic, unique_name):
    """Two producers in turn, each now committing, now aborting, and one without transactions."""
    address, topic = kafka_server.address, make_topic()
    first, second = (
        KafkaProducer(
            bootstrap_servers=address, transactional_id=f"{unique_name}-{n}", linger_ms=20
        )
        for n in (1, 2)
    )
    with closing(first), closing(second), producer(address) as plain:
        for each in (first, second):
            each.init_transactions()
        for turn in range(6):
            for each in (first, second):
                each.begin_transaction()
            for n in range(60):
                first.send(topic, b"first %d" % n)
                second.send(topic, b"second %d" % n)
                plain.send(topic, b"plain %d" % n)
            for each in (first, second, plain):
                each.flush()
            _end(first, is_committed=turn % 2 == 0)
            _end(second, is_committed=turn % 3 == 0)

    (found,) = both(address, {TopicPartition(topic, 0): 0}, max_records=100).values()
    counts = {
        name: sum(each.value.startswith(name) for each in found)
        for name in (b"first", b"second", b"plain")
    }
    assert counts == {b"first": 180, b"second": 120, b"plain": 360}
    assert sum(type(each) is Record for each in found) > len(found) / 2


def _end(sender, *, is_committed):
    if is_committed:
        sender.commit_transaction()
    else:
        sender.abort_transaction()


def test_a_batch_broken_on_disk_stops_both_alike(starts_servers, tmp_path):
    """After the records before it. The source then says which log cannot be read."""
    with KafkaServer(tmp_path) as server:
        address, key = server.address, TopicPartition("broken", 0)
        with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            admin.create_topics(
                {key.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
            )
        for half in (b"first", b"second"):
            with producer(address) as sender:
                for n in range(100):
                    sender.send(key.topic, half + b" %d" % n, partition=0)
        _flip_a_bit(tmp_path, key, after=b"second 50")

        told_by = {}
        for is_fast in (False, True):
            with consumer(address, is_fast=is_fast) as reader:
                told_by[is_fast] = _until_error(reader, key)
        offset, error = told_by[True]
        assert told_by[False] == (offset, error)
        assert 100 <= offset < 200
        assert error.startswith("CorruptRecordError")

        kafka = KafkaSettings(bootstrap_servers=address)
        topic_id = kafka_client.require(kafka, [key.topic])[key.topic].topic_id
        positions = Positions(
            topic_ids={key.topic: topic_id}, begins={}, next_offsets={tuple(key): 150}
        )
        source = KafkaSource(kafka, "model", positions)
        with closing(source), pytest.raises(UnreadableLogError, match="broken-0"):
            source.poll(WAIT_S * 1000)


def _flip_a_bit(directory, key, *, after):
    (segment,) = directory.glob(f"log/{key.topic}-{key.partition}/*.log")
    at = segment.read_bytes().index(after)
    with segment.open("r+b") as file:
        file.seek(at)
        file.write(bytes([after[0] ^ 1]))


def _until_error(reader, key):
    """Where it stopped, and by which error."""
    reader.assign([key])
    reader.seek(key, 0)
    try:
        while reader.poll(timeout_ms=WAIT_S * 1000, max_records=30):
            pass
    except CorruptRecordError as error:
        return reader.position(key), f"{type(error).__name__}: {error}"
    raise AssertionError("nothing is read, and nothing raised")


def test_kafka_python_is_built_as_known():
    """If this fails after an upgrade, `fast_records.py` has to follow kafka-python.

    Until it does, nothing breaks: learners read one by one, at four times the price.
    """
    assert fast_records._why_not(Fetcher.PartitionRecords) is None, (
        "kafka-python's consumer is built otherwise now"
    )


@pytest.fixture
def built_otherwise(monkeypatch):
    """A kafka-python whose batches lack a name that was there."""
    monkeypatch.delattr(DefaultRecordBatch, "records_count")
    fast_records._why_not.cache_clear()
    fast_records._warn.cache_clear()
    yield
    fast_records._why_not.cache_clear()


def test_another_kafka_python_reads_one_by_one(kafka_server, make_topic, built_otherwise, caplog):
    """And says so once."""
    address, topic = kafka_server.address, make_topic()
    key = TopicPartition(topic, 0)
    with producer(address) as sender:
        for n in range(10):
            sender.send(topic, b"%d" % n)

    with consumer(address, is_fast=False) as reader, caplog.at_level(logging.WARNING, "stream"):
        assert not fast_records.use_in(reader)
        assert not fast_records.use_in(reader)
        (found,) = read(reader, {key: 0})[0].values()

    assert [each.value for each in found] == [b"%d" % n for n in range(10)]
    assert {type(each) for each in found} == {ConsumerRecord}
    (warning,) = [
        each for each in caplog.records if each.name == "stream.kafka.batches.fast_records"
    ]
    assert "records_count" in warning.getMessage()
