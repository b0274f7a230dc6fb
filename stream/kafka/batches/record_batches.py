"""The records of one Kafka batch of message format 2, decoded together.

Most records of a batch look alike: the same of their lengths take one byte, the same take two. So a
record is read by one `struct` call in the shape of the record before it, its varints are looked up
in tables, and the sum of its lengths tells whether the shape was right. One of another shape is
read field by field, and hands its own shape on to the next.
"""

from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

import msgspec

# A short last record is read so many bytes past its end, or fewer.
PADDING = bytes(16)

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]

_NO_HEADERS: Headers = ()
# Kafka takes any bytes as a header's name. One that is no text must not make its record unreadable,
# as for kafka-python, where nothing behind it would be read either.
_ODD_NAMES = "backslashreplace"
# Looked up where no varint of that size stands: no length, offset or time leads there.
_NONE = -(1 << 62)
_ONE_BYTE_MAX = 63


class Record(msgspec.Struct, gc=False):
    """One record: of kafka-python's `ConsumerRecord`, the attributes that Weir reads.

    Attributes:
        timestamp: Milliseconds since the epoch; -1: none.
        headers: Of most records empty. In a name that is not UTF-8, such bytes are written `\\xff`.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def decode(
    data: bytes, count: int, *, topic: str, partition: int, base_offset: int, base_time: int
) -> list[Record]:
    """The records of a batch.

    Args:
        data: What follows the header of the batch, uncompressed; then `PADDING`.
        count: How many records the header promises.
        base_offset: What the records' offsets are counted from.
        base_time: What their timestamps are counted from.

    Raises:
        ValueError, IndexError, struct.error: These are not so many records, in the order of their
            offsets, to the last byte.
    """
    value: bytes | None
    headers: Headers
    records: list[Record] = []
    add, record, no_headers, none = records.append, Record, _NO_HEADERS, _NONE
    read, length_size, time_size, value_size, size, lengths, times, deltas, values = _USUAL
    position, last = 0, -1
    for _ in range(count):
        n, odd, t, d, k, v = read(data, position)
        begin = position + size
        key = None
        if k != 1:
            odd |= k & 0x81  # longer than one byte says, or negative
            key_begin = begin - value_size
            begin += k >> 1
            key = data[key_begin : begin - value_size]
            v = int.from_bytes(data[begin - value_size : begin], "little")
        end, following = begin + values[v], position + length_size + lengths[n]
        time, delta = times[t], deltas[d]
        if time == none and following > position:
            time, time_end = _varint_at(data, position + length_size + 1)
            odd |= time_end != position + length_size + 1 + time_size
        if end + 1 == following and not (odd or data[end]) and delta > last:
            value, headers = data[begin:end], no_headers
        elif begin <= end < following and not odd and delta > last:
            value, headers = data[begin:end], _headers_at(data, end, following)
        else:
            following, time, delta, key, value, headers = _record_at(data, position)
            if delta <= last:
                raise ValueError(f"offset {delta} after {last}")
            shape = _shape_of(following - position, time, delta, value)
            read, length_size, time_size, value_size, size, lengths, times, deltas, values = shape
        add(record(topic, partition, base_offset + delta, base_time + time, key, value, headers))
        position, last = following, delta
    if position != len(data) - len(PADDING):
        raise ValueError(f"{count} records end at {position}")
    return records


class _Shape(NamedTuple):
    """How to read a record from its length to the length of its value, the key left out."""

    read: Callable[[bytes, int], tuple[Any, ...]]
    length_size: int
    time_size: int
    value_size: int
    size: int
    lengths: list[int]
    times: list[int]
    deltas: list[int]
    values: list[int]


def _zigzag(raw: int) -> int:
    return (raw >> 1) ^ -(raw & 1)


def _two_bytes() -> list[int]:
    """By the two bytes as `struct` reads them: the low seven bits come first."""
    table = [_NONE] * 0x10000
    for high in range(0x80):
        for low in range(0x80):
            table[high << 8 | 0x80 | low] = _zigzag(high << 7 | low)
    return table


# Of a varint of so many bytes: how `struct` reads it, and what it then stands for.
_TABLES = {
    1: ("B", [_zigzag(byte) if byte < 0x80 else _NONE for byte in range(0x100)]),
    2: ("H", _two_bytes()),
}


@cache
def _shape(length_size: int, time_size: int, delta_size: int, value_size: int) -> _Shape:
    length, length_of = _TABLES[length_size]
    time, time_of = _TABLES.get(time_size, (f"B{time_size - 1}x", [_NONE] * 0x100))
    delta, delta_of = _TABLES[delta_size]
    value, value_of = _TABLES[value_size]
    # Between length and time stand the attributes, always 0 so far; then comes the key's length.
    struct = Struct(f"<{length}B{time}{delta}B{value}")
    read, size = struct.unpack_from, struct.size
    return _Shape(
        read, length_size, time_size, value_size, size, length_of, time_of, delta_of, value_of
    )


_USUAL = _shape(2, 1, 1, 2)


def _shape_of(size: int, time: int, delta: int, value: bytes | None) -> _Shape:
    """The shape of a record of `size` bytes in all. Of 8 KiB or more none fits."""
    return _shape(
        1 if size <= 1 + _ONE_BYTE_MAX else 2,
        (time if time >= 0 else ~time).bit_length() // 7 + 1,
        1 if delta <= _ONE_BYTE_MAX else 2,
        1 if value is None or len(value) <= _ONE_BYTE_MAX else 2,
    )


def _record_at(
    data: bytes, position: int
) -> tuple[int, int, int, bytes | None, bytes | None, Headers]:
    """Any record: where the next begins, time, offset (both from the base), key, value, headers."""
    length, position = _varint_at(data, position)
    following = position + length
    _, position = _varint_at(data, position)
    time, position = _varint_at(data, position)
    delta, position = _varint_at(data, position)
    key, position = _bytes_at(data, position)
    value, position = _bytes_at(data, position)
    return following, time, delta, key, value, _headers_at(data, position, following)


def _varint_at(data: bytes, position: int) -> tuple[int, int]:
    """A varint of up to 64 bits, and where it ends."""
    raw = data[position]
    if raw < 0x80:
        return (raw >> 1) ^ -(raw & 1), position + 1
    raw = 0
    for shift in range(0, 64, 7):
        byte = data[position]
        raw |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return _zigzag(raw), position
    raise ValueError(f"a varint of more than 64 bits ends at {position}")


def _bytes_at(data: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = _varint_at(data, position)
    if length < 0:
        return None, position
    return data[position : position + length], position + length


def _headers_at(data: bytes, position: int, end: int) -> Headers:
    """The headers, which are the last of a record."""
    count, position = _varint_at(data, position)
    if count < 0:
        raise ValueError(f"{count} headers")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name_size, value_at = data[position], position + 1 + (data[position] >> 1)
        value_size, after = data[value_at], value_at + 1 + (data[value_at] >> 1)
        if (name_size | value_size) & 0x81:  # longer than one byte says, or negative
            header, position = _header_at(data, position)
            headers.append(header)
        else:
            name, value = data[position + 1 : value_at], data[value_at + 1 : after]
            headers.append((name.decode(errors=_ODD_NAMES), value))
            position = after
    if position != end:
        raise ValueError(f"a record ends at {position}, not at {end}")
    return tuple(headers)


def _header_at(data: bytes, position: int) -> tuple[tuple[str, bytes | None], int]:
    name, position = _bytes_at(data, position)
    if name is None:
        raise ValueError("a header without a name")
    value, position = _bytes_at(data, position)
    return (name.decode(errors=_ODD_NAMES), value), position
