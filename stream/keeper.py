"""`weir learn`: keeps one source and one learner at work, and starts them again from the head.

The keeper has imported everything and does nothing: a process that dies is forked anew without the
two seconds that River's import takes. Source and learner live and die together: what one of them
knows that the other does not is at most what is not committed, and the head says where to go on.

    state      what is done                       what moves it on
    alive      both are forked, then heard and    one has ended, or hangs: over. SIGTERM: stopping
               watched
    over       both are killed, and the failure   a restart may mend it: pausing. It cannot, or one
               is counted                         hung: ended, with the code of its last words
    pausing    nothing; a lasting failure is      the pause is over: alive, from the head. SIGTERM:
               beaten as `failing`                ended, with 0
    stopping   the learner commits, both end      both have ended, or 10 s have passed: ended, with
                                                  0. A second signal: ended at once, with 130

If the keeper dies in any of them the kernel kills both, and a version's maker with the learner. The
lease runs out by itself, and what the head does not hold is learned again from the log.
"""

import contextlib
import faulthandler
import gc
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from checkpoints.errors import StoreUnavailable
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from checkpoints.stores.setup import SetupFinding
from config.files import NoRoomError
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from config.processes.progress import Progress
from config.processes.roll_call import write_parts
from config.settings import Settings
from stream.between.messages import Channel, Failed, LastWords, Raised, pair
from stream.between.shared_numbers import SharedNumbers
from stream.between.suspects import Suspects
from stream.commit.version_numbers import VersionNumbers, numbers_of
from stream.errors import StreamError
from stream.exits import AGAIN, AGAIN_LATER, DONE, ORPHANED
from stream.learning.process import LearnerProcess
from stream.source.heartbeat import Status, Trouble
from stream.source.process import LearnOptions, SourceProcess

__all__ = ["Keeper", "LearnOptions"]

log = logging.getLogger(__name__)

HUNG_EXIT_CODE = 70
INTERRUPTED = 130
_LOOK_S = 0.25
_PRINT_STACKS = signal.SIGUSR1
_LAST_WORDS_S = 0.5
_BACK_OFF_S = 0.5
_BACK_OFF_MAX_S = 10.0
_PAUSE_LOOK_S = 0.05
_PAUSE_BEAT_S = 1.0
# So many lives in a row may end at once without a version: operators may order in quick succession.
_AGAIN_MAX = 20
# How long a stop may wait for a store or a log that does not answer; what is not committed is
# learned again from the log.
_STOP_LIMIT_S = 10.0


class LearnerEndedError(StreamError):
    """A process of the learner ended for good; its own words, and its code."""

    def __init__(self, words: LastWords) -> None:
        super().__init__(words.what)
        self.exit_code = words.exit_code


@dataclass(slots=True)
class _Part:
    """The source or the learner, as the keeper sees it: alive until its channel closes."""

    name: str
    pid: int
    channel: Channel
    code: int | None = None
    last_words: LastWords | None = None
    failure: str | None = None
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.pid)

    def stands_still(self, limit_s: float) -> bool:
        """Whether it has done nothing at all for so long: a slow start does something."""
        return self.progress.still_s(said=0) > limit_s

    def say_where_it_stands(self) -> None:
        """Have it print every stack, which it can in the midst of a call; wake it for that."""
        os.kill(self.pid, _PRINT_STACKS)
        os.kill(self.pid, signal.SIGCONT)
        time.sleep(_LAST_WORDS_S)

    def kill(self) -> None:
        """End it and all that it has started."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.code = ended(self.pid, wait=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.channel.close()


@dataclass(slots=True)
class Keeper:
    """Everything that learns one model line.

    Args:
        open_store: A new connection to the store; each process has its own.
        check_store: How the store is set up; raises StoreForbidden where we lack a right.
    """

    settings: Settings
    line: Line
    model_file: ModelFile
    options: LearnOptions
    open_store: Callable[[], Store]
    keys: Keys
    check_store: Callable[[], Sequence[SetupFinding]]
    suspects: Suspects = field(default_factory=Suspects)
    trouble: Trouble = field(default_factory=Trouble)
    numbers: VersionNumbers = field(init=False)
    _board: SharedNumbers = field(default_factory=SharedNumbers)
    _stopped_at: float | None = None
    _is_full: bool = False  # the disk, when our processes were named
    _failure: str | None = None

    def __post_init__(self) -> None:
        self.numbers = numbers_of(self.settings, self.model_file.name)

    @property
    def _holder(self) -> str:
        return self.settings.learner.name or f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> int:
        """Learn until SIGTERM; the exit code.

        Raises:
            LearnerEndedError: What an operator has to mend; it carries its exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        faulthandler.enable()
        faulthandler.register(_PRINT_STACKS)
        gc.freeze()
        failures, is_first = 0, True
        while self._stopped_at is None:
            code = self._live(is_first=is_first)
            if code == DONE or self._stopped_at is not None:
                break
            if code not in {AGAIN, AGAIN_LATER} and code >= 0:
                return code
            is_first = False
            self.numbers.note(self._board.highest)
            has_version = self._board.committed > 0
            failures = 0 if has_version else failures + 1
            self._count_failure(has_version=has_version)
            self._pause(_pause_s(code, failures))
        return 0

    def _count_failure(self, *, has_version: bool) -> None:
        """What ended this life is trouble, unless it was an order."""
        if self._failure is None:
            self.trouble = Trouble()
        else:
            self.trouble = (Trouble() if has_version else self.trouble).added(self._failure)

    def _stop(self) -> None:
        if self._stopped_at is not None:
            # Safe by design: what is not committed is learned again. Our processes die with us.
            os._exit(INTERRUPTED)
        self._stopped_at = time.monotonic()
        self._board.stop = True

    def _pause(self, seconds: float) -> None:
        deadline, beat_at = time.monotonic() + seconds, time.monotonic()
        while self._stopped_at is None and time.monotonic() < deadline:
            if self.trouble.is_lasting and time.monotonic() >= beat_at:
                beat_at += _PAUSE_BEAT_S
                self._beat_as_failing()
            time.sleep(_PAUSE_LOOK_S)

    def _beat_as_failing(self) -> None:
        """Between two lives nobody else does, and it would seem to have been stopped."""
        try:
            with closing(self.open_store()) as store:
                Status(self._board, trouble=self.trouble).send(store, self.line, self._holder)
        except StoreUnavailable as error:
            log.warning("model %s: its trouble is not told: %s", self.model_file.name, error)

    def _live(self, *, is_first: bool) -> int:
        """Fork both processes, and see them to their end; the code that tells what to do next."""
        board, before = SharedNumbers(), self._board
        board.control_seq = before.control_seq
        board.stop = self._stopped_at is not None
        self._board = board
        parts = self._forked(board, is_first=is_first)
        try:
            self._tell_pids(parts)
            return self._see_to_the_end(parts, board)
        finally:
            for part in parts:
                part.kill()
            self._failure = next((p.failure for p in reversed(parts) if p.failure), None)

    def _forked(self, board: SharedNumbers, *, is_first: bool) -> tuple[_Part, _Part]:
        to_learner, to_source = pair()
        source_keeper, source_end = pair()
        learner_keeper, learner_end = pair()

        def feed() -> int:
            for end in (to_source, source_keeper, learner_keeper, learner_end):
                end.close()
            return SourceProcess(
                settings=self.settings,
                line=self.line,
                model_file=self.model_file,
                options=self.options,
                keys=self.keys,
                open_store=self.open_store,
                check_store=self.check_store,
                board=board,
                channel=to_learner,
                keeper=source_end,
                trouble=self.trouble,
                holder=self._holder,
                highest=self.numbers.highest,
                wait_limit_s=self.settings.learner.start_wait_seconds if is_first else None,
            ).run()

        def learn() -> int:
            for end in (to_learner, source_keeper, source_end, learner_keeper):
                end.close()
            return LearnerProcess(
                settings=self.settings,
                line=self.line,
                model_file=self.model_file,
                keys=self.keys,
                open_store=self.open_store,
                board=board,
                channel=to_source,
                keeper=learner_end,
                suspects=self.suspects,
                numbers=self.numbers,
            ).run()

        parts = (
            _Part("source", fork(feed, leads=True), source_keeper),
            _Part("learner", fork(learn, leads=True), learner_keeper),
        )
        for end in (to_learner, to_source, source_end, learner_end):
            end.close()
        return parts

    def _see_to_the_end(self, parts: tuple[_Part, _Part], board: SharedNumbers) -> int:
        """The code of the process whose end tells most."""
        source, learner = parts
        looked_at = time.monotonic()
        while True:
            alive = [part for part in parts if part.code is None]
            if self._is_full:
                self._tell_pids(parts)
            select.select([part.channel for part in alive], [], [], _LOOK_S)
            for part in alive:
                self._hear(part)
            codes = source.code, learner.code
            if codes == (DONE, DONE):
                return DONE
            if any(code not in {None, DONE, ORPHANED} for code in codes) or None not in codes:
                return self._verdict(parts)
            now = time.monotonic()
            # After a pause of all processes the ticks are old, and tell nothing yet.
            if now - looked_at < 2 * _LOOK_S:
                self._end_the_hung(alive, board)
            looked_at = now
            if self._stopped_at is not None and now - self._stopped_at > _STOP_LIMIT_S:
                log.warning("%s: not committed within %.0f s; what is missing is learned again",
                            self.model_file.name, _STOP_LIMIT_S)  # fmt: skip
                return DONE

    def _hear(self, part: _Part) -> None:
        """What a process says to us, and whether it has ended.

        Asked from the kernel, too: what a learner has started may hold its channel open.
        """
        code = ended(part.pid, wait=False)
        try:
            messages = part.channel.receive()
        except ChannelClosedError:
            part.code = ended(part.pid, wait=True) if code is None else code
            return
        part.code = code
        for message in messages:
            match message:
                case Raised():
                    part.failure = self.suspects.add(self.model_file.name, message)
                case Failed():
                    part.failure = message.what
                case LastWords():
                    part.last_words = message

    def _verdict(self, parts: tuple[_Part, _Part]) -> int:
        for part in parts:
            if part.last_words is not None and self._stopped_at is None:
                raise LearnerEndedError(part.last_words)
        telling = [part for part in parts if part.code not in {None, DONE, ORPHANED}]
        if not telling:
            return AGAIN
        part = telling[0]
        assert part.code is not None, "it has ended"
        if part.code < 0:
            how = signal.Signals(-part.code).name
            part.failure = f"{part.name}:{self.model_file.name} was ended by {how}"
            log.warning("%s: both start again from the head", part.failure)
        return part.code

    def _end_the_hung(self, alive: list[_Part], board: SharedNumbers) -> None:
        """End a process whose loop no longer turns: some hangs raise nothing anywhere.

        Before its loop turns it may be slow, to build or restore a model: then it is ended only
        when it does nothing at all. The Kafka client has had hangs (dpkp/kafka-python #3121). The
        supervisor starts a program that ended with 70 again, and the head says where to go on.
        """
        quiet, limit_s = board.quiet_s(), self.settings.learner.watchdog_seconds
        for part in alive:
            if quiet[part.name] <= limit_s:
                continue
            if board.has_begun(part.name) or part.stands_still(limit_s):
                log.critical("the %s's loop has not turned for %.0f s: ending with %d",
                             part.name, quiet[part.name], HUNG_EXIT_CODE)  # fmt: skip
                part.say_where_it_stands()
                part.kill()
                part.last_words = LastWords(f"the {part.name} hung", HUNG_EXIT_CODE)

    def _tell_pids(self, parts: tuple[_Part, _Part]) -> None:
        """For whoever started us: which processes are ours."""
        path = self.settings.learner.pids_file
        if path is None:
            return
        try:
            write_parts(path, {f"{part.name}:{self.model_file.name}": part.pid for part in parts})
        except (
            NoRoomError
        ) as error:  # they are not named until there is room; they work all the same
            if not self._is_full:
                log.warning("%s", error)
            self._is_full = True
        else:
            self._is_full = False


def _pause_s(code: int, failures: int) -> float:
    """Seconds before the next life: none as a rule, ever more while none makes a version.

    Args:
        code: How the last one ended.
        failures: Lives in a row, up to that one, in which no version was made.

    >>> [_pause_s(-9, n) for n in (0, 1, 2, 3, 9)], _pause_s(AGAIN, 9), _pause_s(AGAIN_LATER, 0)
    ([0.0, 0.0, 0.5, 1.0, 10.0], 0.0, 0.5)
    """
    if code == AGAIN:
        return 0.0 if failures < _AGAIN_MAX else _BACK_OFF_S
    doubled = min(_BACK_OFF_S * 2.0 ** max(0, failures - 2), _BACK_OFF_MAX_S)
    return 0.0 if code < 0 and failures < 2 else doubled
