"""Reading a line: every record verified, the last good state kept when one is not.

A process that serves predictions must neither stop nor change its mind because somebody wrote to
Redis. So a head, a pin or a command that does not verify is reported and not obeyed, and neither
is an older one put back in the place of a newer, nor a head from before an operator's last order.
"""

from collections.abc import Callable, Container, Iterator
from itertools import pairwise
from typing import TypeAlias, TypeVar

from msgspec import Struct

from checkpoints.errors import (
    CheckpointCorrupt,
    CheckpointError,
    NoSuchVersion,
    StoreUnavailable,
    Tampered,
    TooLarge,
)
from checkpoints.reading.standing_orders import refuse_below, standing_orders
from checkpoints.records.control import Control, Rewinding, open_control, served_instead
from checkpoints.records.gate import HeldBack
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef, Version, open_version
from checkpoints.records.segments import unpack
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Position
from checkpoints.stores.presence import Beat
from checkpoints.stores.records import Listed

__all__ = ["Damaged", "Entry", "LineReader", "LineState"]

T = TypeVar("T")

_SEGMENT_BYTES_MAX = 4 << 30  # of one segment, unpacked; the model file's limit is far below
_CACHED = 64  # versions remembered by id; their signatures need no second look
_LOOKS_MAX = 5  # between a look at the head's id and the fetch of its record it may move
_PAGE = 100  # versions in one listing
_STEPS_MAX = 50  # from parent to parent, when the head has moved


class Damaged(Struct, frozen=True, kw_only=True):
    """A kept version that does not verify. Number and id are the index's, and unsigned."""

    number: int
    id: str
    problem: CheckpointError

    @property
    def name(self) -> str:
        """As people write it: `v17`."""
        return f"v{self.number}"


Entry: TypeAlias = Version | Damaged


class LineState(Struct, frozen=True, kw_only=True):
    """Where a line stands, as far as it can be believed.

    Attributes:
        head: The newest version that verified; None before the first commit.
        control: The operators' standing orders; None before the first command.
        serving: What is to answer predictions: the pinned version, else that to which a rewind is
            under way, else the last that the publish gate let through, as a rule the head. None if
            that cannot be read and nothing was served before.
        learner: The live learner's newest heartbeat, unsigned.
        head_id: The id of what stands as the head, believed or not.
        head_problem, control_problem, pin_problem: What was found and not obeyed, in the words
            for the operator.
        warnings: What was found odd, and obeyed all the same.
    """

    head: Version | None
    control: Control | None
    serving: Version | None
    learner: Beat | None = None
    head_id: str | None = None
    head_problem: CheckpointError | None = None
    control_problem: CheckpointError | None = None
    pin_problem: CheckpointError | None = None
    warnings: tuple[CheckpointError, ...] = ()

    @property
    def problems(self) -> tuple[CheckpointError, ...]:
        """All that was found and not obeyed."""
        found = (self.head_problem, self.control_problem, self.pin_problem)
        return tuple(problem for problem in found if problem is not None)

    @property
    def is_frozen(self) -> bool:
        """Whether operators have ordered the learner to stand still."""
        return self.control is not None and self.control.record.frozen

    @property
    def rewinding(self) -> Rewinding | None:
        """The rewind that is under way."""
        return self.control.record.rewinding(_obeyed(self.head)) if self.control else None

    @property
    def held(self) -> HeldBack | None:
        """What holds the head back, if the publish gate does."""
        released = self.control.record.let_through if self.control else 0
        return self.head.manifest.held_back(released) if self.head else None

    @property
    def control_seq(self) -> int:
        """The number of the newest command that is obeyed, 0 before the first."""
        return self.control.record.seq if self.control else 0


class LineReader:
    """Follows one line. It remembers the newest it has seen; use one from one thread.

    Args:
        store: Where the line is kept.
        verifier: Whose signatures are believed.
        line: Of which model and shard.
        segment_bytes_max: The largest segment that is fetched, in bytes after unpacking.
    """

    def __init__(
        self,
        store: Store,
        verifier: Verifier,
        line: Line,
        *,
        segment_bytes_max: int = _SEGMENT_BYTES_MAX,
    ) -> None:
        self._store, self._verifier, self._line = store, verifier, line
        self._segment_bytes_max = segment_bytes_max
        self._versions: dict[str, Version] = {}
        self._head: Version | None = None
        self._control: Control | None = None
        self._serving: Version | None = None
        self._looked_at: tuple[str | None] | None = None  # the control id last found in order
        self._refused: set[str] = set()

    @property
    def refusals(self) -> int:
        """How many different problems this reader has met and not obeyed."""
        return len(self._refused)

    def state(self) -> LineState:
        """Where the line stands now: one round trip if nothing has moved.

        Raises:
            StoreUnavailable: The store does not answer; what was read before still holds.
        """
        return self.at(self._store.poll([self._line])[self._line])

    def checked(self) -> LineState:
        """As `state`, for those who must not act on the last good one.

        Raises:
            CheckpointError: The first problem.
            StoreUnavailable: The store does not answer.
        """
        found = self.state()
        if found.problems:
            raise found.problems[0]
        return found

    @property
    def line(self) -> Line:
        """The line that it reads."""
        return self._line

    def at(self, position: Position) -> LineState:
        """The state at `position`, which one `poll` has read for several lines at once."""
        found, head_problem = self._kept(self._head, lambda: self._new_head(position))
        due = found.manifest.orders_seen if found else 0
        self._control, control_problem = self._kept(
            self._control, lambda: self._new_control(position, due)
        )
        if head_problem is None:
            found, head_problem = self._kept(self._head, lambda: self._not_below(found, position))
        warnings = self._branch(found)
        self._head = found
        if control_problem is not None and self._looked_at is None:
            pin_problem = None  # there are orders, never yet known: it does not choose for itself
        else:
            self._serving, pin_problem = self._kept(self._serving, self._to_serve)
        state = LineState(
            head=self._head,
            control=self._control,
            serving=self._serving,
            learner=position.learner,
            head_id=position.head,
            head_problem=head_problem,
            control_problem=control_problem,
            pin_problem=pin_problem,
            warnings=warnings,
        )
        self._refused |= {str(each) for each in (*state.problems, *warnings)}
        return state

    def _kept(self, last: T, read: Callable[[], T]) -> tuple[T, CheckpointError | None]:
        """What `read` finds, or the last good one and a problem."""
        try:
            return read(), None
        except StoreUnavailable:
            raise
        except CheckpointError as problem:
            return last, problem

    def _new_head(self, position: Position) -> Version | None:
        seen = self._head
        if seen is not None and position.head == seen.id:
            return seen
        found = self._fetch_head(position.head)
        if seen is not None and (found is None or found.number < seen.number):
            now = found.manifest.name if found else "nothing"
            removed = "" if found else "the model was removed, "
            raise Tampered(
                f"{self._line} head",
                f"{now} stands where {seen.manifest.name} stood: {removed}the store was emptied, "
                "has lost commits in a failover, or somebody put an old version back",
            )
        return found

    def _fetch_head(self, head: str | None) -> Version | None:
        for _ in range(_LOOKS_MAX):
            if head is None:
                return None
            try:
                return self.version_by_id(head)
            except NoSuchVersion:  # it was dropped between two looks, for a newer head
                head = self._store.poll([self._line])[self._line].head
        raise CheckpointCorrupt(f"{self._line} head", "the version it names is not there")

    def _not_below(self, found: Version | None, position: Position) -> Version | None:
        """`found`, unless an operator's last order was given when there was a newer head."""
        control = self._control
        if control is not None and control.id == position.control:  # read at one moment with it
            refuse_below(self._line, found, control)
        return found

    def _branch(self, found: Version | None) -> tuple[CheckpointError, ...]:
        """A word on a head that does not descend from the last: the store lost commits between.

        It is obeyed: a learner has signed it, after it had gone on from an older version.
        """
        seen = self._head
        if seen is None or found is None or self._descends(found, seen):
            return ()
        what = f"{found.manifest.name} does not descend from {seen.manifest.name}"
        return (
            Tampered(
                f"{self._line} head",
                f"{what}, the head before it",
                advice="it is obeyed, for its signature is right: the store may have lost commits "
                "in a failover; `weir verify` checks the chain",
            ),
        )

    def _descends(self, found: Version, seen: Version) -> bool:
        """Whether parents lead from `found` to `seen`, as far as they are kept and readable."""
        step = found
        for _ in range(_STEPS_MAX):
            if seen.id in (step.id, step.manifest.parent):
                return True
            if step.number <= seen.number or step.manifest.parent is None:
                return step.manifest.unreadable is not None
            try:
                step = self.version_by_id(step.manifest.parent)
            except StoreUnavailable:
                raise
            except CheckpointError:  # pruned or damaged: what lies before it cannot be known
                return True
        return True

    def _new_control(self, position: Position, at_least: int) -> Control | None:
        seen = self._control
        if self._looked_at == (position.control,) and self._seq() >= at_least:
            return seen
        found = standing_orders(self._store, self._verifier, self._line, at_least=at_least)
        if seen is not None and _is_older(found, seen):
            now = f"command {found.record.seq}" if found else "no command"
            stood = f"{now} stands where {seen.record.seq} stood"
            what = "the store was emptied, or somebody put an old state back"
            raise Tampered(f"{self._line} control", f"{stood}: {what}")
        self._looked_at = (found.id if found else None,)
        return found

    def _seq(self) -> int:
        return self._control.record.seq if self._control else 0

    def _to_serve(self) -> Version | None:
        orders = self._control.record if self._control else None
        instead = served_instead(orders, self._head.manifest if self._head else None)
        if instead is None:
            return self._head
        version = self.version_by_id(instead.id)
        if version.number != instead.number:
            what = f"{instead.name} is to be served, by the id of {version}"
            raise Tampered(f"{self._line} serving", what)
        return version

    def version_by_id(self, version_id: str) -> Version:
        """The kept version with this id, verified.

        Raises:
            NoSuchVersion: It is not kept.
            CheckpointError: It does not verify.
        """
        if version_id in self._versions:
            return self._versions[version_id]
        envelope = self._store.manifest(self._line, version_id)
        if envelope is None:
            raise NoSuchVersion(self._line, version_id[:12])
        version = open_version(envelope, self._verifier, self._line, expected_id=version_id)
        self._versions[version_id] = version
        if len(self._versions) > _CACHED:
            del self._versions[next(iter(self._versions))]
        return version

    def version(self, number: int) -> Version:
        """The kept version with this number, verified.

        Raises:
            NoSuchVersion: It never was, or retention has dropped it.
            CheckpointError: It does not verify, or another stands in its place.
        """
        envelope = self._store.manifest_by_number(self._line, number)
        if envelope is None:
            raise NoSuchVersion(self._line, f"v{number}")
        found = open_version(envelope, self._verifier, self._line)
        if found.number != number:
            raise Tampered(f"{self._line} v{number}", f"{found} stands in its place")
        return found

    def listing(self, *, limit: int, before: int | None = None) -> list[Entry]:
        """Kept versions, newest first, with numbers below `before`: one that does not verify
        does not hide the others.

        Raises:
            CheckpointError: They are out of order.
        """
        found = self._store.versions(self._line, limit=limit, before=before)
        self._refuse_disorder([one.number for one in found], before, "versions")
        return [self._entry(one) for one in found]

    def _entry(self, listed: Listed) -> Entry:
        where = f"{self._line} v{listed.number}"
        try:
            if listed.envelope is None:
                raise CheckpointCorrupt(where, "its record is missing, or too long to be one")
            found = open_version(listed.envelope, self._verifier, self._line, expected_id=listed.id)
            if found.number != listed.number:
                raise Tampered(where, f"{found} stands in its place")
        except CheckpointError as problem:
            return Damaged(number=listed.number, id=listed.id, problem=problem)
        return found

    def kept(self) -> Iterator[Entry]:
        """All kept versions, newest first, page by page."""
        before: int | None = None
        while found := self.listing(limit=_PAGE, before=before):
            yield from found
            before = found[-1].number

    def versions(self, *, limit: int, before: int | None = None) -> list[Version]:
        """As `listing`, for those who must not act on a part.

        Raises:
            CheckpointError: One does not verify, or they are out of order.
        """
        found: list[Version] = []
        for entry in self.listing(limit=limit, before=before):
            if isinstance(entry, Damaged):
                raise entry.problem
            found.append(entry)
        return found

    def audit(self, *, limit: int, before: int | None = None) -> list[Control]:
        """Control records, newest first, with `seq` below `before`; each verified.

        Raises:
            CheckpointError: One does not verify, or they are out of order.
        """
        envelopes = self._store.audit(self._line, limit=limit, before=before)
        found = [open_control(one, self._verifier, self._line) for one in envelopes]
        self._refuse_disorder([control.record.seq for control in found], before, "audit")
        return found

    def _refuse_disorder(self, numbers: list[int], before: int | None, what: str) -> None:
        falling = [before, *numbers] if before is not None else numbers
        if any(one <= next_one for one, next_one in pairwise(falling)):
            raise Tampered(f"{self._line} {what}", f"they are out of order: {numbers[:5]}")

    def load_segments(
        self, version: Version, names: Container[str] | None = None
    ) -> dict[str, bytes]:
        """The raw bytes of a version's segments, each checked against length and hash.

        Args:
            names: Only these, where the version has them; None for all.

        Raises:
            TooLarge: Over the limit; nothing was fetched.
            CheckpointCorrupt: Missing, cut short or altered.
        """
        return {
            name: unpack(ref, self._segment(version, name, ref), where=f"{version} {name}")
            for name, ref in self._wanted(version, names).items()
        }

    def check_segments(self, version: Version, names: Container[str] | None = None) -> None:
        """Fetch what `load_segments` would, and check it without unpacking.

        Raises:
            TooLarge, CheckpointCorrupt: As `load_segments`.
        """
        for name, ref in self._wanted(version, names).items():
            self._segment(version, name, ref)

    def _wanted(self, version: Version, names: Container[str] | None) -> dict[str, SegmentRef]:
        wanted = {
            name: ref
            for name, ref in version.manifest.segments.items()
            if names is None or name in names
        }
        for name, ref in wanted.items():
            size = max(ref.bytes, ref.raw_bytes)
            if size > self._segment_bytes_max:
                where = f"{version} segment {name}"
                raise TooLarge(where, bytes_found=size, bytes_max=self._segment_bytes_max)
        return wanted

    def _segment(self, version: Version, name: str, ref: SegmentRef) -> bytes:
        try:
            return self._store.get_segment(self._line, ref)
        except CheckpointCorrupt as problem:
            raise CheckpointCorrupt(f"{version} segment {name}", problem.why) from problem


def _obeyed(head: Version | None) -> int:
    return head.manifest.orders_seen if head else 0


def _is_older(found: Control | None, seen: Control) -> bool:
    """Whether `found` is not what was seen, nor what has followed it."""
    return found is None or (found.id != seen.id and found.record.seq <= seen.record.seq)
