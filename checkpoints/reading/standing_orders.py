"""The standing orders of a line, beyond doubt that somebody has taken back the newest.

A control record is signed, but the pointer to the newest is not: an older record put back, or the
pointer deleted, would undo a freeze or a pin without an operator. Two witnesses speak against it:
the audit, and the manifest of the head, which names the newest command obeyed when it was made.
"""

from checkpoints.errors import Tampered
from checkpoints.records.control import Control, open_control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store

__all__ = ["refuse_below", "standing_orders"]


def standing_orders(
    store: Store, verifier: Verifier, line: Line, *, at_least: int = 0
) -> Control | None:
    """The newest control record; None before the first command.

    Args:
        at_least: The number of a command that is known to have been given: the head's.

    Raises:
        Tampered: It is older than what the audit holds, or than `at_least`; or not signed.
        CheckpointError: It does not verify otherwise.
    """
    # In this order: a command that comes in between makes the pointer newer, never older.
    audited = store.audit(line, limit=1)
    envelope = store.control(line)
    found = open_control(envelope, verifier, line) if envelope else None
    newest = open_control(audited[0], verifier, line) if audited else None
    seq = found.record.seq if found else 0
    if newest is not None and (seq < newest.record.seq or _differ(found, newest)):
        mend = f"SET '{line.prefix}control' '{newest.record.seq}:{newest.id}'"
        raise _taken_back(line, found, f"the audit holds {newest.record.seq}", f"`{mend}` in Redis")
    if seq < at_least:
        known = f"the head was made after command {at_least}"
        raise _taken_back(line, found, known, "a backup of Redis that holds that command")
    return found


def _differ(found: Control | None, newest: Control) -> bool:
    return found is not None and found.record.seq == newest.record.seq and found.id != newest.id


def _taken_back(line: Line, found: Control | None, known: str, mend: str) -> Tampered:
    stands = f"command {found.record.seq}" if found else "no command"
    return Tampered(
        f"{line} control",
        f"{stands} stands there, but {known}",
        advice=f"an operator's order was taken back: find out who wrote to Redis, then put it back "
        f"with {mend}",
    )


def refuse_below(line: Line, head: Version | None, control: Control) -> None:
    """Refuse a head from before the operators' last order.

    Raises:
        Tampered: Somebody put an old version back, or took the head away.
    """
    last = control.record.last_version
    if (head.number if head else 0) < last:
        stands = head.manifest.name if head else "nothing"
        raise Tampered(
            f"{line} head",
            f"{stands} stands there, but v{last} was the head when an operator ordered last",
        )
