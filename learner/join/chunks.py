"""Waiting events that are older than the last version, in one piece that never changes.

What changes is which of them still wait; that is beside it. So a version writes what is new and who
is left, and names the rest, which the store has.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple, TypeAlias

import msgspec

# Numbers as the machine has them: a checkpoint is bound to its kind of machine.
_U32, _I64, _U64 = "I", "q", "Q"

ROWS_MAX = 8192
# Of a key, which had 64 bits at first.
_KEY = (1 << 56) - 1


class Row(NamedTuple):
    """One event: its number in the order of arrival, its key in the index, its time, its bytes."""

    number: int
    key: int
    timestamp: int
    packed: bytes


class Chunk:
    """Some waiting events, in the order in which they came.

    Args:
        serial: Names it; one that is made of others has a new one.
        columns: Numbers, keys, times, and where each event's bytes end, as arrays' bytes.
        blob: The events' bytes.
        live: A byte for each event: 1 where it still waits; None: all do.

    Attributes:
        left: How many still wait.
    """

    __slots__ = ("_blob", "_by_time", "_cursor", "_ends", "_keys", "_live", "_numbers", "_times",
                 "left", "serial")  # fmt: skip

    def __init__(
        self, serial: int, columns: Sequence[bytes], blob: bytes, live: bytes | None = None
    ) -> None:
        self.serial, self._blob = serial, blob
        numbers, keys, times, ends = columns
        self._numbers, self._keys = array(_U64, numbers), array(_U64, keys)
        self._times, self._ends = array(_I64, times), array(_U32, ends)
        self._live = bytearray(b"\1" * len(self._numbers) if live is None else live)
        self.left = self._live.count(1)
        self._by_time = array(_U32, sorted(range(self.rows), key=self._times.__getitem__))
        self._cursor = 0

    @classmethod
    def of(cls, serial: int, rows: Iterable[Row]) -> "Chunk":
        """A chunk of these, at least one."""
        numbers, keys, times, packed = zip(*rows, strict=True)
        ends = array(_U32, accumulate(map(len, packed)))
        columns = array(_U64, numbers), array(_U64, keys), array(_I64, times), ends
        return cls(serial, [each.tobytes() for each in columns], b"".join(packed))

    @classmethod
    def from_bytes(cls, serial: int, raw: bytes, live: bytes) -> "Chunk":
        """The chunk of `to_bytes`, in which these (a byte each, 1 or 0) still wait."""
        *columns, blob = msgspec.msgpack.decode(raw, type=list[bytes])
        return cls(serial, columns, blob, live)

    def to_bytes(self) -> bytes:
        """What never changes."""
        columns = (self._numbers, self._keys, self._times, self._ends)
        return msgspec.msgpack.encode([*(each.tobytes() for each in columns), self._blob])

    @property
    def live(self) -> bytes:
        """A byte for each event: 1 where it still waits."""
        return bytes(self._live)

    @property
    def rows(self) -> int:
        """How many events it was made of."""
        return len(self._live)

    @property
    def first(self) -> int:
        """The number of its first event."""
        return self._numbers[0]

    def get(self, number: int) -> bytes:
        """The bytes of an event that waits."""
        return self._packed(self._place(number))

    def drop(self, number: int) -> None:
        """An event waits no longer."""
        self._drop(self._place(number))

    def oldest(self) -> Row | None:
        """The waiting event whose time is the earliest."""
        while self._cursor < len(self._by_time):
            place = self._by_time[self._cursor]
            if self._live[place]:
                return self._row(place)
            self._cursor += 1
        return None

    def earliest(self) -> Row | None:
        """The waiting event that came first."""
        place = self._live.find(1)
        return None if place < 0 else self._row(place)

    def waiting(self) -> Iterator[Row]:
        """Those that still wait, in the order in which they came."""
        return (self._row(place) for place, is_live in enumerate(self._live) if is_live)

    def index(self) -> Iterator[tuple[int, int]]:
        """Key and number of each that still waits."""
        rows = zip(self._live, self._keys, self._numbers, strict=True)
        return ((key & _KEY, number) for is_live, key, number in rows if is_live)

    def _place(self, number: int) -> int:
        return bisect_left(self._numbers, number)

    def _packed(self, place: int) -> bytes:
        return self._blob[self._ends[place - 1] if place else 0 : self._ends[place]]

    def _row(self, place: int) -> Row:
        number, key, time = self._numbers[place], self._keys[place] & _KEY, self._times[place]
        return Row(number, key, time, self._packed(place))

    def _drop(self, place: int) -> None:
        assert self._live[place], "it waits"
        self._live[place] = 0
        self.left -= 1


Serials: TypeAlias = Iterator[int]


def tidied(chunks: list[Chunk], serials: Serials) -> list[Chunk]:
    """The same events in few chunks: empty ones are gone, and small ones joined.

    What is written anew stays a small share of what waits: two neighbours are joined where the
    older one is not twice as long, and one chunk at a time is rewritten that is half empty.
    """
    whole = [chunk for chunk in chunks if chunk.left]
    while len(whole) > 1 and _are_alike(*whole[-2:]):
        *whole, older, newer = whole
        whole.append(Chunk.of(next(serials), chain(older.waiting(), newer.waiting())))
    for place, chunk in enumerate(whole):
        if chunk.left * 2 < chunk.rows:
            return _without_gaps(whole, place, serials)
    return whole


def _are_alike(older: Chunk, newer: Chunk) -> bool:
    return older.left <= 2 * newer.left and older.left + newer.left <= ROWS_MAX


def _without_gaps(chunks: list[Chunk], place: int, serials: Serials) -> list[Chunk]:
    """One chunk without those that wait no longer, joined with the next where there is room."""
    following = place + 1
    if following < len(chunks) and chunks[place].left + chunks[following].left <= ROWS_MAX:
        following += 1
    rows = chain.from_iterable(chunk.waiting() for chunk in chunks[place:following])
    return [*chunks[:place], Chunk.of(next(serials), rows), *chunks[following:]]
