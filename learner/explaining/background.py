"""The background: features of events that were learned, which explanations compare with.

Every so many learned events one is kept: each of the first hundred, then every second, and so on
to every sixty-fourth; of those the last hundred. Which they are follows from the order of the log
alone, so a version that is rebuilt has the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

SEGMENT = "background"
ROWS_MAX = 100
EVERY_MAX = 64  # so the last hundred are of the last 6,400 events
BYTES_MAX = 256 << 10  # of all rows; those that would be more go, the oldest first
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class Background:
    """Rows of events that were learned.

    >>> background = Background()
    >>> background.add([{"x": n} for n in range(150)], 0, 150)
    >>> rows, learned = rows_of(background.dump())
    >>> [row["x"] for row in rows[-3:]], len(rows), learned
    ([144, 146, 148], 75, 149)
    """

    def __init__(self) -> None:
        self._every, self._next, self._bytes = 1, 0, 0
        self._rows: list[bytes] = []  # each in JSON: what is kept cannot be changed by a learner

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, xs: Sequence[Any], first: int, end: int) -> None:
        """The first `end - first` of these were learned, as the events from number `first` on.

        Lines of text are no rows, nor is what holds half of a character.
        """
        while self._next < end:
            x = xs[self._next - first]
            if isinstance(x, Mapping):
                self._keep(x)
            self._next += self._every

    def row(self, place: int) -> dict[str, Any]:
        """One of the rows, the oldest first."""
        found: dict[str, Any] = _decode(self._rows[place])
        return found

    def dump(self) -> bytes:
        """The segment: one of how many is kept, the place of the last that was, and the rows."""
        head = b'{"every":%d,"last":%d,"rows":[' % (self._every, self._next - self._every)
        return head + b",".join(self._rows) + b"]}"

    def restore(self, segment: bytes | None, learned: int) -> None:
        """Go on from a segment; None: a version from before there were any, at `learned`."""
        if segment is None:
            self._next = learned
            return
        kept = _decode(segment)
        self._every, self._next = kept["every"], kept["last"] + kept["every"]
        self._rows = list(map(_encode, kept["rows"]))
        self._bytes = sum(map(len, self._rows))

    def _keep(self, x: Mapping[str, Any]) -> None:
        try:
            row = _encode(x)
        except UnicodeEncodeError:
            return
        if len(row) > BYTES_MAX:
            return
        self._rows.append(row)
        self._bytes += len(row)
        if len(self._rows) > ROWS_MAX and self._every < EVERY_MAX:
            self._every *= 2
            self._drop(self._rows[1::2])
            self._rows = self._rows[::2]
        while len(self._rows) > ROWS_MAX or self._bytes > BYTES_MAX:
            self._drop([self._rows.pop(0)])

    def _drop(self, rows: Iterable[bytes]) -> None:
        self._bytes -= sum(map(len, rows))


def rows_of(segment: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows of a segment, and how many events had been learned with the newest of them."""
    kept = _decode(segment)
    return kept["rows"], kept["last"] + 1
