"""What a line served at a moment that is past: `as_of.py`, given what the store still has."""

from collections.abc import Iterator

from checkpoints.reading.as_of import AsOf, as_of
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.records.control import Control
from checkpoints.records.manifest import Version

_PAGE = 100


def served_then(reader: LineReader, at_ms: int) -> AsOf:
    """What was served at a moment. It reads no further back than it has to.

    Args:
        at_ms: Unix, UTC.

    Raises:
        CheckpointError: A command does not verify, or they are out of order. A version that does
            not verify is passed over, as one that is not kept.
        StoreUnavailable: The store does not answer.
    """
    return as_of(at_ms, _sound(reader), _orders(reader))


def _sound(reader: LineReader) -> Iterator[Version]:
    return (each for each in reader.kept() if not isinstance(each, Damaged))


def _orders(reader: LineReader) -> Iterator[Control]:
    """All commands that are kept, newest first, page by page."""
    before: int | None = None
    while found := reader.audit(limit=_PAGE, before=before):
        yield from found
        before = found[-1].record.seq
