"""The store contract: what any place that keeps versions must do, and how it answers.

The safety is in three comparisons that the store makes in one atomic step: the fencing token of
the writer, the parent against the head, and the presence of every byte the version names. Leases
are a courtesy. Reads return signed envelopes as they are: the caller verifies them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef, Version

__all__ = [
    "STEPS",
    "Granted",
    "HeldBy",
    "Hints",
    "Line",
    "Listed",
    "Outcome",
    "Position",
    "Reply",
    "Store",
]

CHUNK_BYTES = 1 << 20  # bounds how long other clients of the store wait behind one write
LINEAGE_BYTES_MAX = 64 << 20
BEAT_BYTES_MAX = 64 << 10
ORPHAN_S = 600  # a segment that no commit has named by then is gone
REPEATS_S = 24 * 3600  # how long an idempotency key is remembered
# An order waits for whoever has beaten within this time; it must be shorter than an order waits,
# and so long that a process which only stands still for a while is not taken for dead.
BEAT_TTL_S = 9.0
SURE_S = 0.1  # who follows a line knows within this time what has moved
BEAT_SHOWN_S = 3.0  # users are shown as silent who has not beaten for so long

Beat = Mapping[str, Any]
OnStep = Callable[[str], None]

# Where a process that uses a store can die, in the order of a line's life: before a change is
# sent, between two chunks, and after it was made but before the caller knows.
STEPS = (
    "acquire.before",
    "acquire.after",
    "put_segment.before",
    "put_segment.between",
    "put_segment.after",
    "commit.before",
    "commit.after",
    "command.before",
    "command.after",
    "fence.before",
    "fence.after",
    "prune.before",
    "prune.after",
    "renew.before",
    "renew.after",
    "release.before",
    "release.after",
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """Another holder's lease stands; ask again when it has ended."""

    holder: str
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a command; `earlier` is the control envelope a repeated key stands for."""

    outcome: Outcome
    earlier: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A kept version as the index names it, unsigned.

    `envelope` is None where its record is missing or longer than it may be: one damaged record
    must not hide the others.
    """

    number: int
    id: str
    envelope: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What moved: read together, so head and control belong to one moment."""

    head: str | None  # id
    control: str | None  # id
    # The newest beat of role "learner", none when that is silent; unsigned: a courtesy.
    learner: Beat | None


class Hints(Protocol):
    """Says that something has moved, sooner than a poll would: a courtesy, some may be lost."""

    def fileno(self) -> int:
        """Readable when there may be a hint; -1 while there can be none."""
        ...

    def take(self) -> bool:
        """Whether something may have moved since the last call; does not wait for hints.

        It is also True, every `sure_s`, while the store cannot be heard: it is to be asked then.
        """
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class Store(Protocol):
    """Where versions are kept. Every method is safe to call from several threads.

    All may raise StoreUnavailable; a change that raised it may or may not have been made.
    """

    def close(self) -> None:
        """Give up the connection; the store is not used again."""
        ...

    # Writing, for the learner ------------------------------------------------------------------

    def acquire(self, line: Line, *, holder: str, lease_s: float) -> Granted | HeldBy:
        """Take the line: a new token, which fences every older one.

        A holder that asks again, restarted, is granted at once.
        """
        ...

    def renew(self, line: Line, *, holder: str, token: str, lease_s: float) -> bool:
        """Extend the lease; False when `token` has been superseded."""
        ...

    def release(self, line: Line, *, holder: str, token: str) -> None:
        """End the lease, so that a successor need not wait for it."""
        ...

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        """Store a segment; unless a commit names it within 10 minutes it goes away by itself."""
        ...

    def commit(self, line: Line, *, token: str, version: Version) -> Outcome:
        """Make `version` the head, if `token` is the newest and its parent is the head.

        Its number must exceed every one the line has used, and the command that it names as
        obeyed must still stand, or a newer one (STALE). Repeating it changes nothing (DUP).
        """
        ...

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
        ...

    # Commands, for operators -------------------------------------------------------------------

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Reply:
        """Make `control` the newest control record, and `version` the head where one comes along.

        One atomic change, compared against `control.record.previous`, the audit's highest number
        and, with a version, its parent (STALE); the versions and segments they name must be there
        (TORN). A version bumps the fencing token, so a live learner finds itself FENCED. An
        idempotency key is remembered for 24 hours: REPEATED carries the control envelope that it
        stood for.
        """
        ...

    def fence(self, line: Line, *, by: str) -> None:
        """Give the line a new token, so that a learner which nobody hears of commits no more.

        The lease, head and orders stay. A learner that took the line meanwhile finds itself fenced,
        and takes it again. While the newest token is the one that `by` made, nothing is changed.
        """
        ...

    def remove(self, line: Line, *, by: str) -> str | None:
        """Remove everything of the line; None, or the holder of the lease that stands against it.

        Repeated, it goes on where a call was cut short. Until it is over no learner gets the line.
        """
        ...

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        """The control envelope that was written under this key in the last 24 hours."""
        ...

    # Reading -----------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        """The lines that have a head, in order; of very many in a large Redis perhaps not all."""
        ...

    def head(self, line: Line) -> bytes | None:
        """The envelope of the head, None when nothing was ever committed."""
        ...

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        """The envelope of the version with this id, None when it is not kept."""
        ...

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        """The envelope of the version with this number, None when it is not kept."""
        ...

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        """The kept versions, newest first, with numbers below `before`."""
        ...

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        """What pruned versions left to this kept one, None when nothing."""
        ...

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        """The stored bytes of a segment, checked against length and hash.

        Raises:
            CheckpointCorrupt: missing, cut short, too long, or altered.
        """
        ...

    def control(self, line: Line) -> bytes | None:
        """The envelope of the newest control record, None before the first command."""
        ...

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        """Envelopes of control records, newest first, with `seq` below `before`."""
        ...

    def highest(self, line: Line) -> int:
        """The highest version number this line has used, 0 for none."""
        ...

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        """What each line points to now, all in one round trip."""
        ...

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        """Hints of these lines' new heads, commands and states; never raises for a store that is
        away. What nothing was heard of for `sure_s` has not moved, but for what somebody writes
        who is none of ours.
        """
        ...

    # Heartbeats --------------------------------------------------------------------------------

    def beat(
        self,
        line: Line,
        *,
        role: str,
        name: str,
        payload: Beat,
        ttl_s: float,
        serving: str | None = None,
        is_news: bool = False,
    ) -> None:
        """Say that `name` is alive for `ttl_s`; `is_news` hints at it.

        `serving` keeps the version of that id from pruning; it is "" for one that serves none yet,
        None for one that never does.

        A waiting stand-by uses a role of its own: `poll` shows the newest beat of "learner", and
        that for `BEAT_SHOWN_S` at the most. A beat takes the place of the one of the same name.
        """
        ...

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        """The beats of a role that still stand, by name; some may be of processes that are gone."""
        ...

    def in_use(self, line: Line) -> frozenset[str]:
        """Ids of the versions that somebody says to be serving whose beat still stands."""
        ...


def never_dropped(*, head: str, control: Control | None) -> frozenset[str]:
    """Ids that no prune may touch: the head, the pinned version and the tagged ones."""
    return (control.record.protected if control else frozenset()) | {head}


def check_drop(drop: Sequence[str], *, head: str, control: Control | None) -> None:
    """Refuse to prune what must stay; asked by every store before it does anything.

    Raises:
        ValueError: the caller's retention is wrong.
    """
    wrong = never_dropped(head=head, control=control) & set(drop)
    if wrong:
        raise ValueError(f"the head, pinned or tagged versions may not be dropped: {wrong}")


def named_by(control: Control, version: Version | None) -> frozenset[str]:
    """Ids of the versions that a command names for the first time: they must be kept.

    What earlier commands pinned or tagged is not asked again, else one lost version would lock
    operators out of every command.
    """
    record = control.record
    pointers = (*record.tags.values(), *([record.pin] if record.pin else []))
    named = {point.id for point in pointers if f"v{point.number}" == record.command.to}
    if version is not None and version.manifest.rollback is not None:
        named.add(version.manifest.rollback.to_id)
    return frozenset(named)
