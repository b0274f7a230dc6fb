"""The contract of records: segments, manifests, lineages and control records, each written once.

A record is found by its id and never changes; which of them stand is a matter of `heads.py`.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef

__all__ = ["CHUNK_BYTES", "LINEAGE_BYTES_MAX", "ORPHAN_S", "Listed", "Records", "chunks_of"]

CHUNK_BYTES = 1 << 20  # bounds how long other clients of the store wait behind one write
LINEAGE_BYTES_MAX = 64 << 20
ORPHAN_S = 600  # a segment that no commit has named by then is gone


class Listed(Struct, frozen=True, kw_only=True):
    """A kept version as the index names it, unsigned.

    `envelope` is None where its record is missing or longer than it may be: one damaged record
    must not hide the others.
    """

    number: int
    id: str
    envelope: bytes | None


class Records(Protocol):
    """What is written once and found by its id."""

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        """Store a segment; unless a commit names it within 10 minutes it goes away by itself."""

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        """The stored bytes of a segment, checked against length and hash.

        Raises:
            CheckpointCorrupt: missing, cut short, too long, or altered.
        """

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        """The envelope of the version with this id, None when it is not kept."""

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        """The envelope of the version with this number, None when it is not kept."""

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        """The kept versions, newest first, with numbers below `before`."""

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        """What pruned versions left to this kept one, None when nothing."""

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        """Envelopes of control records, newest first, with `seq` below `before`."""

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        """The control envelope that was written under this key in the last 24 hours."""


def chunks_of(ref: SegmentRef) -> list[int]:
    """The bytes of each chunk that a segment is kept in: a full MiB each, and what is left.

    >>> chunks_of(SegmentRef(sha256="0" * 64, bytes=(1 << 20) + 5, raw_bytes=0))
    [1048576, 5]
    """
    return [min(CHUNK_BYTES, ref.bytes - start) for start in range(0, ref.bytes, CHUNK_BYTES)]
