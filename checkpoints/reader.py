"""Reading a line: every record verified, the last good state kept when one is not.

A process that serves predictions must neither stop nor change its mind because somebody wrote to
Redis. So a head, a pin or a command that does not verify is reported and not obeyed, and neither
is an older one put back in the place of a newer.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from checkpoints.control import Control, open_control
from checkpoints.errors import (
    CheckpointCorrupt,
    CheckpointError,
    NoSuchVersion,
    StoreUnavailable,
    Tampered,
    TooLarge,
)
from checkpoints.line import Line
from checkpoints.manifest import Version, open_version
from checkpoints.segments import unpack
from checkpoints.signing import Verifier
from checkpoints.store import Beat, Position, Store

__all__ = ["LineReader", "LineState"]

T = TypeVar("T")

_SEGMENT_BYTES_MAX = 4 << 30  # of one segment, unpacked; the model file's limit is far below
_CACHED = 64  # versions remembered by id; their signatures need no second look
_LOOKS_MAX = 5  # between a look at the head's id and the fetch of its record it may move


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """Where a line stands, as far as it can be believed.

    Attributes:
        head: The newest version that verified; None before the first commit.
        control: The operators' standing orders; None before the first command.
        serving: What is to answer predictions: the pinned version, else the head. None if a pin
            names what cannot be read and nothing was served before.
        learner: The live learner's newest heartbeat, unsigned.
        problems: What was found and not obeyed, in the words for the operator.
    """

    head: Version | None
    control: Control | None
    serving: Version | None
    learner: Beat | None = None
    problems: tuple[CheckpointError, ...] = ()

    @property
    def is_frozen(self) -> bool:
        """Whether operators have ordered the learner to stand still."""
        return self.control is not None and self.control.record.frozen

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

    def at(self, position: Position) -> LineState:
        """The state at `position`, which one `poll` has read for several lines at once."""
        problems: list[CheckpointError] = []
        self._head = self._kept(self._head, lambda: self._new_head(position), problems)
        self._control = self._kept(self._control, lambda: self._new_control(position), problems)
        self._serving = self._kept(self._serving, self._to_serve, problems)
        self._refused |= {str(problem) for problem in problems}
        return LineState(
            head=self._head,
            control=self._control,
            serving=self._serving,
            learner=position.learner,
            problems=tuple(problems),
        )

    def _kept(self, last: T, read: Callable[[], T], problems: list[CheckpointError]) -> T:
        """What `read` finds, or the last good one and a problem."""
        try:
            return read()
        except StoreUnavailable:
            raise
        except CheckpointError as problem:
            problems.append(problem)
            return last

    def _new_head(self, position: Position) -> Version | None:
        seen = self._head
        if seen is not None and position.head == seen.id:
            return seen
        found = self._fetch_head(position.head)
        if seen is not None and (found is None or found.number < seen.number):
            now = found.manifest.name if found else "nothing"
            raise Tampered(
                f"{self._line} head",
                f"{now} stands where {seen.manifest.name} stood: the store was emptied, has lost "
                "commits in a failover, or somebody put an old version back",
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

    def _new_control(self, position: Position) -> Control | None:
        seen = self._control
        if seen is not None and position.control == seen.id:
            return seen
        envelope = self._store.control(self._line) if position.control else None
        found = open_control(envelope, self._verifier, self._line) if envelope else None
        if seen is None or (found is not None and found.id == seen.id):
            return found
        if found is None or found.record.seq <= seen.record.seq:
            now = f"command {found.record.seq}" if found else "no command"
            raise Tampered(f"{self._line} control", f"{now} stands where {seen.record.seq} stood")
        return found

    def _to_serve(self) -> Version | None:
        pin = self._control.record.pin if self._control else None
        if pin is None:
            return self._head
        version = self.version_by_id(pin.id)
        if version.number != pin.number:
            raise Tampered(f"{self._line} pin", f"v{pin.number} is pinned by the id of {version}")
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

    def versions(self, *, limit: int, before: int | None = None) -> list[Version]:
        """Kept versions, newest first, with numbers below `before`; each verified.

        Raises:
            CheckpointError: One does not verify, or they are out of order.
        """
        envelopes = self._store.versions(self._line, limit=limit, before=before)
        found = [open_version(one, self._verifier, self._line) for one in envelopes]
        self._refuse_disorder([version.number for version in found], before, "versions")
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
        self, version: Version, names: Collection[str] | None = None
    ) -> dict[str, bytes]:
        """The raw bytes of a version's segments, each checked against length and hash.

        Args:
            names: Only these, where the version has them; None for all.

        Raises:
            TooLarge: Over the limit; nothing was fetched.
            CheckpointCorrupt: Missing, cut short or altered.
        """
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
        return {
            name: unpack(ref, self._store.get_segment(self._line, ref), where=f"{version} {name}")
            for name, ref in wanted.items()
        }
