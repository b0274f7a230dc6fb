"""One version in one file: its signed manifest, and those of its segments that are the learner's.

    bytes          what
    0 to 7         MAGIC; a transfer that takes the file for text damages it
    8 and 9        the format, 1
    10 to 13       how many bytes the envelope has
    after that     the envelope: the signed manifest, as it is in the store
    then           the segments, compressed as they are in the store, in the order of their names

Numbers are big-endian. Nothing is signed anew: the signature is that of the key which signed the
version. It covers the hash and the length of every segment, so a byte that is changed, missing or
added anywhere is noticed before anything is parsed. What belongs to a place in the log (ids seen,
events that wait for their label) stays behind.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from checkpoints.errors import FileRefused, Tampered, UnknownFormat, UnknownKey
from checkpoints.records.manifest import (
    MANIFEST_BYTES_MAX,
    Manifest,
    SegmentRef,
    Version,
    open_exported,
)
from checkpoints.records.segments import OF_THE_LOG, unpack
from checkpoints.records.signing import Verifier, digest

__all__ = ["FORMAT", "MAGIC", "ExportedVersion", "carried", "packed", "read_exported"]

MAGIC = b"\x89WEIR\r\n\x1a"
FORMAT = 1
SEGMENT_BYTES_MAX = 4 << 30  # of one segment, unpacked; the model file's limit is far below
_HEAD = struct.Struct(">8sHI")


class ExportedVersion(Struct, frozen=True, kw_only=True):
    """A version out of a file. Exists only verified.

    Attributes:
        file: Where it came from, for errors.
        version: Signed and read.
        signer: The id of the key that signed it.
        segments: As stored, by name.
    """

    file: str
    version: Version
    signer: str
    segments: Mapping[str, bytes]

    def raw(self, name: str) -> bytes:
        """The bytes of a segment, unpacked."""
        ref = self.version.manifest.segments[name]
        return unpack(ref, self.segments[name], where=f"{self.file}: {name}")


def carried(manifest: Manifest) -> dict[str, SegmentRef]:
    """The segments that a file has of this version, in their order."""
    refs = manifest.segments
    return {name: refs[name] for name in sorted(refs) if name not in OF_THE_LOG}


def packed(version: Version, segments: Mapping[str, bytes]) -> bytes:
    """The content of the file.

    Args:
        segments: Those that are `carried`, as stored.
    """
    head = _HEAD.pack(MAGIC, FORMAT, len(version.envelope))
    parts = (segments[name] for name in carried(version.manifest))
    return b"".join((head, version.envelope, *parts))


def read_exported(path: Path, verifier: Verifier) -> ExportedVersion:
    """Read a file, and verify all of it.

    Args:
        verifier: Whose versions are believed (`checkpoints.exporting.believed`).

    Raises:
        FileRefused: It is none, of a later format, cut short, changed, or not to be believed.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        version, signer = _version(file, verifier, path)
        refs = carried(version.manifest)
        segments = {name: _segment(file, name, ref, path) for name, ref in refs.items()}
        if file.read(1):
            raise FileRefused(path, "something follows where the version ends")
    return ExportedVersion(file=str(path), version=version, signer=signer, segments=segments)


def _version(file: BinaryIO, verifier: Verifier, path: Path) -> tuple[Version, str]:
    head = file.read(_HEAD.size)
    if not head.startswith(MAGIC):
        raise FileRefused(path, "it is no exported version", advice="`weir export` writes one")
    if len(head) < _HEAD.size:
        raise _cut_short(path)
    _, written, length = _HEAD.unpack(head)
    if written != FORMAT:
        why = f"it is of format {written}, and this build reads format {FORMAT}"
        raise FileRefused(path, why, advice="read it with the release of Weir that wrote it")
    if length > MANIFEST_BYTES_MAX:
        raise FileRefused(path, f"its manifest would have {length} bytes")
    envelope = file.read(length)
    if len(envelope) < length:
        raise _cut_short(path)
    try:
        return open_exported(envelope, verifier, where=str(path))
    except UnknownKey as problem:
        raise FileRefused(path, problem.why, advice=_WHOSE) from problem
    except (Tampered, UnknownFormat) as problem:
        why = problem.why if isinstance(problem, Tampered) else "a later release wrote it"
        raise FileRefused(path, why) from problem


_WHOSE = (
    "if you trust who exported it, name their public key in WEIR_SIGNING__IMPORT_PUBLIC, or in "
    "Python: weir.load(FILE, public_key=…)"
)


def _segment(file: BinaryIO, name: str, ref: SegmentRef, path: Path) -> bytes:
    if max(ref.bytes, ref.raw_bytes) > SEGMENT_BYTES_MAX:
        raise FileRefused(path, f"its {name} has {ref.raw_bytes} bytes, over {SEGMENT_BYTES_MAX}")
    stored = file.read(ref.bytes)
    if len(stored) < ref.bytes:
        raise _cut_short(path)
    if digest(stored) != ref.sha256:
        raise FileRefused(path, f"its {name} is not what was signed")
    return stored


def _cut_short(path: Path) -> FileRefused:
    return FileRefused(path, "it ends before the version does")
