"""A version of the store, written into a file. It is read and verified, and nothing is changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from checkpoints.exporting.container import carried, packed
from checkpoints.operating.cli_reads import find_version
from checkpoints.operating.connection import Connection
from checkpoints.records.manifest import Version
from checkpoints.records.signing import public_pem, signer_of
from config.files import write_asked

__all__ = ["Written", "write_version"]


class Written(Struct, frozen=True, kw_only=True):
    """What was exported.

    Attributes:
        file: Where it is.
        bytes: How large.
        signer: The id of the key that signed the version.
        public_key: That key, as PEM text.
    """

    file: Path
    version: Version
    bytes: int
    signer: str
    public_key: str

    @property
    def body(self) -> dict[str, Any]:
        """What the command prints."""
        manifest = self.version.manifest
        return {
            "file": str(self.file),
            "bytes": self.bytes,
            "model": manifest.model,
            "version": manifest.name,
            "id": self.version.id,
            "learned": manifest.counts.learned,
            "signer": self.signer,
        }


def write_version(at: Connection, model: str, version: str, file: Path) -> Written:
    """Write a kept version into `file`, which is there whole or as it was before.

    Args:
        version: As in `v17`, or a tag.

    Raises:
        NotFound: There is no such model or version.
        CheckpointError: It does not verify.
        NotWrittenError, NoRoomError: Nothing can be written there.
    """
    reader, state = at.found(model)
    found = find_version(reader, state, version)
    content = packed(found, _stored(at, found))
    write_asked(file, content)
    signer = signer_of(found.envelope)
    return Written(
        file=file,
        version=found,
        bytes=len(content),
        signer=signer,
        public_key=public_pem(at.keys.verifier.key(signer)).decode(),
    )


def _stored(at: Connection, version: Version) -> Mapping[str, bytes]:
    line = version.manifest.line
    refs = carried(version.manifest)
    return {name: at.store.get_segment(line, ref) for name, ref in refs.items()}
