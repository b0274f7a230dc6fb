"""Batches, decoded together, give what kafka-python gives one by one: records, offsets, errors."""

import struct
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from stream.kafka.batches.fast_records import PartitionRecords
from stream.kafka.batches.record_batches import Record

KEY = TopicPartition("topic", 3)
EPOCH_MS = 1_700_000_000_000
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
ABORT, COMMIT = 0, 1
ATTRIBUTES_AT, LAST_DELTA_AT, MAX_TIME_AT, COUNT_AT = 21, 23, 35, 57


def record(offset, *, time=0, key=None, value=b"value", headers=()):
    return offset, EPOCH_MS + time, key, value, list(headers)


def batch(records, *, base=0, epoch=5, codec=0, producer=-1, flags=0, last=None):
    """A batch as a broker keeps it.

    Args:
        last: The last offset (from the base), where compaction has removed the last record.
    """
    builder = DefaultRecordBatchBuilder(2, codec, False, producer, 0, 0, 1 << 30)
    for each in records:
        builder.append(*each)
    made = builder.build()
    struct.pack_into(">qii", made, 0, base, len(made) - 12, epoch)
    made[ATTRIBUTES_AT + 1] |= flags
    if last is not None:
        struct.pack_into(">i", made, LAST_DELTA_AT, last)
    return sealed(made)


def marker(kind, *, base, producer):
    """The control batch that ends a transaction."""
    ends = [record(0, key=struct.pack(">hh", 0, kind), value=bytes(6))]
    return batch(ends, base=base, producer=producer, flags=TRANSACTIONAL | CONTROL)


def sealed(made):
    """With the checksum of what it holds."""
    struct.pack_into(">I", made, 17, calc_crc32c(memoryview(made)[ATTRIBUTES_AT:]))
    return bytes(made)


def old_batch(records, *, magic, codec=0):
    builder = MemoryRecordsBuilder(magic=magic, compression_type=codec, batch_size=1 << 20)
    for _, time, key, value, _ in records:
        builder.append(time, key, value)
    builder.close()
    return bytes(builder.buffer())


def told(each):
    return (
        *(each.topic, each.partition, each.offset, each.timestamp),
        *(each.key, each.value, list(each.headers)),
    )


def outcome(make, data, *, begin=0, n=100, **options):
    """All that a consumer sees: each take with the position after it, and the error at the end."""
    seen = []
    found = make(begin, KEY, MemoryRecords(data), **options)
    while found:
        try:
            taken = found.take(n)
        except Exception as error:
            seen.append((type(error), str(error)))
            break
        seen.append(([told(each) for each in taken], found.next_fetch_offset, found.leader_epoch))
    return seen


ours = partial(PartitionRecords, Fetcher.PartitionRecords)


def same(data, **options):
    """What both see."""
    found, expected = (
        outcome(ours, data, **options),
        outcome(Fetcher.PartitionRecords, data, **options),
    )
    assert found == expected
    return found


def together(data, **options):
    """Decoded together, not handed back."""
    taken = ours(0, KEY, MemoryRecords(data), **options).take(1_000_000)
    return bool(taken) and all(type(each) is Record for each in taken)


# Around each size at which a length takes one byte more, and well within.
SIZES = st.sampled_from([0, 1, 10, 55, 56, 57, 62, 63, 64, 65, 170, 8180, 8191, 8192, 8200, 70_000])
BYTES = st.none() | SIZES.map(lambda size: b"x" * size) | st.binary(max_size=8)
HEADERS = st.lists(st.tuples(st.text(max_size=70), st.none() | st.binary(max_size=70)), max_size=3)
TIMES = st.sampled_from([0, 1, 63, 64, -64, -65, 8191, 8192, -9000, 10**6, 10**12]) | st.integers(
    -(1 << 40), 1 << 40
)
GAPS = st.sampled_from([1, 1, 1, 2, 60, 8200])


@st.composite
def batches(draw, codecs=(0, 0, GZIP, ZSTD)):
    """Batches one after the other, and where their offsets end."""
    data, base = b"", draw(st.integers(0, 1 << 40))
    begin = base
    for _ in range(draw(st.integers(1, 3))):
        offset, records = -1, []
        kind = draw(st.tuples(BYTES, BYTES, HEADERS, TIMES))
        for _ in range(draw(st.integers(1, 12))):
            offset += draw(GAPS)
            key, value, headers, time = draw(
                st.just(kind) | st.tuples(BYTES, BYTES, HEADERS, TIMES)
            )
            records.append(record(offset, time=time, key=key, value=value, headers=headers))
        last = offset + draw(st.sampled_from([0, 0, 5]))
        flags = draw(st.sampled_from([0, 0, APPEND_TIME]))
        codec = draw(st.sampled_from(codecs))
        data += batch(records, base=base, codec=codec, flags=flags, last=last)
        base += last + 1
    return data, begin, base


@settings(deadline=None)
@given(batches(codecs=(0, 0, GZIP, SNAPPY, LZ4, ZSTD)), st.data())
def test_records_are_those_of_kafka_python(made, data):
    """Of any batches, from any offset within, however many are taken at a time."""
    written, first, end = made
    begin = data.draw(st.sampled_from([first, end - 1]) | st.integers(first, end - 1))

    same(written, begin=begin, n=data.draw(st.sampled_from([1, 2, 7, 1000])))


@settings(deadline=None)
@given(batches(), st.data(), st.booleans())
def test_broken_bytes_end_where_they_end_for_kafka_python(made, data, check_crcs):
    """The records before, then the same error: also where no checksum tells."""
    written, begin, _ = made
    broken = bytearray(written)
    for _ in range(data.draw(st.integers(1, 3))):
        # Not its length or magic, by which it would not be this batch.
        bit = data.draw(st.integers(17 * 8, len(broken) * 8 - 1))
        broken[bit // 8] ^= 1 << bit % 8

    expected = outcome(Fetcher.PartitionRecords, bytes(broken), begin=begin, check_crcs=check_crcs)
    assume("UnicodeDecodeError" not in str(expected[-1][-1]))  # a header's name: ours is read
    same(bytes(broken), begin=begin, n=5, check_crcs=check_crcs)


PLAIN = [record(n, time=n, value=b"v" * 170) for n in range(80)]
KINDS = {
    "plain": PLAIN,
    "keyed": [record(n, key=b"key %d" % n) for n in range(80)],
    "longer keys": [record(n, key=b"k" * 100) for n in range(3)],
    "with headers": [record(n, headers=[("a", b"1"), ("é", None), ("", b"")]) for n in range(3)],
    "tombstones": [record(n, key=b"key", value=None) for n in range(3)],
    "empty": [record(n, key=b"", value=b"") for n in range(3)],
    "nothing at all": [record(n, value=None) for n in range(3)],
    "1 MiB": [record(n, value=b"v" * (1 << 20)) for n in range(3)],
    "hours between": [record(n, time=n * 3_600_000) for n in range(80)],
    "backwards in time": [record(n, time=-n * 50) for n in range(80)],
    "gaps of compaction": [record(n * n) for n in range(100)],
    "many": [record(n) for n in range(10_000)],
}


@pytest.mark.parametrize("codec", [0, GZIP, SNAPPY, LZ4, ZSTD])
@pytest.mark.parametrize("kind", KINDS)
def test_such_records_are_decoded_together(kind, codec):
    """None of these is handed back."""
    data = batch(KINDS[kind], codec=codec)

    assert together(data)
    same(data, n=30)


@pytest.mark.parametrize("count", [1, 30])
def test_a_header_s_name_that_is_no_text_is_escaped(count):
    """kafka-python reads neither its record nor any behind it."""
    made = [record(n, headers=[("name", b"value"), ("long" * 20, None)]) for n in range(count)]
    data = sealed(bytearray(batch(made).replace(b"name", b"n\xffme").replace(b"glo", b"g\xfeo")))

    ((taken, *_),) = outcome(ours, data)
    assert [each[-1][0] for each in taken] == [("n\\xffme", b"value")] * count
    assert taken[0][-1][1][0].startswith("lon")
    assert "UnicodeDecodeError" in outcome(Fetcher.PartitionRecords, data)[-1][-1]


def test_the_time_of_the_broker_is_one_for_all():
    """A topic of `message.timestamp.type=LogAppendTime`."""
    made = bytearray(batch(PLAIN, flags=APPEND_TIME))
    struct.pack_into(">q", made, MAX_TIME_AT, EPOCH_MS + 999)
    data = sealed(made)

    assert together(data)
    (first, *_), *_ = same(data)
    assert {each[3] for each in first} == {EPOCH_MS + 999}


def test_the_epoch_is_that_of_the_batch_last_read():
    """Truncation would be seen by a wrong one, or missed."""
    data = batch(PLAIN, epoch=5) + batch(PLAIN, base=80, epoch=6)

    assert [epoch for _, _, epoch in same(data, n=40)] == [5, 5, 6, 6, 6]


def test_the_position_passes_what_compaction_removed_at_the_end():
    """Else the same batch would be fetched for ever."""
    assert same(batch(PLAIN, last=99))[-1][1] == 100


def test_reading_begins_within_a_batch():
    """As after a restart: the offset of a commit is seldom the first of a batch."""
    data = batch(PLAIN) + batch(PLAIN, base=80)

    (first, position, _), *_ = same(data, begin=77, n=5)
    assert [each[2] for each in first] == [77, 78, 79, 80, 81]
    assert position == 82


def test_aborted_transactions_are_passed_over():
    """Two producers at once, one of which aborts, then commits."""
    transaction = partial(batch, PLAIN, flags=TRANSACTIONAL)
    data = b"".join(
        [
            transaction(base=0, producer=1),
            transaction(base=80, producer=2),
            marker(ABORT, base=160, producer=1),
            transaction(base=161, producer=1),
            batch(PLAIN, base=241),
            marker(COMMIT, base=321, producer=2),
            marker(COMMIT, base=322, producer=1),
        ]
    )
    aborted = [SimpleNamespace(first_offset=0, producer_id=1)]

    for n in (7, 1000):
        seen = same(
            data, n=n, isolation_level=IsolationLevel.READ_COMMITTED, aborted_transactions=aborted
        )
        offsets = [each[2] for taken, _, _ in seen for each in taken]
        assert offsets == [*range(80, 160), *range(161, 321)]
        assert seen[-1][1] == 323


@pytest.mark.parametrize("magic", [0, 1])
def test_old_formats_are_read_by_kafka_python(magic):
    """Also before and after new ones, as in a topic that was upgraded."""
    data = old_batch(PLAIN[:3], magic=magic) + batch(PLAIN, base=3)

    taken = [each for taken, _, _ in same(data) for each in taken]
    assert len(taken) == 83


def test_a_batch_without_records_is_passed():
    """Compaction keeps the empty batch of a producer that is still known."""
    made = bytearray(batch(PLAIN)[:61])
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">i", made, COUNT_AT, 0)

    assert same(sealed(made) + batch(PLAIN, base=80))[-1][1] == 160


def test_offsets_that_do_not_ascend_are_left_to_kafka_python():
    """No broker writes them."""
    data = batch([record(n) for n in (3, 2, 1)])

    assert not together(data)
    same(data)


@pytest.mark.parametrize("codec", [5, 7])
def test_an_unknown_codec_has_the_same_name(codec):
    """After the records before it."""
    data = batch(PLAIN) + batch(PLAIN, base=80, flags=codec)

    *before, error = same(data)
    assert error[0] is UnsupportedCodecError
    assert sum(len(taken) for taken, _, _ in before) == 80


def test_a_flipped_bit_is_found():
    """The batch before is read, its position kept; asked again, the error comes again."""
    broken = bytearray(batch(PLAIN, base=80))
    broken[1000] ^= 1
    data = batch(PLAIN) + bytes(broken)

    assert same(data)[-1][0] is CorruptRecordError
    found = ours(0, KEY, MemoryRecords(data))
    assert len(found.take(100)) == 80
    for _ in range(2):
        with pytest.raises(CorruptRecordError, match="failed crc check"):
            found.take(100)
    assert found.next_fetch_offset == 80


def test_what_was_read_is_counted():
    """For kafka-python's own metrics."""
    found = ours(0, KEY, MemoryRecords(batch(PLAIN) + batch(PLAIN, base=80)))

    assert len(found.take(1000)) == found.records_read == 160
