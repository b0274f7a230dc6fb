"""The contract of heads: who may write a line, what stands as its head, and the orders for it.

Each change is one atomic comparison and change; its `Outcome` says whether it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.stores.presence import Beat

__all__ = ["REPEATS_S", "Granted", "Heads", "HeldBy", "Outcome", "Position", "Reply", "check_drop",
           "named_by"]  # fmt: skip

REPEATS_S = 24 * 3600  # how long an idempotency key is remembered


class Outcome(StrEnum):
    """How the store answered a change; only OK and DUP mean that it stands."""

    OK = "OK"
    DUP = "DUP"  # the same change, by id, had been made already: an earlier reply was lost
    FENCED = "FENCED"  # the token is no longer the newest
    STALE = "STALE"  # built on another head or control record, or its number has been used
    TORN = "TORN"  # something it names is missing or has the wrong length
    REPEATED = "REPEATED"  # another command with this idempotency key was done before

    @property
    def stands(self) -> bool:
        """Whether the change is in the store, by this call or an earlier one with its id."""
        return self in (Outcome.OK, Outcome.DUP)


class Granted(Struct, frozen=True, kw_only=True):
    """The line is ours to write.

    Attributes:
        head: The head's envelope. None when nothing was ever committed; empty when the head's
            record is missing or longer than it may be, so that it verifies as nothing.
        highest: The highest version number this line has ever used.
        head_id: Of the version that stands as the head.
    """

    token: str
    head: bytes | None
    highest: int
    head_id: str | None = None


class HeldBy(Struct, frozen=True, kw_only=True):
    """Another holder's lease stands; ask again when it has ended."""

    holder: str
    remaining_s: float


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a command; `earlier` is the control envelope a repeated key stands for."""

    outcome: Outcome
    earlier: bytes | None = None


class Position(Struct, frozen=True, kw_only=True):
    """What moved: read together, so head and control belong to one moment."""

    head: str | None  # id
    control: str | None  # id
    # The newest beat of role "learner", none when that is silent; unsigned: a courtesy.
    learner: Beat | None


class Heads(Protocol):
    """What points to records, and the only ways to move it."""

    # Writing, for the learner ------------------------------------------------------------------

    def acquire(self, line: Line, *, holder: str, lease_s: float) -> Granted | HeldBy:
        """Take the line: a new token, which fences every older one.

        A holder that asks again, restarted, is granted at once.
        """

    def renew(self, line: Line, *, holder: str, token: str, lease_s: float) -> bool:
        """Extend the lease; False when `token` has been superseded."""

    def release(self, line: Line, *, holder: str, token: str) -> None:
        """End the lease, so that a successor need not wait for it."""

    def commit(self, line: Line, *, token: str, version: Version) -> Outcome:
        """Make `version` the head, if `token` is the newest and its parent is the head.

        Its number must exceed every one the line has used, and the command that it names as
        obeyed must still stand, or a newer one (STALE). Repeating it changes nothing (DUP).
        """

    def prune(
        self,
        line: Line,
        *,
        token: str,
        head: str,
        control: Control | None,
        drop: Sequence[str],
        lineages: Mapping[str, bytes],
    ) -> Outcome:
        """Forget the versions `drop` (ids), and the segments that no kept version names.

        Refused whole unless token, head and control are as the caller saw them (FENCED, STALE)
        and none of `drop` is being served (STALE). `lineages` are stored for the kept versions
        (by id) that take over what the dropped ones recorded.

        Raises:
            ValueError: `drop` holds the head, or a pinned or tagged version: the caller's bug.
        """

    # Commands, for operators -------------------------------------------------------------------

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
        is_fencing: bool = False,
    ) -> Reply:
        """Make `control` the newest control record, and `version` the head where one comes along.

        One atomic change, compared against `control.record.previous`, the audit's highest number
        and, with a version, its parent (STALE); the versions and segments they name must be there
        (TORN). A version bumps the fencing token, and so does `is_fencing`: a live learner finds
        itself FENCED. An idempotency key is remembered for 24 hours: REPEATED carries the control
        envelope that it stood for.
        """

    def fence(self, line: Line, *, by: str) -> None:
        """Give the line a new token, so that a learner which nobody hears of commits no more.

        The lease, head and orders stay. A learner that took the line meanwhile finds itself fenced,
        and takes it again. While the newest token is the one that `by` made, nothing is changed.
        """

    def remove(self, line: Line, *, by: str) -> str | None:
        """Remove everything of the line, its candidate included; None, or the holder of the lease
        that stands against it.

        Repeated, it goes on where a call was cut short. Until it is over no learner gets the line.
        """

    # Reading -----------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        """The lines that have a head, in order, no candidate among them; of very many in a large
        Redis perhaps not all.
        """

    def head(self, line: Line) -> bytes | None:
        """The envelope of the head, None when nothing was ever committed."""

    def control(self, line: Line) -> bytes | None:
        """The envelope of the newest control record, None before the first command."""

    def highest(self, line: Line) -> int:
        """The highest version number this line has used, 0 for none."""

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        """What each line points to now, all in one round trip."""


def check_drop(drop: Sequence[str], *, head: str, control: Control | None) -> None:
    """Refuse to prune the head, the pinned version or a tagged one, before anything is done.

    Raises:
        ValueError: the caller's retention is wrong.
    """
    protected = control.record.protected if control else frozenset[str]()
    if wrong := (protected | {head}) & set(drop):
        raise ValueError(f"the head, pinned or tagged versions may not be dropped: {wrong}")


def named_by(control: Control, version: Version | None) -> frozenset[str]:
    """Ids of the versions that a command names for the first time: they must be kept.

    What earlier commands pinned or tagged is not asked again, else one lost version would lock
    operators out of every command.
    """
    record = control.record
    rewound = record.rewind.pointers if record.rewind else ()
    pointers = (*record.tags.values(), *([record.pin] if record.pin else []), *rewound)
    named = {point.id for point in pointers if f"v{point.number}" == record.command.to}
    if version is not None and version.manifest.rollback is not None:
        named.add(version.manifest.rollback.to_id)
    return frozenset(named)
