"""The learner's only loop: takes batches, learns, and has a version made when one is due.

One worker lives as long as its fencing token. Between two batches it reads the shared numbers and
what the source sent; a commit is made beside it, by a process of its own (`commit/committer.py`).

    state      what is done                        what moves it on
    learning   a batch is taken, learned, told     freeze ordered: freezing. Stop: stopping. Too
                                                   much uncommitted: full. The learner raised, the
                                                   head moved, the source is gone: ended
    (a rewind learns like any line, on its candidate; caught up, it commits to the line itself)
    full       nothing is taken                    the commit under way is adopted: learning
    freezing   what was learned is committed       all is committed: frozen
    frozen     nothing is taken                    thaw ordered: learning. Stop: stopping
    stopping   what was learned is committed       all is committed: done
    ended      the trainer is thrown away          the keeper forks the next one

If the process dies in any of them, what the head does not hold is learned again from the log, once:
the head's offsets say where. A freeze is in force in `frozen` alone.
"""

import logging
import select
import time
from collections import deque

from checkpoints.records.manifest import Version
from config.model_file import ModelFile
from learner.events.examples import Examples
from learner.trainer import Trainer
from learner.values import Refusal
from stream.between.bell import HasFileno
from stream.between.messages import (
    Batch,
    CaughtUp,
    Channel,
    Cleared,
    Message,
    NewPartition,
    Passed,
    Took,
    decode,
    is_taken_in_turn,
)
from stream.between.positions import RUNS_MAX, Positions
from stream.between.shared_numbers import SharedNumbers
from stream.between.suspects import LogPosition, Suspects
from stream.commit.cadence import Fallow
from stream.commit.committer import Committer, Target
from stream.commit.protocol import SnapshotFailedError
from stream.learning.careful import take_carefully
from stream.learning.memory_limit import check_memory

log = logging.getLogger(__name__)

# So many of a version's records that raised are named in it: it is signed, and of bounded size.
LEARN_ERRORS_MAX = 1_000

# What is to be seen at once wakes the loop, but for the clock.
_WAIT_S = 0.05
_IDLE_WAIT_S = 1.0
# After a second failure in a row: what cannot be written down now will hardly be able to soon.
_SNAPSHOT_RETRY_S = 10.0


class LearningLoop:
    """Learns one line under one token.

    Args:
        model_file: Its cadence.
        trainer: Restored from the head, or new.
        positions: Those of the head, or where the line begins.
        channel: Batches come from it; what became of them goes back.
        suspects: How many records are tried by a copy before they are learned.
        uncommitted_max: Records at which learning waits for a commit: what a crash has to learn
            again.
        memory_max: Bytes that the learner may hold.
        adopted: Sections of the model file that changed: a reason for a commit.
        takes_over: Of a rewind: where its versions go when it has caught up.
        commits_first: A version is made before anything is learned, as of a line that begins.
    """

    def __init__(
        self,
        model_file: ModelFile,
        *,
        trainer: Trainer,
        positions: Positions,
        committer: Committer,
        channel: Channel,
        board: SharedNumbers,
        suspects: Suspects,
        uncommitted_max: int,
        memory_max: int,
        adopted: tuple[str, ...] = (),
        takes_over: Target | None = None,
        commits_first: bool = False,
    ) -> None:
        self._takes_over, self._commits_first = takes_over, commits_first
        self._trainer, self._positions = trainer, positions
        self._committer, self._channel, self._board = committer, channel, board
        self._suspects, self._to_be_tried, self._adopted = suspects, suspects.records, adopted
        self._name, self._every_s = model_file.name, model_file.checkpoint.every_seconds
        self._fallow = Fallow(self._every_s, trainer.tally.learned)
        self._uncommitted_max, self._memory_max = uncommitted_max, memory_max
        self._due_at = time.monotonic() + self._every_s
        self._batches: deque[bytes] = deque()
        self._learn_errors: list[LogPosition] = []
        self._cut_records = self._cut_errors = self._failures = 0
        self._cut_at = 0.0

    def run(self) -> None:
        """Learn until told to stop; all is committed then.

        Raises:
            LearnFailedError: The learner raised; the trainer is dirty.
            UnlearnableError: It raises on each of its first events.
            CommitEndedError, CommitLostError, SnapshotFailedError: See `Committer.look`.
        MemoryLimitError: The learner has grown beyond its limit.
            ChannelClosedError: The source is gone.
        """
        if self._committer.head is None or self._adopted or self._commits_first:
            self._commit()
            self._settle()
        while not self._board.stop:
            self._board.tick_learner()
            # In this order: the source writes them in the other one.
            seq = self._board.control_seq
            if self._board.frozen:
                self._stay_frozen(seq)
                continue
            self._obeys(seq, is_frozen=False)
            if not self._batches:
                self._wait(_WAIT_S if self._positions.has_moved else _IDLE_WAIT_S)
            elif self._committer.is_busy:
                self._wait(0.0)
            if self._batches:
                self._take(decode(self._batches.popleft()))
            self._keep_up()
        self._commit_what_is_new()
        self._settle()

    def _wait(self, timeout_s: float) -> None:
        """See what has come, from the source and from a commit being made."""
        beside = self._committer.channel
        bell = self._board.learner_bell
        waited_for: list[HasFileno] = [self._channel, bell, *filter(None, [beside])]
        ready, _, _ = select.select(waited_for, [], [], timeout_s)
        if bell in ready:
            bell.hush()
        if self._channel in ready:
            for payload in self._channel.payloads():
                if is_taken_in_turn(payload):
                    self._batches.append(payload)
                else:
                    self._hear(decode(payload))
        self._look()

    def _hear(self, message: Message) -> None:
        assert isinstance(message, Cleared), f"the source said {message}"
        self._committer.cleared(message)

    def _take(self, message: Message) -> None:
        match message:
            case Batch():
                self._learn(message)
            case NewPartition(topic, partition, first):
                self._positions.add_partition((topic, partition), first)
            case CaughtUp():
                self._take_over()
            case Passed(topic, partition, following):
                self._positions.passed((topic, partition), following)
            case _:
                raise AssertionError(f"{message} has no turn")

    def _take_over(self) -> None:
        """A rewind has replayed everything: its next version is the line's head."""
        assert self._takes_over is not None, "no rewind is under way"
        self._settle()
        self._committer.aim(self._takes_over)
        self._commit()
        self._settle()

    def _leave_out(self, batch: Batch) -> None:
        key = (batch.examples.topic, batch.examples.partition)
        self._positions.leave_out(key, batch.first, batch.anchor, batch.count)
        self._channel.send(Took(0, [], []))

    def _learn(self, batch: Batch) -> None:
        if batch.is_left_out:
            self._leave_out(batch)
            return
        examples = batch.examples
        detected, learned = self._trainer.drifts.total, self._trainer.tally.learned
        if self._to_be_tried:
            refused, seconds = self._take_carefully(examples)
        else:
            started = time.monotonic()
            refused = self._trainer.take(examples)
            seconds = time.monotonic() - started
        self._trainer.refuse(batch.refused)
        told = [(place, str(r.reason), r.detail, r.stage, r.mend) for place, r in refused]
        took = Took(
            self._trainer.tally.learned - learned,
            told,
            self._drifted(detected),
            seconds,
        )
        self._took(batch, took)

    def _took(self, batch: Batch, took: Took) -> None:
        key = (batch.examples.topic, batch.examples.partition)
        self._positions.took(key, batch.first, batch.anchor)
        self._board.uncommitted += batch.count
        self._channel.send(took)

    def _take_carefully(self, examples: Examples) -> tuple[list[tuple[int, Refusal]], float]:
        """Tried by a copy first, for some time after the learner raised; refusals, seconds."""
        done = take_carefully(self._trainer, examples)
        self._to_be_tried = max(0, self._to_be_tried - len(examples.xs))
        if done.raised:
            self._to_be_tried = self._suspects.records
            room = LEARN_ERRORS_MAX - len(self._learn_errors)
            at = examples.topic, examples.partition
            self._learn_errors += [(*at, examples.offsets[n]) for n in done.raised[:room]]
        elif not self._to_be_tried:
            log.info("model %s: learning goes on untried", self._name)
        return done.refused, done.seconds

    def _drifted(self, detected_before: int) -> list[tuple[str, str]]:
        """Detector and direction of each detection since, oldest first."""
        count = self._trainer.drifts.total - detected_before
        found = self._trainer.drifts.items[:count] if count else ()
        for detection in reversed(found):
            log.info(
                "%(model)s: drift: %(detector)s on %(on)s at event %(index)d (%(topic)s-"
                "%(partition)d-%(offset)d): %(direction)s, %(before).4g to %(after).4g",
                {**detection, "model": self._name},
            )
        return [(each["detector"], each["direction"]) for each in reversed(found)]

    def _keep_up(self) -> None:
        """What is due by the clock, between two batches."""
        is_full = self._board.uncommitted >= self._uncommitted_max
        if self._committer.is_busy:
            if is_full:
                self._settle()
        elif self._is_due or is_full:
            self._commit_what_is_new()

    @property
    def _is_due(self) -> bool:
        """Whether to commit now: earlier where many runs must be told, later after a failure, and
        where nothing was learned.
        """
        has_many_runs = len(self._positions.runs) >= RUNS_MAX and not self._failures
        due_at = self._due_at + self._fallow.wait_s(self._trainer.tally.learned)
        return time.monotonic() >= due_at or has_many_runs

    def _stay_frozen(self, seq: int) -> None:
        """Commit what was learned, then consume nothing until thawed.

        The order is in force once all is committed, and not before.
        """
        self._settle()
        if self._positions.has_moved and (self._is_due or not self._failures):
            self._commit()
            self._settle()
        if not self._positions.has_moved:
            self._obeys(seq, is_frozen=True)
        self._wait(_WAIT_S if self._positions.has_moved else _IDLE_WAIT_S)

    def _obeys(self, seq: int, *, is_frozen: bool) -> None:
        """The orders up to this one are in force; the source tells it."""
        board = self._board
        if (board.is_frozen, board.obeyed_seq) != (is_frozen, seq):
            board.is_frozen = is_frozen
            board.obeyed_seq = seq
            board.source_bell.ring()

    def _commit_what_is_new(self) -> None:
        if self._positions.has_moved:
            self._settle()
            self._commit()
        else:
            self._due_at = time.monotonic() + self._every_s

    def _commit(self) -> None:
        self._cut_at = time.monotonic()
        try:
            self._committer.begin(
                self._trainer,
                self._positions,
                control_seq=self._board.obeyed_seq,
                released=self._board.released,
                learn_errors=tuple(self._learn_errors),
                adopted=self._adopted,
            )
        except SnapshotFailedError as error:
            self._put_off(error)
            return
        self._cut_records, self._cut_errors = self._board.uncommitted, len(self._learn_errors)

    def _settle(self) -> None:
        """Wait until no commit is under way."""
        while self._committer.is_busy:
            self._board.tick_learner()
            self._wait(_WAIT_S)

    def _look(self) -> None:
        """See how a commit goes that is being made."""
        try:
            version = self._committer.look(self._positions)
        except SnapshotFailedError as error:
            self._put_off(error)
        else:
            if version is not None:
                self._committed(version)

    def _committed(self, version: Version) -> None:
        self._board.uncommitted -= self._cut_records
        self._board.committed = version.number
        del self._learn_errors[: self._cut_errors]
        self._adopted, self._failures = (), 0
        self._fallow.committed(version.manifest.counts.learned)
        self._due_at = self._cut_at + self._committer.interval_s
        check_memory(self._memory_max, version.manifest)

    def _put_off(self, error: SnapshotFailedError) -> None:
        """A snapshot that fails does not stop learning, up to what a crash may cost."""
        uncommitted = self._board.uncommitted
        if self._committer.head is None or uncommitted >= self._uncommitted_max:
            raise error
        log.error("%s; learning goes on, %d records uncommitted", error, uncommitted)
        self._failures += 1
        retry_s = self._every_s if self._failures == 1 else _SNAPSHOT_RETRY_S
        self._due_at = time.monotonic() + max(self._every_s, retry_s)
