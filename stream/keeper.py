"""`weir learn`: one program that keeps the learners of one model or of many at work.

The keeper has imported everything and does nothing: it forks the source and the learner of each
line (`kept_line.py`), and forks them anew when one dies, without the two seconds that River's
import takes. A line that ends, ends alone; only the last of them ends the keeper.

    state      what is done                          what moves it on
    beginning  lines are begun in turn, as many at   all are begun: keeping
               once as there are cores for
    keeping    each line is turned when one of its   the last line has ended: ended, with its code.
               processes wakes us, and twice a       SIGTERM: stopping, from any state
               second
    stopping   each line commits and ends            all have ended: ended, with 0. A second signal:
                                                     ended at once, with 130

If the keeper dies in any of them the kernel kills what it has forked; the heads say where to go on.
"""

import faulthandler
import gc
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Iterable, Sequence

from checkpoints.errors import StoreUnavailable
from config.files import NoRoomError
from config.processes.fork import ended, fork
from config.processes.restarts import FINAL_CODES
from config.processes.roll_call import Parts, write_parts
from config.settings import LearnerSettings
from config.traces.extra import load_if_on
from stream.between.messages import Channel
from stream.commit.host_budget import HostBudget
from stream.errors import StreamError
from stream.exits import DONE
from stream.kept_line import LOOK_S, KeptLine, LineEnd, LineSpec
from stream.source.process import LearnOptions

__all__ = ["Keeper", "LearnOptions", "LineSpec"]

log = logging.getLogger(__name__)

INTERRUPTED = 130
_PRINT_STACKS = signal.SIGUSR1
_BEAT_S = 1.0
_BEGIN_LOOK_S = 0.1
# A line that is not up after so long holds up no other any more.
_PATIENCE_S = 10.0


class LearnerEndedError(StreamError):
    """The learner of the last line ended for good; its own words, and its code."""

    def __init__(self, end: LineEnd) -> None:
        super().__init__(end.words or f"the learner ended with code {end.code}")
        self.exit_code = end.code


class Keeper:
    """The learners of some lines, kept at work.

    Raises:
        SettingsError: Traces are on, and their extra is not installed.

    Args:
        specs: The lines, at least one.
        of_all: What is not one line's own: in whose name leases are held, where it says how the
            lines stand (`config.processes.roll_call`), what their versions may cost the host.
    """

    def __init__(self, specs: Sequence[LineSpec], of_all: LearnerSettings) -> None:
        for spec in specs:
            load_if_on(spec.settings.traces)
        self._holder = of_all.name or f"{socket.gethostname()}:{os.getpid()}"
        budget = HostBudget(len(specs), share=of_all.versions_share)
        self._lines = [
            KeptLine(
                spec,
                holder=self._holder,
                place=place,
                lines=len(specs),
                budget=budget,
                inherited=lambda: [held for line in self._lines for held in line.held],
            )
            for place, spec in enumerate(specs)
        ]
        self._pids_file = of_all.pids_file
        self._told: Parts | None = None
        self._is_full = False  # the disk, when our processes were named
        self._stops = 0
        self._is_stopping = False
        self._beater: int | None = None  # the process that says who fails
        self._beat_at = 0.0
        self._lost: set[str] = set()
        self._starts_max = max(2, os.cpu_count() or 1)

    @property
    def _channels(self) -> list[Channel]:
        return [channel for line in self._lines for channel in line.channels]

    def run(self) -> int:
        """Learn until SIGTERM; the exit code.

        Raises:
            LearnerEndedError: What an operator has to mend; it carries its exit code.
        """
        wakes, waker = socket.socketpair()
        wakes.setblocking(False)
        waker.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes us
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        faulthandler.enable()
        faulthandler.register(_PRINT_STACKS)
        gc.freeze()
        try:
            while not all(line.end for line in self._lines):
                self._turn(time.monotonic())
                self._wait(wakes)
        finally:
            for line in self._lines:
                line.kill()
            self._tell()
            signal.set_wakeup_fd(-1)
        return self._code()

    def _turn(self, now: float) -> None:
        if self._stops and not self._is_stopping:
            self._is_stopping = True
            for line in self._lines:
                line.stop(now)
        self._begin_more(now)
        for line in self._lines:
            line.turn(now)
            if line.end is not None and line.end.code != DONE:
                self._say_lost(line, line.end)
        self._beat_for_the_failing(now)
        self._tell()

    def _wait(self, wakes: socket.socket) -> None:
        """Until one of our processes has something to say, or a line is due."""
        now = time.monotonic()
        look_s = LOOK_S if all(line.is_begun for line in self._lines) else _BEGIN_LOOK_S
        due_s = min([look_s, *(line.due_s(now) for line in self._lines)])
        poll = select.poll()
        poll.register(wakes, select.POLLIN)
        for channel in self._channels:
            poll.register(channel, select.POLLIN)
        if any(fd == wakes.fileno() for fd, _ in poll.poll(max(0.0, due_s) * 1000)):
            wakes.recv(4096)

    def _begin_more(self, now: float) -> None:
        """Begin lines in turn: all at once, on few cores, each would be up when the last is."""
        waiting = [line for line in self._lines if not line.is_begun]
        starting = sum(line.is_starting(now, _PATIENCE_S) for line in self._lines)
        for line in waiting[: max(0, self._starts_max - starting)]:
            line.begin(now)

    def _on_signal(self, *_: object) -> None:
        self._stops += 1
        if self._stops > 1:
            # Safe by design: what is not committed is learned again. Our processes die with us.
            os._exit(INTERRUPTED)

    def _say_lost(self, line: KeptLine, end: LineEnd) -> None:
        """A line has ended for good beside others."""
        if line.spec.name in self._lost or len(self._lines) == 1:
            return
        self._lost.add(line.spec.name)
        log.error("model %s: its learner ended for good with code %d: %s. The others go on",
                  line.spec.name, end.code, end.words or "its last lines say why")  # fmt: skip

    def _code(self) -> int:
        ends = [line.end for line in self._lines if line.end is not None and line.end.code != DONE]
        if self._stops or not ends:
            return DONE
        raise LearnerEndedError(ends[-1])

    def _beat_for_the_failing(self, now: float) -> None:
        """Between two lives, and after the last, nobody else does, and a line would seem to have
        been stopped.

        By a process of its own: a store that is away must not hold up the other lines.
        """
        if self._beater is not None and ended(self._beater, wait=False) is not None:
            self._beater = None
        failing = [it for it in self._lines if _is_to_be_told(it)]
        if not failing or self._beater is not None or now < self._beat_at:
            return
        self._beat_at = now + _BEAT_S
        self._beater = fork(lambda: _beat(failing))

    def _tell(self) -> None:
        """For whoever started us: which processes are ours, and how the lines stand."""
        parts = self._parts()
        if self._pids_file is None or (parts == self._told and not self._is_full):
            return
        try:
            write_parts(self._pids_file, parts)
        except NoRoomError as error:
            if not self._is_full:  # they are not named until there is room; they work all the same
                log.warning("%s", error)
            self._is_full = True
        else:
            self._is_full = False
        self._told = parts

    def _parts(self) -> Parts:
        lines = {f"learner:{line.spec.name}": line for line in self._lines}
        ends = {name: line.end.code for name, line in lines.items() if line.end is not None}
        return Parts(
            pids={name: pid for line in self._lines for name, pid in line.pids.items()},
            failing={name: line.failing for name, line in lines.items() if line.failing},
            lost={name: code for name, code in ends.items() if code in FINAL_CODES},
        )


def _is_to_be_told(line: KeptLine) -> bool:
    """Whether it has failed for good, or pauses between two lives and is failing."""
    if line.end is not None:
        return line.end.code != DONE
    return line.is_pausing and line.trouble.is_lasting


def _beat(failing: Iterable[KeptLine]) -> int:
    for line in failing:
        try:
            line.failing_beat()
        except StoreUnavailable as error:
            log.warning("model %s: its trouble is not told: %s", line.spec.name, error)
            return 1
    return 0
