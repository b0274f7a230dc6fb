"""Which versions must stay because one that cannot be read may stand on them.

What a pruned version recorded is folded into those that went on from it. Into one that cannot be
read nothing can be folded, so the version that it went on from is held. Which one that is, is told
by its lineage, by the audit if it was a rollback, and else it is the one before it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from checkpoints.errors import CheckpointError, StoreUnavailable
from checkpoints.reading.lineages import lineage_of
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.records.line import Line
from checkpoints.records.lineage import Lineage, open_lineage
from checkpoints.records.manifest import Version
from checkpoints.records.replay import SEGMENT
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.records import Records

__all__ = ["Books", "read_books"]

log = logging.getLogger(__name__)

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The kept versions of a line, as far as pruning may touch them.

    Attributes:
        versions: Those that can be read, with their lineage, oldest first.
        lineages: By version id.
        held: Numbers of those that must stay.
    """

    versions: list[Version]
    lineages: dict[str, Lineage]
    held: frozenset[int]


def read_books(store: Store, verifier: Verifier, line: Line) -> Books:
    """Read all kept versions; each that cannot be read is said once, and left out."""
    reader = LineReader(store, verifier, line)
    entries = list(reader.kept())[::-1]
    versions, lineages, unread = [], {}, []
    for entry in entries:
        try:
            if isinstance(entry, Damaged):
                raise entry.problem
            found = _standing(store, verifier, reader, entry)
        except StoreUnavailable:
            raise
        except CheckpointError as problem:
            name = f"v{entry.number}"
            log.error("%s: %s is damaged and is never pruned: %s", line, name, problem)
            unread.append((entry.number, entry.id))
            continue
        versions.append(entry)
        if found is not None:
            lineages[entry.id] = found
    numbers = {entry.id: entry.number for entry in entries}
    held = [_held_by(store, verifier, reader, line, numbers, one) for one in unread]
    return Books(versions=versions, lineages=lineages, held=frozenset().union(*held))


def _standing(
    store: Store, verifier: Verifier, reader: LineReader, version: Version
) -> Lineage | None:
    """What is kept of its lineage beside the manifest; None where that says all."""
    found = _lineage(store, verifier, reader.line, version.id)
    if found is None and SEGMENT in version.manifest.segments:
        return lineage_of(store, verifier, reader, version)
    return found


def _lineage(store: Records, verifier: Verifier, line: Line, version_id: str) -> Lineage | None:
    envelope = store.lineage(line, version_id)
    if envelope is None:
        return None
    return open_lineage(envelope, verifier, line, version_id=version_id)


def _held_by(
    store: Store,
    verifier: Verifier,
    reader: LineReader,
    line: Line,
    numbers: dict[str, int],
    unread: tuple[int, str],
) -> frozenset[int]:
    """What one unread version stands on; all that is older where that cannot be told."""
    number, version_id = unread
    older = frozenset(each for each in numbers.values() if each < number)
    try:
        lineage = _lineage(store, verifier, line, version_id)
        if lineage is not None:
            return older & frozenset([numbers[lineage.base]] if lineage.base in numbers else [])
        back_to = _rolled_back_to(reader, f"v{number}")
    except StoreUnavailable:
        raise
    except CheckpointError as problem:
        log.warning("%s: nothing older than v%d is pruned: %s", line, number, problem)
        return older
    if back_to is None:
        return older
    return _newest(older) if back_to == "" else older & {int(back_to.removeprefix("v"))}


def _newest(numbers: Iterable[int]) -> frozenset[int]:
    return frozenset(sorted(numbers)[-1:])


def _rolled_back_to(reader: LineReader, name: str) -> str | None:
    """Where the rollback that made this version went; "" if none did, None if that is not known.

    A rollback and its order are written together, so one without an order was none.
    """
    before: int | None = None
    while found := reader.audit(limit=_PAGE, before=before):
        for control in found:
            if control.record.command.version == name:
                return control.record.command.to
        before = found[-1].record.seq
    return "" if before in (None, 1) else None
