"""The learner's side of a commit: forks the process that makes it, and adopts what came of it.

One at a time. Between the records the learner passes on what the process announces, and what the
source clears. The steps C1 to C7 are those of `protocol.py`.

    state      reached by                          if the maker dies          if the learner dies
    idle       adopted, or given up                -                          the head stands
    writing    C1: `begin` has forked the maker    the runs go back, the      the head stands, the
                                                   next one is made           segments are orphans
    announced  C5: the maker waits for the source  as in writing              as in writing
    cleared    C5: the source's word is passed on  nobody knows whether the   it is the old one or
                                                   head moved: restore it     the new one
    (adopted)  C7: the head is the new version     -                          it is the new one

A maker that is silent for too long is killed, which is its death. A line without a head has nothing
to go back to: where its first maker is killed, the line begins once more.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from checkpoints.records.line import Line
from checkpoints.records.manifest import Origin, Version, open_version
from checkpoints.records.replay import Replay
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from learner.trainer import Trainer
from stream.between.messages import (
    Announced,
    Channel,
    Cleared,
    CommitFailed,
    Committed,
    Message,
    pair,
)
from stream.between.positions import Positions
from stream.between.suspects import LogPosition
from stream.commit.cadence import Cadence, coreless_s, lost_s
from stream.commit.host_budget import Cores, HostBudget, cost_s
from stream.commit.protocol import Cut, Replaying, SnapshotFailedError, VersionMaker
from stream.errors import StreamError

# A version that takes longer to be written down than this will never be.
_WRITING_MAX_S = 300.0
# After that its process is heard of every few seconds, also while the store is away.
_SILENT_MAX_S = 60.0
# Lets the learner and the source go first, where there is no core for all three.
_NICENESS = 5


def _replay(
    runs: list[list[Any]], left_out: list[list[Any]], raised: tuple[LogPosition, ...]
) -> Replay:
    return Replay(
        runs=tuple(tuple(run) for run in runs),
        skipped=tuple(tuple(each) for each in left_out),
        raised=raised,
    )


class CommitEndedError(StreamError):
    """A version could not be made, and the learner cannot go on from where it is.

    Attributes:
        outcome: Why, as the metric has it.
        exit_code: What the program would end with.
    """

    def __init__(self, failed: CommitFailed) -> None:
        super().__init__(failed.what)
        self.outcome, self.exit_code = failed.outcome, failed.exit_code


class CommitLostError(StreamError):
    """The process that made a version died when the head may have moved, or before there was one:
    restore the head, or begin once more.
    """

    def __init__(self, line: Line, code: int | None) -> None:
        super().__init__(f"{line}: the commit's own process ended with {code}; restoring the head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where versions go.

    Attributes:
        line: Whose versions they are.
        token: The fencing token.
        head: The verified head, None for a line that begins.
        highest: The highest number that anyone remembers; numbers begin above it.
        note_number: Told each number before it is used.
    """

    line: Line
    token: str
    head: Version | None
    highest: int
    note_number: Callable[[int], None]


class Committer:
    """Makes versions of one line, under one fencing token.

    Args:
        open_store: Makes the forked process's own connection.
        keys: The learner key signs; what comes back is verified.
        model_file: Its sections go into each manifest.
        target: Where the versions go.
        tell: Sends a message to the source.
        forgotten: Events that rollbacks had made the model forget.
        answers: Answers that were only scored, up to where this learner goes on.
        origin: Of an exported version, where it goes on from one.
        replaying: Of a rewind, whose versions are the candidate's until it takes over.
        obeyed: The order that is carried out: all versions of the line come after it.
        budget: What versions cost the host; None: nobody asks.
        place: Ours in it.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        keys: Keys,
        model_file: ModelFile,
        *,
        target: Target,
        tell: Callable[[Message], None],
        forgotten: int = 0,
        answers: int = 0,
        origin: Origin | UnsetType = UNSET,
        replaying: Replaying | None = None,
        obeyed: int = 0,
        budget: HostBudget | None = None,
        place: int = 0,
    ) -> None:
        self._budget, self._place, self._cores = budget, place, Cores()
        self._open_store, self._keys = open_store, keys
        self._model_file, self._tell = model_file, tell
        self._answers, self._origin, self._carried_out = answers, origin, obeyed
        self._forgotten, self._replaying, self._replayed = forgotten, replaying, replaying
        self.aim(target)
        self._cadence = Cadence(model_file.checkpoint.every_seconds)
        self._pid: int | None = None
        self._leaving: list[int] = []
        self._channel: Channel | None = None
        self._silent_at = 0.0
        self._stall_s = self._spent_s = 0.0  # of this version: by the clock, and of a core
        self._coreless_at: float | None = None
        self._cut: tuple[list[list[Any]], list[list[Any]]] = ([], [])
        self._announced: str | None = None
        self._is_cleared = self._is_given_up = False

    def aim(self, target: Target) -> None:
        """Have the versions to come go there; none is being made."""
        head = target.head
        self._line, self._token, self._note_number = target.line, target.token, target.note_number
        self._highest = max(target.highest, head.number if head else 0)
        self.head = head

    def _obeyed(self, control_seq: int) -> int:
        """The newest command that a version obeys; for a candidate there are none."""
        if self._line.is_candidate:
            return 0
        seen = self.head.manifest.orders_seen if self.head else 0
        return max(control_seq, seen, self._carried_out)

    @property
    def is_busy(self) -> bool:
        """Whether a version is being made."""
        return self._pid is not None

    @property
    def interval_s(self) -> float:
        """From the last cut to the next, in seconds."""
        return self._cadence.interval_s

    @property
    def channel(self) -> Channel | None:
        """What a busy committer waits for; for `select`."""
        return self._channel

    def begin(
        self,
        trainer: Trainer,
        positions: Positions,
        *,
        control_seq: int,
        released: int = 0,
        learn_errors: tuple[LogPosition, ...] = (),
        adopted: tuple[str, ...] = (),
    ) -> None:
        """Cut the trainer's state at these positions, and have a version made of it.

        Args:
            control_seq: The newest command obeyed.
            released: The number of the version that was let through the publish gate last.

        Raises:
            SnapshotFailedError: The system gives no process for it; nothing has changed.
        """
        assert not self.is_busy, "one commit at a time"
        started, began_s = time.monotonic(), time.thread_time()
        runs, left_out = self._cut = positions.cut()
        if self._replaying is not None:
            self._replayed = self._replaying.then(_replay(runs, left_out, learn_errors))
        cut = Cut(
            head=self.head,
            number=self._highest + 1,
            token=self._token,
            created_at_ms=int(time.time() * 1000),
            runs=runs,
            skipped=positions.skipped,
            forgotten=self._forgotten,
            answers=self._answers,
            origin=self._origin,
            replaying=self._replayed,
            learn_errors=learn_errors,
            adopted=adopted,
            control_seq=self._obeyed(control_seq),
            released=released,
        )
        self._note_number(cut.number)
        if not self._line.is_candidate:
            trainer.drifts.settle(f"v{cut.number}")
        trainer.seal()
        ours, theirs = pair()

        def work() -> int:
            ours.close()
            os.nice(_NICENESS)
            store, signer = self._open_store(), self._keys.signer("learner")
            maker = VersionMaker(store, signer, self._line, self._model_file, theirs)
            return maker.make(trainer, positions, cut)

        try:
            self._pid = fork(work)  # C1
        except OSError as error:  # no memory or no process left: the learner itself is unharmed
            ours.close()
            positions.uncut(self._cut)
            raise SnapshotFailedError(f"{self._line} v{cut.number}", error) from error
        finally:
            theirs.close()
        self._channel = ours
        self._announced, self._is_cleared, self._is_given_up = None, False, False
        now = time.monotonic()
        self._stall_s, self._silent_at = now - started, now + _WRITING_MAX_S
        self._spent_s = time.thread_time() - began_s
        self._coreless_at = coreless_s()

    def cleared(self, message: Cleared) -> None:
        """The source says that nothing stands against a version; it may be one given up since."""
        if self._channel is None or message.version_id != self._announced:
            return
        try:
            self._channel.send(message)
        except ChannelClosedError:
            return  # it never heard it: `look` finds that it is gone
        self._is_cleared = True

    def look(self, positions: Positions) -> Version | None:
        """See how the commit goes; the version, once it is the head.

        Raises:
            SnapshotFailedError: The state cannot be written down; it is unharmed, and the runs
                are back in `positions`.
            CommitEndedError: The head or the token is no longer ours, or the model is too large.
            CommitLostError: Nobody knows whether the head has moved.
        """
        if self._channel is None:
            return None
        try:
            messages = self._channel.receive()
        except ChannelClosedError:
            messages = [self._without_a_word()]
        for message in messages:
            self._silent_at = time.monotonic() + _SILENT_MAX_S
            match message:
                case Announced():
                    self._announced = message.version_id
                    self._tell(message)
                case Committed():
                    return self._adopt(message)
                case CommitFailed():
                    self._fail(message, positions)
        if time.monotonic() > self._silent_at:
            self._kill()  # its channel tells
        return None

    def _adopt(self, message: Committed) -> Version:
        started, began_s = time.monotonic(), time.thread_time()
        self._let_go()
        version = open_version(message.envelope, self._keys.verifier, self._line)
        self.head, self._highest = version, version.number  # C7
        if not self._line.is_candidate:
            self._replayed = None  # it has taken over
        self._replaying = self._replayed
        self._stall_s += time.monotonic() - started
        self._spent_s += time.thread_time() - began_s
        lost = lost_s(self._coreless_at, message.work_s)
        host_s = self._paid(cost_s(self._spent_s, message.work_s))
        self._cadence.cost(spent_s=self._spent_s, lost_s=lost, host_s=host_s)
        self._tell(
            Committed(
                message.envelope, self._stall_s, message.work_s, self.interval_s,
                is_candidate=self._line.is_candidate,
            )
        )  # fmt: skip
        return version

    def _paid(self, seconds: float) -> float:
        """Tell what the version has cost the host; the least interval that its cores allow now."""
        if self._budget is None:
            return 0.0
        self._budget.paid(self._place, seconds)
        return self._budget.interval_s(is_short=self._cores.were_short())

    def _fail(self, message: CommitFailed, positions: Positions) -> None:
        self._reap()
        self._tell(message)
        if message.outcome == "snapshot_failed":
            positions.uncut(self._cut)
            raise SnapshotFailedError(f"{self._line} v{self._highest + 1}", message.what)
        raise CommitEndedError(message)

    def _without_a_word(self) -> CommitFailed:
        """The process is gone and did not say how it went.

        Where somebody else has killed it, learning goes on and the next one is made; a line that
        begins, which has to have a version first, begins once more.
        """
        assert self._pid is not None, "it was asked for its channel"
        code = ended(self._pid, wait=True)
        self._pid = None
        was_killed = code is not None and code < 0 and not self._is_given_up
        if self._is_cleared or (self.head is None and was_killed):
            self._reap()
            raise CommitLostError(self._line, code)
        return self._never_written(f"its process ended with {code}")

    def _never_written(self, why: str) -> CommitFailed:
        return CommitFailed("snapshot_failed", why, SnapshotFailedError.exit_code)

    def _kill(self) -> None:
        assert self._pid is not None, "it is busy"
        self._is_given_up = True
        os.kill(self._pid, signal.SIGKILL)

    def _let_go(self) -> None:
        """The process has said its last word. What it held takes the system up to 50 ms to clear
        away, and nobody waits for that; one that is still there at the next version is ended."""
        assert self._channel is not None, "it is busy"
        assert self._pid is not None, "it is busy"
        self._channel.close()
        self._leaving = [pid for pid in self._leaving if ended(pid, wait=False) is None]
        for pid in self._leaving:
            os.kill(pid, signal.SIGKILL)
        self._leaving.append(self._pid)
        self._pid = self._channel = None

    def _reap(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._pid is not None:
            ended(self._pid, wait=True)
            self._pid = None
