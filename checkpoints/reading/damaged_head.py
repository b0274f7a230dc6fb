"""What to do when the head cannot be read: which version stands in for it, and the way out.

Nothing goes on from an older version unasked. A rollback may, because an operator orders it: its
version then takes offsets, anchors, ids seen and counts from the newest version that can be read.
What the damaged head had read after that is read again, and by no model a second time, for the
one that had learned it is gone.
"""

from collections.abc import Container

from msgspec import Struct

from checkpoints.errors import (
    CheckpointError,
    DamagedHead,
    Stale,
    StoreUnavailable,
    Tampered,
    UnknownFormat,
    UnknownKey,
)
from checkpoints.reading.reader import Damaged, LineReader, LineState
from checkpoints.reading.standing_orders import refuse_below, standing_orders
from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Unreadable, Version, open_version
from checkpoints.records.segments import OF_THE_LOG
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Granted

__all__ = ["Stand", "damaged_head", "newest_sound", "stand_of", "taken"]

# The record is whole: what lacks is a key or a newer build, and nothing stands in for that.
_OURS_TO_MEND = (UnknownFormat, UnknownKey)


class Stand(Struct, frozen=True, kw_only=True):
    """Where a command finds a line.

    Attributes:
        head: The head; where it is `unreadable`, the version that stands in for it.
        head_id: Of what stands as the head; None where nothing does.
        head_name: As people write it.
    """

    head: Version
    head_id: str | None
    head_name: str
    unreadable: Unreadable | None = None


def stand_of(reader: LineReader, state: LineState, *, is_rollback: bool) -> Stand | None:
    """Where the line stands for a command that can do without a sound head; None: nowhere.

    Args:
        is_rollback: The head's place in the log is needed, so its segments are checked as well.

    Raises:
        CheckpointError: The head is damaged, and no kept version can stand in for it.
    """
    head, problem = state.head, state.head_problem
    if head is not None and problem is None and is_rollback:
        problem = _damage(reader, head, OF_THE_LOG)
    if problem is None and head is None:
        if not (kept := reader.listing(limit=1)):
            return None
        problem = Tampered(f"v{kept[0].number} is kept", "nothing stands as the head")
    if problem is None:
        assert head is not None
        return Stand(head=head, head_id=head.id, head_name=head.manifest.name)
    place = newest_sound(reader, OF_THE_LOG)
    if place is None or isinstance(problem, _OURS_TO_MEND):
        raise problem
    name = _name_of(reader, state.head_id)
    return Stand(
        head=place,
        head_id=state.head_id,
        head_name=name,
        unreadable=Unreadable(
            head=name, why=problem.what, place=place.manifest.name, place_id=place.id
        ),
    )


def newest_sound(reader: LineReader, names: Container[str] | None = None) -> Version | None:
    """The newest kept version whose record and segments (`names`; None: all) verify."""
    for entry in reader.kept():
        if not isinstance(entry, Damaged) and _damage(reader, entry, names) is None:
            return entry
    return None


def _damage(
    reader: LineReader, version: Version, names: Container[str] | None
) -> CheckpointError | None:
    try:
        reader.check_segments(version, names)
    except StoreUnavailable:
        raise
    except CheckpointError as problem:
        return problem
    return None


def _name_of(reader: LineReader, version_id: str | None) -> str:
    if version_id is None:
        return "nothing"
    found = (f"v{entry.number}" for entry in reader.kept() if entry.id == version_id)
    return next(found, version_id[:12])


def taken(
    store: Store, verifier: Verifier, line: Line, granted: Granted, *, obeyed: int = 0
) -> Version | None:
    """The head of a line that was just taken to be learned on, beyond doubt; None for a new line.

    Args:
        obeyed: The number of the newest command that this process has obeyed.

    Raises:
        DamagedHead: It cannot be read, or is gone; with the command that mends it.
        Tampered: It, or the newest command, is older than one that was known.
        Stale: It has moved since: take the line again.
    """
    reader = LineReader(store, verifier, line)
    if granted.head is None:
        if kept := reader.listing(limit=1):
            why = f"nothing stands there, though v{kept[0].number} is kept"
            raise damaged_head(reader, line, "nothing", why)
        control = standing_orders(store, verifier, line)
        if control is None:
            return None  # a new line, or all of it is gone: Kafka remembers which
        refuse_below(line, None, control)
        _refuse_lost(line, control, obeyed)
        return None
    try:
        if not granted.head:
            raise Tampered(f"{line} head", "its record is missing, or too long to be one")
        head = open_version(granted.head, verifier, line, expected_id=granted.head_id)
    except _OURS_TO_MEND:
        raise
    except CheckpointError as problem:
        name = _name_of(reader, granted.head_id)
        raise damaged_head(reader, line, name, problem.what) from problem
    control = standing_orders(store, verifier, line, at_least=head.manifest.orders_seen)
    if control is not None:
        if head.number < control.record.last_version:
            _refuse_moved(store, line, head)
        refuse_below(line, head, control)
    _refuse_lost(line, control, obeyed)
    return head


def _refuse_lost(line: Line, control: Control | None, obeyed: int) -> None:
    """Else a model that was frozen by a command that is gone would be thawed by its loss."""
    seq = control.record.seq if control else 0
    if seq < obeyed:
        raise Tampered(
            f"{line} control",
            f"command {seq or 'none'} stands there, and {obeyed} was obeyed: the store has lost it",
            advice="look what stands with `weir audit`, give the order again if it is still "
            "wanted, and start the learner again",
        )


def _refuse_moved(store: Store, line: Line, head: Version) -> None:
    """A rollback since the line was taken is no attack."""
    if store.poll([line])[line].head != head.id:
        raise Stale(line, f"{head.manifest.name} was the head, and has been followed by another")


def damaged_head(reader: LineReader, line: Line, name: str, why: str) -> DamagedHead:
    """The error for a head that cannot be gone on from, with the command that mends it."""
    sound = newest_sound(reader)
    if sound is None:
        mend = "no kept version verifies: restore Redis from a backup"
    else:
        mend = (
            f'`weir rollback {line.model} {sound.manifest.name} --mode forget --reason "{name} is '
            'damaged"` goes on from the newest version that verifies; `weir verify` names the rest'
        )
    return DamagedHead(line, name, why, mend=mend)
