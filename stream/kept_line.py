"""One model's source and learner under the keeper: forked, watched, ended, forked again.

They live and die together: what one of them knows that the other does not is at most what is not
committed, and the head says where to go on.

    state      what is done                       what moves it on
    alive      both are forked, then heard and    one has ended, or hangs: both are killed, and the
               watched                            failure is counted. A restart may mend it:
                                                  pausing. It cannot: ended
    pausing    nothing; a lasting failure is      the pause is over: alive, from the head. Stop
               told by the keeper                 ordered: ended
    stopping   the learner commits, both end      both have ended, or 10 s have passed: ended
    ended      nothing                            -

If the keeper dies in any of them the kernel kills both, and a version's maker with the learner. The
lease runs out by itself, and what the head does not hold is learned again from the log.
"""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from checkpoints.stores.setup import SetupFinding
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from config.processes.restarts import FINAL_CODES, backoff_s, how_it_ended
from config.settings import Settings
from stream.between.messages import Channel, Failed, LastWords, Raised, pair
from stream.between.shared_numbers import SharedNumbers
from stream.between.suspects import Suspects
from stream.commit.host_budget import HostBudget
from stream.commit.version_numbers import VersionNumbers, numbers_of
from stream.exits import AGAIN, AGAIN_LATER, DONE, ORPHANED
from stream.kept_part import Closes, Part
from stream.learning.process import LearnerProcess
from stream.source.process import LearnOptions, SourceProcess
from stream.source.reports.heartbeat import Status, Trouble

__all__ = ["HUNG_EXIT_CODE", "LOOK_S", "KeptLine", "LineEnd", "LineSpec"]

log = logging.getLogger(__name__)

HUNG_EXIT_CODE = 70
LOOK_S = 0.5  # between two looks where nothing else wakes the keeper
_LOOK_MAX_S = 4 * LOOK_S
_FAILING_AFTER = 2  # a start that fails once may be bad luck
_SOUND_AFTER_S = 10.0  # having lived so long, its next failure counts as its first
_BACK_OFF_S = 0.5
_BACK_OFF_MAX_S = 10.0
# So many lives in a row may end at once without a version: operators may order in quick succession.
_AGAIN_MAX = 20
# How long a stop may wait for a store or a log that does not answer; what is not committed is
# learned again from the log.
_STOP_LIMIT_S = 10.0
_CROWDED_NICENESS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """One model line to be learned, and what its processes are given.

    Attributes:
        settings: Its own: no two lines of a keeper have the same metrics port.
        open_store: A new connection to the store; each process has its own.
        check_store: How the store is set up; raises StoreForbidden where we lack a right.
    """

    settings: Settings
    line: Line
    model_file: ModelFile
    options: LearnOptions
    keys: Keys
    open_store: Callable[[], Store]
    check_store: Callable[[], Sequence[SetupFinding]]

    @property
    def name(self) -> str:
        """The model's."""
        return self.model_file.name


@dataclass(frozen=True, slots=True)
class LineEnd:
    """How a line's learner ended for good."""

    code: int
    words: str | None = None


class KeptLine:
    """Everything that learns one line, kept at work.

    Args:
        spec: What is learned.
        holder: In whose name its lease is held.
        place: Which of the keeper's lines it is.
        lines: How many the keeper keeps. What ends the only one ends the keeper, and whoever
            supervises that decides. One of several is started again by itself, unless no restart
            can mend what ended it; and they go easy on the machine that they share.
        budget: What their versions cost the host.
        inherited: What the keeper holds of all lines, which a new process must not hold.

    Attributes:
        end: How it ended for good; None: it has not.
        trouble: What ended its lives since its last version.
    """

    def __init__(
        self,
        spec: LineSpec,
        *,
        holder: str,
        place: int,
        lines: int,
        budget: HostBudget,
        inherited: Callable[[], Iterable[Closes]],
    ) -> None:
        self.spec, self._holder = spec, holder
        self._place, self._lines, self._budget = place, lines, budget
        self._inherited = inherited
        self.end: LineEnd | None = None
        self.trouble = Trouble()
        self._suspects = Suspects()
        self._numbers: VersionNumbers = numbers_of(spec.settings, spec.name)
        self._board = SharedNumbers()
        self._parts: tuple[Part, ...] = ()
        self._lives = self._failures = self._crashes = 0
        self._how = ""
        self._begin_at: float | None = None  # None: it was never begun
        self._began_at = self._looked_at = 0.0
        self._stop_by: float | None = None

    @property
    def channels(self) -> list[Channel]:
        """Readable when one of its processes has something to say, or has ended."""
        return [part.channel for part in self._parts if part.code is None]

    @property
    def held(self) -> list[Closes]:
        """What the keeper holds of it."""
        return [*self.channels, self._board] if self._parts else []

    @property
    def pids(self) -> dict[str, int]:
        """Its processes, by name."""
        return {f"{part.name}:{self.spec.name}": part.pid for part in self._parts}

    @property
    def is_begun(self) -> bool:
        """Whether it was told to begin."""
        return self._begin_at is not None

    @property
    def is_pausing(self) -> bool:
        """Whether it waits for its next life."""
        return self.is_begun and not self._parts and self.end is None

    def is_starting(self, now: float, patience_s: float) -> bool:
        """Whether its first life works its way up, and has not for `patience_s` yet."""
        if not self._parts or self._lives > 1 or now - self._began_at > patience_s:
            return False
        return not self._has_begun

    @property
    def failing(self) -> str | None:
        """How its lives have ended by a code of the program's own, again and again, and does not
        work now; None: they have not.
        """
        if self._crashes < _FAILING_AFTER or (self._parts and self._has_begun):
            return None
        return f"{self._how}, {self._crashes} times in a row"

    @property
    def _has_begun(self) -> bool:
        return self._board.has_begun("source") and self._board.has_begun("learner")

    def due_s(self, now: float) -> float:
        """Seconds until its next life; infinity where it needs none."""
        return max(0.0, (self._begin_at or 0.0) - now) if self.is_pausing else float("inf")

    def begin(self, now: float) -> None:
        """Have its first life begin at the next turn."""
        self._begin_at = now

    def stop(self, now: float) -> None:
        """Have it commit and end, within ten seconds."""
        self._stop_by = now + _STOP_LIMIT_S
        self._board.stop = True
        if self._parts:
            self._board.ring()
        else:
            self.end = self.end or LineEnd(DONE)

    def turn(self, now: float) -> None:
        """Do what is due: hear its processes, bury them, begin its next life."""
        if self._parts:
            code = self._looked(now)
            if code is not None:
                self._over(code, now)
        elif self.is_pausing and now >= (self._begin_at or 0.0):
            self._live(now)

    def kill(self) -> None:
        """End all that runs of it."""
        for part in self._parts:
            part.kill()
        if self._parts:
            self._board.close()
        self._parts = ()

    def failing_beat(self) -> None:
        """Say that it fails, or has failed for good, in the place of its source: in a process of
        its own.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        with contextlib.closing(self.spec.open_store()) as store:
            status = Status(self._board, trouble=self.trouble)
            if self.end is not None:
                what = self.end.words or f"its learner {how_it_ended(self.end.code)}"
                status = Status(self._board, state="failed", trouble=Trouble(1, what))
            status.send(store, self.spec.line, self._holder)

    # One life ------------------------------------------------------------------------------------

    def _live(self, now: float) -> None:
        """Fork both processes."""
        board = self._board if not self._lives else SharedNumbers()
        board.control_seq = self._board.control_seq
        board.tick_source()
        board.tick_learner()
        self._board = board
        self._lives, self._began_at, self._looked_at = self._lives + 1, now, now
        self._parts = self._forked(board)

    def _forked(self, board: SharedNumbers) -> tuple[Part, Part]:
        spec = self.spec
        to_learner, to_source = pair()
        source_keeper, source_end = pair()
        learner_keeper, learner_end = pair()
        inherited = [*self._inherited(), source_keeper, learner_keeper]
        # Where there are fewer cores than lines, who answers goes before who learns.
        niceness = _CROWDED_NICENESS if self._lines > (os.cpu_count() or 1) else 0

        def feed() -> int:
            for end in (*inherited, to_source, learner_end):
                end.close()
            os.nice(niceness)
            return SourceProcess(
                settings=spec.settings,
                line=spec.line,
                model_file=spec.model_file,
                options=spec.options,
                keys=spec.keys,
                open_store=spec.open_store,
                check_store=spec.check_store,
                board=board,
                channel=to_learner,
                keeper=source_end,
                trouble=self.trouble,
                holder=self._holder,
                highest=self._numbers.highest,
                fetch_wait_ms=fetch_wait_ms(self._lines),
                wait_limit_s=spec.settings.learner.start_wait_seconds if self._lives == 1 else None,
            ).run()

        def learn() -> int:
            for end in (*inherited, to_learner, source_end):
                end.close()
            os.nice(niceness)
            return LearnerProcess(
                settings=spec.settings,
                line=spec.line,
                model_file=spec.model_file,
                keys=spec.keys,
                open_store=spec.open_store,
                board=board,
                channel=to_source,
                keeper=learner_end,
                suspects=self._suspects,
                numbers=self._numbers,
                budget=self._budget,
                place=self._place,
                shares_memory=self._lines > 1,
            ).run()

        parts = (
            Part("source", fork(feed, leads=True), source_keeper),
            Part("learner", fork(learn, leads=True), learner_keeper),
        )
        for end in (to_learner, to_source, source_end, learner_end):
            end.close()
        return parts

    def _looked(self, now: float) -> int | None:
        """The code of the process whose end tells most, once one has ended for more than itself."""
        source, learner = self._parts
        alive = [part for part in self._parts if part.code is None]
        for part in alive:
            self._hear(part)
        # After a pause of all processes the ticks are old, and tell nothing yet.
        if now - self._looked_at < _LOOK_MAX_S:
            self._end_the_hung(alive)
        self._looked_at = now
        codes = source.code, learner.code
        if codes == (DONE, DONE):
            return DONE
        if any(code not in {None, DONE, ORPHANED} for code in codes) or None not in codes:
            return self._verdict()
        if self._stop_by is not None and now > self._stop_by:
            log.warning("%s: not committed within %.0f s; what is missing is learned again",
                        self.spec.name, _STOP_LIMIT_S)  # fmt: skip
            return DONE
        return None

    def _hear(self, part: Part) -> None:
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
                    part.failure = self._suspects.add(self.spec.name, message)
                case Failed():
                    part.failure = message.what
                case LastWords():
                    part.last_words = message

    def _verdict(self) -> int:
        """What the ends of both come to: the code of their last words, else of who ended first."""
        for part in self._parts:
            if part.last_words is not None and self._stop_by is None:
                return part.last_words.exit_code
        telling = [part for part in self._parts if part.code not in {None, DONE, ORPHANED}]
        if not telling:
            return AGAIN
        part = telling[0]
        assert part.code is not None, "it has ended"
        if part.code < 0:
            how = signal.Signals(-part.code).name
            part.failure = f"{part.name}:{self.spec.name} was ended by {how}"
            log.warning("%s: both start again from the head", part.failure)
        return part.code

    def _end_the_hung(self, alive: list[Part]) -> None:
        """End a process whose loop no longer turns: some hangs raise nothing anywhere.

        Before its loop turns it may be slow, to build or restore a model: then it is ended only
        when it does nothing at all. The Kafka client has had hangs (dpkp/kafka-python #3121). Who
        starts it again goes on from the head.
        """
        quiet, limit_s = self._board.quiet_s(), self.spec.settings.learner.watchdog_seconds
        for part in alive:
            if part.code is not None or quiet[part.name] <= limit_s:
                continue
            if self._board.has_begun(part.name) or part.stands_still(limit_s):
                log.critical("model %s: the %s's loop has not turned for %.0f s: ended",
                             self.spec.name, part.name, quiet[part.name])  # fmt: skip
                part.say_where_it_stands()
                part.kill()
                part.last_words = LastWords(f"the {part.name} hung", HUNG_EXIT_CODE)

    # Between two lives ---------------------------------------------------------------------------

    def _over(self, code: int, now: float) -> None:
        """Both are ended; what follows."""
        words = next((p.last_words.what for p in self._parts if p.last_words is not None), None)
        failure = next((p.failure for p in reversed(self._parts) if p.failure), words)
        self.kill()
        if code == DONE or self._stop_by is not None:
            self.end = LineEnd(DONE)
            return
        is_own = code in {AGAIN, AGAIN_LATER} or code < 0
        if not is_own and (self._lines == 1 or code in FINAL_CODES):
            self.end = LineEnd(code, words)
            return
        self._numbers.note(self._board.highest)
        has_version = self._board.committed > 0
        self._failures = 0 if has_version else self._failures + 1
        if is_own:
            self._crashes = 0
            wait_s = pause_s(code, self._failures)
        else:
            failure = failure or f"its learner {how_it_ended(code)}"
            wait_s = self._crashed(code, words, lived_s=now - self._began_at)
        self._count_failure(failure, has_version=has_version)
        self._begin_at = now + wait_s

    def _crashed(self, code: int, words: str | None, *, lived_s: float) -> float:
        """It ended by a code that would have ended the program, were it alone; seconds to wait."""
        self._crashes = 1 if lived_s >= _SOUND_AFTER_S else self._crashes + 1
        self._how, seconds = how_it_ended(code), backoff_s(self._crashes)
        log.error("model %s: its learner %s%s: started again in %g s",
                  self.spec.name, self._how, f": {words}" if words else "", seconds)  # fmt: skip
        return seconds

    def _count_failure(self, failure: str | None, *, has_version: bool) -> None:
        """What ended this life is trouble, unless it was an order."""
        if failure is None:
            self.trouble = Trouble()
        else:
            self.trouble = (Trouble() if has_version else self.trouble).added(failure)


def fetch_wait_ms(lines: int) -> int:
    """How long the fetches of each of so many lines gather records: more share fewer fetches.

    >>> [fetch_wait_ms(lines) for lines in (1, 12, 50, 200)]
    [20, 130, 500, 500]
    """
    return min(10 + 10 * lines, 500)


def pause_s(code: int, failures: int) -> float:
    """Seconds before the next life: none as a rule, ever more while none makes a version.

    Args:
        code: How the last one ended.
        failures: Lives in a row, up to that one, in which no version was made.

    >>> [pause_s(-9, n) for n in (0, 1, 2, 3, 9)], pause_s(AGAIN, 9), pause_s(AGAIN_LATER, 0)
    ([0.0, 0.0, 0.5, 1.0, 10.0], 0.0, 0.5)
    """
    if code == AGAIN:
        return 0.0 if failures < _AGAIN_MAX else _BACK_OFF_S
    doubled = min(_BACK_OFF_S * 2.0 ** max(0, failures - 2), _BACK_OFF_MAX_S)
    return 0.0 if code < 0 and failures < 2 else doubled
