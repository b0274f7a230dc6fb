"""Which version served at a moment that is past: from the kept versions and the audit. Pure.

A pinned version serves while the pin stands, or one that a rewind goes back to while it lasts, or
the last good one of a publish gate; else the head of that moment. Commands leave their
moment in the audit; a commit leaves it in its version alone, and retention drops most of those.
So the answer is one version where it can be one, else the numbers between which it lies.
"""

from collections.abc import Iterable, Mapping
from itertools import chain, pairwise
from typing import Any

from msgspec import UNSET, Struct

from checkpoints.reading.views import audit_item, made_at_ms, timestamp, version_item
from checkpoints.records.control import Control, Pointer, served_instead
from checkpoints.records.manifest import Version, version_number

__all__ = ["AsOf", "as_of", "as_of_view"]

_LIMITS = (
    "a commit counts from the moment its snapshot was cut; each API process serves it as soon as "
    "it has loaded it"
)


class AsOf(Struct, frozen=True, kw_only=True):
    """What served at a moment.

    Attributes:
        at_ms: The moment, Unix, UTC.
        first, last: The numbers between which its version lies, both included: equal where it is
            known; both None where there was none yet, the first where there may have been none.
        version: The one that served, or else the newest kept one that was made before.
        after: The oldest kept version that was made later.
        is_pinned: A pin had it served.
        order: The last command until then that changed what was served.
        knows_orders: The audit reaches back to that moment.
    """

    at_ms: int
    first: int | None
    last: int | None
    version: Version | None
    after: Version | None
    is_pinned: bool
    order: Control | None
    knows_orders: bool

    @property
    def is_exact(self) -> bool:
        """Whether it is known what served: one version, or none."""
        return self.knows_orders and self.first == self.last

    @property
    def is_kept(self) -> bool:
        """Whether the version that served can still be loaded."""
        return self.is_exact and self.version is not None and self.version.number == self.first


class _Orders(Struct, frozen=True, kw_only=True):
    """What the audit says of the moment.

    Attributes:
        standing: The newest command until then.
        changed: The newest until then that changed what was served.
        made: The number of the newest version that a command until then had made the head.
        made_later: The same of the first command after it.
        are_known: The audit reaches back to that moment.
    """

    standing: Control | None
    changed: Control | None
    made: int | None
    made_later: int | None
    are_known: bool

    @property
    def pin(self) -> Pointer | None:
        """The version that was pinned."""
        return self.standing.record.pin if self.standing else None

    def served_for(self, head: Version) -> Pointer | None:
        """What was served in the place of this head: pinned, rewound to, or the last good one."""
        return served_instead(self.standing.record if self.standing else None, head.manifest)


def as_of(at_ms: int, versions: Iterable[Version], audit: Iterable[Control]) -> AsOf:
    """What served at a moment.

    Args:
        at_ms: Unix, UTC; the past.
        versions: All that are kept and can be read, newest first; as many are taken as needed.
        audit: The commands, newest first; likewise.
    """
    orders = _orders(at_ms, audit)
    before, after, pin = _around(at_ms, versions, orders)
    first, last = _pinned(pin) if pin else _head(before, after, orders)
    if pin is not None and before is not None and before.number != pin.number:
        before = None  # what served is not the head of that moment
    return AsOf(
        at_ms=at_ms,
        first=first,
        last=last,
        version=before,
        after=after,
        is_pinned=orders.pin is not None,
        order=orders.changed,
        knows_orders=orders.are_known,
    )


def _pinned(pin: Pointer) -> tuple[int, int]:
    return pin.number, pin.number


def _head(
    before: Version | None, after: Version | None, orders: _Orders
) -> tuple[int | None, int | None]:
    """Between which numbers the head of that moment lies."""
    first = max(_numbers(before, orders.made), default=None)
    later = (each for each in _numbers(after, orders.made_later) if each > (first or 0))
    nearest = min(later, default=None)
    if nearest is None:
        return first, first
    if first is None and nearest == 1:
        return None, None
    return first, nearest - 1


def _numbers(version: Version | None, number: int | None) -> list[int]:
    """Those of the two that there are."""
    kept = [] if version is None else [version.number]
    return kept if number is None else [*kept, number]


def _around(
    at_ms: int, versions: Iterable[Version], orders: _Orders
) -> tuple[Version | None, Version | None, Pointer | None]:
    """The kept version that served or was made last before, the first that was made later, and
    what was served in the place of the head.
    """
    pin = orders.pin
    before = after = None
    for version in versions:
        if before is None and made_at_ms(version.manifest) <= at_ms:
            before, pin = version, orders.served_for(version)
        if before is None:
            after = version
        if pin is None and before is not None:
            break
        if pin is not None and version.id == pin.id:
            return version, after, pin
    return before, after, pin


def _orders(at_ms: int, audit: Iterable[Control]) -> _Orders:
    standing = changed = None
    made = made_later = None
    oldest_seq = 1
    for control, older in pairwise(chain(audit, [None])):
        assert control is not None
        record = control.record
        oldest_seq, is_later = record.seq, record.at_ms > at_ms and standing is None
        number = version_number(record.command.version) if record.command.version else None
        if is_later:
            made_later = number or made_later
            continue
        standing, made = standing or control, made or number
        if _changed_serving(control, older):
            changed = control
            break
    are_known = standing is not None or oldest_seq == 1
    return _Orders(
        standing=standing, changed=changed, made=made, made_later=made_later, are_known=are_known
    )


def _changed_serving(control: Control, older: Control | None) -> bool:
    """Whether a command changed what is served; the oldest that is kept is taken at its word."""
    record = control.record
    if older is not None or record.seq == 1:
        was = older.record if older is not None else None
        pin, rewind = (was.pin, was.rewind) if was is not None else (None, UNSET)
        return record.command.version is not None or (record.pin, record.rewind) != (pin, rewind)
    return record.command.command in ("pin", "unpin", "rollback", "cancel", "reset")


def as_of_view(found: AsOf, control: Control | None) -> Mapping[str, Any]:
    """`GET …/versions?at=TIME`: the list with that one version, and how sure it is.

    Args:
        control: The standing orders of now, which pin and tag.
    """
    version = found.version
    return {
        "at": timestamp(found.at_ms),
        "version": f"v{found.first}" if found.is_exact and found.first is not None else None,
        "between": _range(found),
        "kept": found.is_kept,
        "pinned": found.is_pinned,
        "order": audit_item(found.order) if found.order else None,
        "before": version.manifest.name if version else None,
        "after": found.after.manifest.name if found.after else None,
        "note": _note(found),
        "items": [version_item(version, control=control)] if version else [],
        "next": None,
    }


def _range(found: AsOf) -> list[str] | None:
    is_open = found.is_exact or found.last is None
    return None if is_open else [f"v{found.first or 1}", f"v{found.last}"]


def _note(found: AsOf) -> str:
    """What is known of it, and what is not, in words."""
    if not found.knows_orders:
        return "the audit does not reach back so far: a pin may have stood then"
    if found.last is None:
        return "nothing was served yet"
    if found.is_pinned:
        what = f"v{found.first} was pinned"
    elif found.is_exact:
        what = f"v{found.first} was the head"
    else:
        kept = f"nearest of those kept: {_named(found.version)} before, {_named(found.after)} after"
        none = "" if found.first else "none yet, or "
        numbers = f"v{found.first or 1} to v{found.last}"
        what = f"{none}one of {numbers} was the head, but retention has dropped"
        return f"{what} all or some of them: {kept}; {_LIMITS}"
    return f"{what}; {_LIMITS}" if found.is_kept else f"{what}, and is not kept"


def _named(version: Version | None) -> str:
    return version.manifest.name if version else "none"
