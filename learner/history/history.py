"""When a row of the history is made, and which rows stay: no more than 2,000, however long it is.

A row is made where so many events are learned, by no clock: whoever takes the same events makes
the same rows. They stand close at the beginning, where scores change most, and then as far apart
as keeps them below a hundredth of what learning costs. The newest 1,024 are all kept; of those
before them every second, every fourth and so on, as there come to be more.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from learner.history.rows import CHUNK_ROWS, PastRows, Row

SEGMENT = "history"
RECENT_ROWS = 1024
PAST_ROWS = 1024
# Events from one row to the next: the least of them, the share of those learned, and the most of
# them for each score, since a score is what a row costs.
_APART_MIN, _APART_SHARE, _APART_MAX = 100, 8, 4000


class History:
    """Rows of a model's life.

    Args:
        scores: How many the model has.

    Attributes:
        due: As many events are learned where the next row is to be made.

    >>> history = History(scores=1)
    >>> made = []
    >>> while history.due < 3_000:
    ...     made.append(history.due)
    ...     history.add({"learned": history.due, "Accuracy rolling": 0.5})
    >>> made[:9], made[-2:]
    ([100, 200, 300, 400, 500, 600, 700, 800, 900], [2593, 2917])
    """

    def __init__(self, scores: int) -> None:
        self._apart_max = _APART_MAX * scores
        self._serials = 0
        self._recent, self._past = PastRows(self._next_serials()), PastRows(self._next_serials())
        self._passed, self._stride = 0, 1  # rows that are no more recent; which of them are kept
        self.due = _APART_MIN

    def _next_serials(self) -> Iterator[int]:
        while True:
            self._serials += 1
            yield self._serials - 1

    def go_on(self, learned: int) -> None:
        """So many are learned already: the next row is made after them."""
        self.due = learned + max(_APART_MIN, min(learned // _APART_SHARE, self._apart_max))

    def add(self, row: Row) -> None:
        """The row that is due. Its first column is `learned`."""
        self._recent.add(row)
        self.go_on(int(row["learned"] or 0))
        while len(self._recent) > RECENT_ROWS + CHUNK_ROWS:
            for old in self._recent.full.pop(0).rows():
                self._grow_old(old)

    def _grow_old(self, row: Row) -> None:
        self._passed += 1
        if self._passed % self._stride:
            return
        self._past.add(row)
        if len(self._past) >= PAST_ROWS:
            self._past.halve()
            self._stride *= 2

    def rows(self) -> Iterator[dict[str, float | None]]:
        """Every row kept, oldest first."""
        yield from self._past.all()
        yield from self._recent.all()

    @property
    def names(self) -> list[str]:
        """The segments of chunks that never change."""
        return [*self._past.names, *self._recent.names]

    def segments(self, written: Collection[str] = ()) -> dict[str, bytes]:
        """All that a version keeps, but for chunks that are written."""
        chunks = {**self._past.segments(written), **self._recent.segments(written)}
        return {SEGMENT: self._dump(), **chunks}

    def _dump(self) -> bytes:
        """What changes from version to version."""
        numbers = [self._serials, self._passed, self._stride, self.due]
        return msgspec.msgpack.encode([numbers, self._past.state(), self._recent.state()])

    def restore(self, segments: Mapping[str, bytes], *, learned: int) -> None:
        """Continue from a version's segments; those of older ones have no history.

        Args:
            learned: How many events are, in that version.
        """
        if SEGMENT not in segments:
            self.go_on(learned)
            return
        numbers, past, recent = msgspec.msgpack.decode(segments[SEGMENT])
        self._serials, self._passed, self._stride, self.due = numbers
        self._past.restore(past, segments)
        self._recent.restore(recent, segments)
