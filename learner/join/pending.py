"""Events that wait for their label, by id: bounded, written in pieces, the same after a restart.

A new event is one string of bytes; at each version what is new becomes a chunk, which is written
once. The index has a number for each, 56 bits of its id's hash to the number of its arrival; what
two ids share there is told apart by the ids themselves.
"""

import heapq
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b
from itertools import count, islice
from math import inf
from typing import Any

from learner.join.chunks import ROWS_MAX, Chunk, Row, tidied
from learner.join.rows import Rows, Waiting

# Segments of a version are named so; the rest of the name is the chunk's serial.
EVENTS = "pending."


def key_of(event_id: str) -> int:
    """56 bits of the id's hash, the same in every process: such a number takes 32 bytes, one of 64
    bits 48.
    """
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest()[:7], "little")


class Pending:
    """Events in the order in which they came, each found by its id.

    Args:
        key: From an id to its place in the index.
        prefix: Of its segments' names.

    >>> pending = Pending()
    >>> pending.add(Waiting("a", 5, {"n": 1.0}, None, True, None))
    >>> "a" in pending, len(pending), pending.oldest_ms
    (True, 1, 5)
    >>> pending.seal()
    >>> restored = Pending()
    >>> restored.restore(pending.state(), pending.segments())
    >>> restored.pop("a").x, len(restored)
    ({'n': 1.0}, 0)
    """

    def __init__(self, key: Callable[[str], int] = key_of, *, prefix: str = EVENTS) -> None:
        self._prefix, self._key = prefix, key
        self._rows = Rows()
        self._chunks: list[Chunk] = []
        self._begin(next_number=0, next_serial=0)

    def _begin(self, *, next_number: int, next_serial: int) -> None:
        self._number, self._serials = next_number, count(next_serial)
        self._firsts = [chunk.first for chunk in self._chunks]
        self._index: dict[int, int] = {}
        self._twins: dict[str, int] = {}  # whose key another id has
        self._new: dict[int, bytes] = {}
        self._times: list[tuple[int, int]] = []  # a heap, of those in `_new` or gone
        self._not_before = -inf  # no time of those that wait is earlier

    def __len__(self) -> int:
        return len(self._index) + len(self._twins)

    def __contains__(self, event_id: str) -> bool:
        return self._find(event_id) is not None

    def add(self, waiting: Waiting) -> None:
        """One more event, whose id does not wait yet."""
        number, row = self._number, self._rows.row_of(waiting)
        key = self._key(waiting.id)
        if key in self._index:
            self._twins[waiting.id] = number
        else:
            self._index[key] = number
        self._new[number] = row
        heapq.heappush(self._times, (waiting.timestamp, number))
        self._not_before = min(self._not_before, waiting.timestamp)
        self._number += 1
        if len(self._new) >= ROWS_MAX:  # where versions are rare: in pieces it takes half the room
            self.seal()

    def get(self, event_id: str) -> Waiting | None:
        """The event that waits under this id."""
        number = self._find(event_id)
        return None if number is None else self._rows.waiting(self._packed(number))

    def pop(self, event_id: str) -> Waiting | None:
        """The event that waited under this id; it waits no longer."""
        number = self._find(event_id)
        return None if number is None else self._take_out(number)

    def pop_first(self) -> Waiting:
        """The event that came first, whatever its time; it waits no longer."""
        for chunk in self._chunks:
            row = chunk.earliest()
            if row is not None:
                return self._take_out(row.number)
        return self._take_out(next(iter(self._new)))

    def pop_before(self, time_ms: float) -> Waiting | None:
        """The event of the earliest time, if that is before this one; it waits no longer."""
        return self._take_out(self._oldest()[1]) if self.has_before(time_ms) else None

    def has_before(self, time_ms: float) -> bool:
        """Whether the earliest time is before this one. Asked often, and seldom so."""
        if self._not_before >= time_ms:
            return False
        self._not_before = self._oldest()[0] if len(self) else inf
        return self._not_before < time_ms

    @property
    def oldest_ms(self) -> int | None:
        """The earliest time of those that wait."""
        return self._oldest()[0] if len(self) else None

    @property
    def has_unsealed(self) -> bool:
        """Whether an event came since the last `seal`, and waits."""
        return bool(self._new)

    def seal(self) -> None:
        """What is new becomes a chunk, which is never written again as it is."""
        new = iter(self._new.items())
        while rows := list(islice(new, ROWS_MAX)):
            self._chunks.append(Chunk.of(next(self._serials), (self._row(*each) for each in rows)))
        self._new, self._times = {}, []
        self._chunks = tidied(self._chunks, self._serials)
        self._firsts = [chunk.first for chunk in self._chunks]

    def segments(self, written: Collection[str] = ()) -> dict[str, bytes]:
        """Each sealed chunk's bytes by its segment's name, but for those that are written."""
        named = {f"{self._prefix}{chunk.serial}": chunk for chunk in self._chunks}
        return {name: each.to_bytes() for name, each in named.items() if name not in written}

    @property
    def names(self) -> list[str]:
        """The segments of all sealed chunks."""
        return [f"{self._prefix}{chunk.serial}" for chunk in self._chunks]

    def state(self) -> dict[str, Any]:
        """What changes: who waits of each chunk, and what numbers come next. After `seal`."""
        assert not self._new, "it is sealed"
        serial = next(self._serials)
        self._serials = count(serial)
        return {
            "layouts": self._rows.layouts,
            "next": [self._number, serial],
            "live": {str(chunk.serial): chunk.live for chunk in self._chunks},
        }

    def restore(self, state: Mapping[str, Any], segments: Mapping[str, bytes]) -> None:
        """Continue from a `state` and the segments that belong to it."""
        self._rows = Rows(state["layouts"])
        self._chunks = [
            Chunk.from_bytes(int(serial), segments[f"{self._prefix}{serial}"], live)
            for serial, live in state["live"].items()
        ]
        next_number, next_serial = state["next"]
        self._begin(next_number=next_number, next_serial=next_serial)
        for chunk in self._chunks:
            before = len(self._index)
            self._index.update(chunk.index())
            if len(self._index) != before + chunk.left:
                self._index_one_by_one()
                return

    def _index_one_by_one(self) -> None:
        """Two ids have one key: the earlier has it, as it had."""
        self._index.clear()
        for chunk in self._chunks:
            for row in chunk.waiting():
                if row.key in self._index:
                    self._twins[self._rows.id_of(row.packed)] = row.number
                else:
                    self._index[row.key] = row.number

    def _find(self, event_id: str) -> int | None:
        number = self._index.get(self._key(event_id))
        if number is not None and self._rows.id_of(self._packed(number)) == event_id:
            return number
        return self._twins.get(event_id)

    def _packed(self, number: int) -> bytes:
        new = self._new.get(number)
        return self._chunk(number).get(number) if new is None else new

    def _chunk(self, number: int) -> Chunk:
        return self._chunks[bisect_right(self._firsts, number) - 1]

    def _take_out(self, number: int) -> Waiting:
        packed = self._new.pop(number, None)
        if packed is None:
            chunk = self._chunk(number)
            packed = chunk.get(number)
            chunk.drop(number)
        waiting = self._rows.waiting(packed)
        if self._twins.pop(waiting.id, None) is None:
            del self._index[self._key(waiting.id)]
        return waiting

    def _oldest(self) -> tuple[int, int]:
        """Time and number of the event of the earliest time. There is one."""
        while self._times and self._times[0][1] not in self._new:
            heapq.heappop(self._times)
        found = [self._times[0]] if self._times else []
        for chunk in self._chunks:
            row = chunk.oldest()
            if row is not None:
                found.append((row.timestamp, row.number))
        return min(found)

    def _row(self, number: int, packed: bytes) -> Row:
        waiting = self._rows.waiting(packed)
        return Row(number, self._key(waiting.id), waiting.timestamp, packed)
