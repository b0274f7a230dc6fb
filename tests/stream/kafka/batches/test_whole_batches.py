"""Batches made whole are kafka-python's own, byte for byte, and each record of them is told of."""

import threading
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import IllegalStateError
from kafka.record.default_records import DefaultRecordBatchBuilder

from config.settings import load_settings
from stream.kafka.answer_producer import AnswerProducer, by_partition
from stream.kafka.batches.whole_batches import Outgoing, append_batch, encode

NOW_MS = 1_790_000_000_000
SIZES = st.sampled_from([0, 1, 63, 64, 65, 8191, 8192, 8200])
RECORDS = st.lists(
    st.builds(
        Outgoing,
        st.one_of(st.binary(max_size=80), SIZES.map(bytes)),
        st.one_of(st.binary(max_size=80), SIZES.map(bytes)),
        st.lists(st.tuples(st.text(max_size=70), st.binary(max_size=70)), max_size=3),
        st.one_of(
            st.integers(NOW_MS - 70, NOW_MS + 70), st.integers(0, 2 * NOW_MS)
        ),
    ),
    min_size=1, max_size=70,
)  # fmt: skip


@given(RECORDS)
def test_what_is_encoded_is_what_kafka_python_encodes(records: list[Outgoing]) -> None:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 30)
    for place, each in enumerate(records):
        builder.append(place, each.at_ms, each.key, each.value, each.headers)

    theirs = bytes(builder.build())[DefaultRecordBatchBuilder.header_size_in_bytes() :]
    assert encode(records, records[0].at_ms) == theirs


def test_records_are_shared_out_as_by_any_other_producer(kafka_server, make_topic):
    """A key is where a `KafkaProducer` has it."""
    topic = make_topic(partitions=3)
    keys = [f"key {number}".encode() for number in range(60)]
    with closing(KafkaProducer(bootstrap_servers=kafka_server.address)) as producer:
        futures = [producer.send(topic, key=key, value=b"") for key in keys]
        theirs = {key: future.get(20).partition for key, future in zip(keys, futures, strict=True)}

    ours = by_partition([Outgoing(key, b"", (), 0) for key in keys], 3)

    assert {each.key: partition for partition, some in ours for each in some} == theirs
    assert [partition for partition, _ in ours] == [0, 1, 2]


@pytest.mark.parametrize("large", [[], [9]])
def test_of_a_batch_that_is_too_large_for_the_topic_each_record_is_told_of(
    kafka_server, make_topic, large
):
    """It is halved until it fits. One that fits nowhere spoils the producer, and what is behind."""
    where = TopicPartition(make_topic(bytes_max=2_000), 0)
    records = [
        Outgoing(str(n).encode(), bytes(3_000 if n in large else 400), [("n", b"v")], NOW_MS + n)
        for n in range(16)
    ]
    told: list[tuple[bytes, bool]] = []
    is_all_told = threading.Event()

    def settled(some, error):
        told.extend((each.key, error is None) for each in some)
        if len(told) >= len(records):
            is_all_told.set()

    with closing(KafkaProducer(bootstrap_servers=kafka_server.address, acks="all")) as producer:
        producer.partitions_for(where.topic)
        append_batch(producer, where, records, settled)
        assert is_all_told.wait(30)

    assert sorted(key for key, _ in told) == sorted(each.key for each in records), "each once"
    taken = [each for each in records if (each.key, True) in told]
    assert len(taken) == len(records) if not large else 0 < len(taken) <= large[0]
    assert [
        Outgoing(each.key, each.value, each.headers, each.timestamp)
        for each in read(kafka_server.address, where)
    ] == taken


def test_a_closed_producer_takes_none(kafka_server, make_topic):
    where = TopicPartition(make_topic(), 0)
    producer = KafkaProducer(bootstrap_servers=kafka_server.address)
    producer.partitions_for(where.topic)
    producer.close()

    with pytest.raises(IllegalStateError):
        append_batch(producer, where, [Outgoing(b"", b"", (), 0)], lambda *_: None)


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_is_sent_in_pieces_arrives_once_and_in_order(kafka_server, make_topic, partitions):
    """By the key, where there are several partitions; more than one batch takes."""
    topic = make_topic(partitions=partitions)
    settings = load_settings({"kafka": {"bootstrap_servers": kafka_server.address}}, environ={})
    producer, told = AnswerProducer(settings.kafka), Counter()
    producer.start()

    def settled(count, size, has):
        told.update({"records": count, "bytes": size, has: count})

    for piece in range(20):
        some = [(f"{n % 7}".encode(), bytes(2_000) + f"{n}".encode(), (), NOW_MS + n)
                for n in range(piece * 40, piece * 40 + 40)]  # fmt: skip
        producer.send(topic, some, settled)
    producer.close(20)

    sizes = sum(2_001 + len(str(n)) for n in range(800))
    assert told == {"records": 800, "bytes": sizes, True: 800}
    found = {}
    for partition in range(partitions):
        for each in read(kafka_server.address, TopicPartition(topic, partition)):
            found.setdefault((partition, each.key), []).append(int(each.value.strip(b"\0")))
    assert sorted(n for some in found.values() for n in some) == list(range(800))
    assert all(some == sorted(some) for some in found.values())
    assert len(found) == 7, "a key is in one partition"


def read(address, where):
    """All records of a partition."""
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        end, found = consumer.end_offsets([where])[where], []
        while consumer.position(where) < end:
            found += [each for some in consumer.poll(500).values() for each in some]
    return found
