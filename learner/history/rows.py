"""Rows of numbers, in chunks: a full one never changes, so a version writes what is new."""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any, TypeAlias

import msgspec

# Segments of a version are named so; the rest of the name is the chunk's serial.
PREFIX = "history."
CHUNK_ROWS = 64
_FLOAT = "d"  # as the machine has it: a checkpoint is bound to its kind of machine

Row: TypeAlias = Mapping[str, float | None]
Serials: TypeAlias = Iterator[int]


@dataclass(slots=True)
class PastChunk:
    """Rows of the same columns.

    Attributes:
        columns: Their names.
        numbers: Row after row; NaN: there is no value.
        serial: Names it once it is full; None while rows are added.
    """

    columns: tuple[str, ...]
    numbers: "array[float]" = field(default_factory=lambda: array(_FLOAT))
    serial: int | None = None

    def __len__(self) -> int:
        return len(self.numbers) // len(self.columns)

    def add(self, row: Row) -> None:
        """One more row, of these columns."""
        values = map(row.__getitem__, self.columns)
        self.numbers.extend(nan if value is None else value for value in values)

    def rows(self) -> Iterator[dict[str, float | None]]:
        """Its rows, oldest first."""
        width = len(self.columns)
        for begin in range(0, len(self.numbers), width):
            found = self.numbers[begin : begin + width]
            values = (None if value != value else value for value in found)
            yield dict(zip(self.columns, values, strict=True))

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads."""
        return msgspec.msgpack.encode([self.columns, self.numbers.tobytes()])

    @classmethod
    def from_bytes(cls, raw: bytes, serial: int | None = None) -> "PastChunk":
        """The chunk of `to_bytes`."""
        columns, numbers = msgspec.msgpack.decode(raw, type=tuple[tuple[str, ...], bytes])
        return cls(columns, array(_FLOAT, numbers), serial)


class PastRows:
    """Rows in the order in which they came, in full chunks and an open one.

    >>> from itertools import count
    >>> rows = PastRows(count())
    >>> for n in range(70):
    ...     rows.add({"learned": n * 100.0, "Accuracy rolling": None})
    >>> [len(chunk) for chunk in rows.full], len(rows.open), len(rows)
    ([64], 6, 70)
    """

    def __init__(self, serials: Serials) -> None:
        self.full: list[PastChunk] = []
        self.open: PastChunk = PastChunk(("learned",))
        self._serials = serials

    def __len__(self) -> int:
        return sum(map(len, self.full)) + len(self.open)

    def add(self, row: Row) -> None:
        """One more. Where scores came or went, the chunk before is closed as it is."""
        if self.open.columns != tuple(row):
            self._close()
            self.open = PastChunk(tuple(row))
        self.open.add(row)
        if len(self.open) >= CHUNK_ROWS:
            self._close()

    def _close(self) -> None:
        if len(self.open):
            self.open.serial = next(self._serials)
            self.full.append(self.open)
        self.open = PastChunk(self.open.columns)

    def all(self) -> Iterator[dict[str, float | None]]:
        """Every row, oldest first."""
        for chunk in (*self.full, self.open):
            yield from chunk.rows()

    def halve(self) -> None:
        """Let every second row go, the oldest first."""
        kept = list(self.all())[1::2]
        self.full, self.open = [], PastChunk(self.open.columns)
        for row in kept:
            self.add(row)

    @property
    def names(self) -> list[str]:
        """The segments of the full chunks."""
        return [f"{PREFIX}{chunk.serial}" for chunk in self.full]

    def segments(self, written: Collection[str] = ()) -> dict[str, bytes]:
        """The bytes of each full chunk by its segment's name, but for those that are written."""
        named = zip(self.names, self.full, strict=True)
        return {name: chunk.to_bytes() for name, chunk in named if name not in written}

    def state(self) -> list[Any]:
        """What changes from version to version, for `restore`."""
        return [[chunk.serial for chunk in self.full], self.open.to_bytes()]

    def restore(self, state: Sequence[Any], segments: Mapping[str, bytes]) -> None:
        """Continue from a `state` and the segments that belong to it."""
        serials, opened = state
        self.full = [PastChunk.from_bytes(segments[f"{PREFIX}{it}"], serial=it) for it in serials]
        self.open = PastChunk.from_bytes(opened)
