"""Segments: pieces of a learner's state, compressed and named by the hash of what is stored.

zstd level 1 costs 26 ms at 14 MB; zlib, for nearly the same size, ten times that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import zstandard

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.manifest import SegmentRef
from checkpoints.records.signing import digest

__all__ = ["KINDS", "OF_THE_LOG", "OF_THE_VERSION", "pack", "unpack"]

# Each kind that a version keeps, and whose it is; of some there are many, `kind.number`. A
# rollback takes what is the learner's from the version that it goes back to, and what belongs to
# a place in the log from the head; what tells of one version alone it leaves.
KINDS: Mapping[str, Literal["learner", "log", "version"]] = {
    "model": "learner",
    "drifts": "learner",
    "slices": "learner",
    "background": "learner",
    "importance": "learner",
    "history": "learner",
    "window": "log",
    "join": "log",
    "pending": "log",
    "replay": "version",
    "answers": "log",
}
_LEVEL = 1


class _Names:
    """The names of all segments that belong to one owner.

    >>> "pending.7" in OF_THE_LOG, "model" in OF_THE_LOG, "replay" in OF_THE_VERSION
    (True, False, True)
    """

    def __init__(self, owner: Literal["log", "version"]) -> None:
        self._owner = owner

    def __contains__(self, name: object) -> bool:
        return KINDS.get(str(name).partition(".")[0]) == self._owner


OF_THE_LOG = _Names("log")
OF_THE_VERSION = _Names("version")


def pack(raw: bytes) -> tuple[SegmentRef, bytes]:
    """What goes to the store for `raw`, and the reference that a manifest holds.

    >>> ref, stored = pack(b"state" * 100)
    >>> unpack(ref, stored, where="demo/0 v1") == b"state" * 100
    True
    """
    stored = zstandard.ZstdCompressor(level=_LEVEL).compress(raw)
    return SegmentRef(sha256=digest(stored), bytes=len(stored), raw_bytes=len(raw)), stored


def unpack(ref: SegmentRef, stored: bytes, *, where: str) -> bytes:
    """The raw bytes of a segment whose hash the caller has checked.

    Never more than `ref.raw_bytes`, whatever the compressed frame claims.

    Raises:
        CheckpointCorrupt: It does not decompress to the length that the manifest promises.
    """
    try:
        with zstandard.ZstdDecompressor().stream_reader(stored) as reader:
            raw: bytes = reader.read(ref.raw_bytes + 1)
    except zstandard.ZstdError as problem:
        raise CheckpointCorrupt(where, f"a segment does not decompress: {problem}") from problem
    if len(raw) != ref.raw_bytes:
        raise CheckpointCorrupt(where, f"a segment is {len(raw)} bytes, not {ref.raw_bytes}")
    return raw
