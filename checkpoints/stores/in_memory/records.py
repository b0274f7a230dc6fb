"""Records in memory: segments in chunks, versions and control records by their ids."""

from __future__ import annotations

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef
from checkpoints.records.signing import digest
from checkpoints.stores.in_memory.books import (
    KeptChunk,
    LineBooks,
    MemoryPart,
    chunk_names,
    present,
)
from checkpoints.stores.records import CHUNK_BYTES, ORPHAN_S, Listed

__all__ = ["MemoryRecords"]


class MemoryRecords(MemoryPart):
    """The contract of records over dictionaries."""

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        self.on_step("put_segment.before")
        books = self._books(line)
        for index, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            if index:
                self.on_step("put_segment.between")
            self._put_chunk(books, (sha256, index), data[start : start + CHUNK_BYTES])
        self.on_step("put_segment.after")

    def _put_chunk(self, books: LineBooks, name: tuple[str, int], data: bytes) -> None:
        with self._lock:
            now = self._clock()
            there = books.chunk(name, now)
            ends = there is None or there.expires_at is not None
            books.chunks[name] = KeptChunk(data, now + ORPHAN_S if ends else None)

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        with self._reading(line) as books:
            chunks = [books.chunk(name, self._clock()) for name in chunk_names(ref)]
        data = b"".join(chunk.data for chunk in chunks if chunk)
        if len(data) != ref.bytes or digest(data) != ref.sha256:
            raise CheckpointCorrupt(f"{line} segment {ref.sha256[:12]}", "it is not whole")
        return data

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        with self._reading(line) as books:
            version = books.versions.get(version_id)
            return (version.envelope or None) if version else None

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        with self._reading(line) as books:
            versions = books.versions.values()
            return next((present(one) for one in versions if one.number == number), None)

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        with self._reading(line) as books:
            newest = sorted(books.versions.values(), key=lambda one: -one.number)
        below = [one for one in newest if before is None or one.number < before][:limit]
        return [
            Listed(number=one.number, id=one.id, envelope=one.envelope or None) for one in below
        ]

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        with self._reading(line) as books:
            return books.lineages.get(version_id)

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        with self._reading(line) as books:
            newest = list(reversed(books.controls.values()))
        below = [one.envelope for one in newest if before is None or one.record.seq < before]
        return below[:limit]

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        with self._reading(line) as books:
            return books.repeat(idempotency_key, self._clock())
