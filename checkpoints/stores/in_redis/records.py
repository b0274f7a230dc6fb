"""Records in Redis: segments in chunks of 1 MiB, and signed envelopes under their ids.

Chunks are named by their segment's hash and go away by themselves unless a version names them.
Records are immutable; nothing is fetched longer than its cap (GETRANGE), whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.control import CONTROL_BYTES_MAX
from checkpoints.records.line import Line
from checkpoints.records.manifest import MANIFEST_BYTES_MAX, SegmentRef
from checkpoints.records.signing import digest
from checkpoints.stores.in_redis.part import RedisPart, batches
from checkpoints.stores.in_redis.replies import capped, id_of, present, score_of, within
from checkpoints.stores.records import (
    CHUNK_BYTES,
    LINEAGE_BYTES_MAX,
    ORPHAN_S,
    Listed,
    chunks_of,
)

__all__ = ["RedisRecords", "hashed"]

# What an index names, and how long one may be.
_INDEXED = {"versions": ("manifest", MANIFEST_BYTES_MAX), "audit": ("control", CONTROL_BYTES_MAX)}


class RedisRecords(RedisPart):
    """The contract of records over one server."""

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        prefix, whole = line.prefix, memoryview(data)
        chunks = [
            (f"{prefix}chunk:{sha256}:{index}", whole[start : start + CHUNK_BYTES])
            for index, start in enumerate(range(0, len(data), CHUNK_BYTES))
        ]
        self.on_step("put_segment.before")
        for number, batch in enumerate(batches(chunks)):
            if number:
                self.on_step("put_segment.between")
            self._put_chunks(line, batch)
        self.on_step("put_segment.after")

    def _put_chunks(self, line: Line, chunks: Sequence[tuple[str, memoryview]]) -> None:
        """GT leaves a chunk that a version names without an end, and gives the others time anew.

        Bytes that are there already are written over: many versions share a segment, and one that
        was damaged is whole again.
        """
        commands: list[tuple[object, ...]] = []
        for key, data in chunks:
            # In this order none can run out in between and be made anew without an end.
            commands.append(("EXPIRE", key, ORPHAN_S, "GT"))
            commands.append(("SET", key, "", "NX", "EX", ORPHAN_S))
            commands.append(("SETRANGE", key, 0, data))
        self._redis.ask_all(commands, doing=f"keep a segment of {line}")

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        where = f"{line} segment {ref.sha256[:12]}"
        prefix = f"{line.prefix}chunk:{ref.sha256}:"
        chunks: list[bytes] = []
        for batch in batches(list(enumerate(chunks_of(ref)))):
            commands = [("GETRANGE", f"{prefix}{index}", 0, length) for index, length in batch]
            found = self._redis.ask_all(commands, doing=f"read a segment of {line}")
            if [len(chunk) for chunk in found] != [length for _, length in batch]:
                raise CheckpointCorrupt(where, "a chunk of it is missing or of the wrong length")
            chunks += found
        data = b"".join(chunks)
        if digest(data) != ref.sha256:
            raise CheckpointCorrupt(where, "its bytes are not those that its name promises")
        return data

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        return self._get(line, f"manifest:{version_id}", MANIFEST_BYTES_MAX)

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        found = self._whole(line, "versions", 1, f"{number}", f"{number}")
        return found[0] if found else None

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        return [
            Listed(number=score, id=name, envelope=within(envelope, MANIFEST_BYTES_MAX))
            for name, envelope, score in self._indexed(line, "versions", limit, _below(before))
        ]

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        return self._get(line, f"lineage:{version_id}", LINEAGE_BYTES_MAX)

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        return self._whole(line, "audit", limit, _below(before))

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        return self._get(line, f"repeat:{hashed(idempotency_key)}", CONTROL_BYTES_MAX)

    def _whole(
        self, line: Line, index: str, limit: int, highest: str, lowest: str = "-inf"
    ) -> list[bytes]:
        """The envelopes that an index names, each of which must be there."""
        kind, bytes_max = _INDEXED[index]
        envelopes = []
        for name, envelope, _ in self._indexed(line, index, limit, highest, lowest):
            where = f"{line} {kind} {name[:12]}"
            envelopes.append(present(capped(envelope, bytes_max, where=where), where))
        return envelopes

    def _indexed(
        self, line: Line, index: str, limit: int, highest: str, lowest: str = "-inf"
    ) -> Iterator[tuple[str, bytes, int]]:
        """Id, record and number of what an index names, newest first, without those pruned since
        the ids were read.
        """
        key, where, (kind, bytes_max) = line.prefix + index, f"{line} {index}", _INDEXED[index]
        ranked = ("ZREVRANGEBYSCORE", key, highest, lowest, "LIMIT", 0, limit)
        for ids in batches(self._redis.ask(*ranked, doing=f"list {line}")):
            names = [id_of(one, where) for one in ids]
            commands: list[tuple[object, ...]] = []
            for name in names:
                commands.append(("GETRANGE", f"{line.prefix}{kind}:{name}", 0, bytes_max))
                commands.append(("ZSCORE", key, name))
            replies = self._redis.ask_all(commands, doing=f"read {line}'s {index}", together=True)
            for name, record, score in zip(names, replies[::2], replies[1::2], strict=True):
                if score is not None:
                    yield name, record, score_of(score, where)


def hashed(idempotency_key: str) -> str:
    """A client's key is of any length and content; its hash is not."""
    return digest(idempotency_key.encode())


def _below(before: int | None) -> str:
    return "+inf" if before is None else f"({before}"
