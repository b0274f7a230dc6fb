"""Trials in forked processes of this machine: the records are in their memory already."""

import mmap
import os
import resource
import select
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from config.processes import channel
from config.processes.channel import Channel, ChannelClosedError
from config.processes.fork import ended, fork
from stream.trying.rows import failed_row
from stream.trying.search.lab import Lab, Step, TrialOutcome

_LOOK_MS = 200
# What a trial opens for itself, and Python for what it imports.
_FILES_OF_A_TRIAL = 16
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TrialOutcome).decode


def workers_at_once(asked: int) -> int:
    """How many processes can be heard at a time: each takes one of the files that may be open.

    >>> workers_at_once(1)
    1
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return asked
    left = most - len([*Path("/dev/fd").iterdir()]) - _FILES_OF_A_TRIAL
    return max(1, min(asked, left))


class LocalEngine:
    """Forks a process for each step.

    Args:
        workers: Processes at a time.
    """

    def __init__(self, lab: Lab, workers: int) -> None:
        self._lab, self._workers = lab, workers
        self._poll = select.poll()  # select(2) takes no file beyond the 1,024th
        self._ends: dict[int, Channel[TrialOutcome]] = {}
        self._running: dict[Channel[TrialOutcome], tuple[int, Step]] = {}
        # Memory that the processes share: a number for each trial.
        self._learned = memoryview(mmap.mmap(-1, 8 * len(lab.candidates))).cast("q")

    def run(self, steps: Sequence[Step]) -> Iterator[TrialOutcome | None]:
        waiting = deque(steps)
        while waiting or self._running:
            while waiting and len(self._running) < self._workers:
                self._begin(waiting.popleft())
            ready = self._poll.poll(_LOOK_MS)
            found = [self._heard(self._ends[number]) for number, _ in ready]
            yield from found or [None]

    def under_way(self) -> int:
        return sum(self._learned[step.trial] for _, step in self._running.values())

    def close(self) -> None:
        for end, (pid, _) in [*self._running.items()]:
            self._forget(end)
            os.kill(pid, signal.SIGKILL)
            ended(pid, wait=True)

    def _begin(self, step: Step) -> None:
        ours, theirs = channel.pair(_encode, _decode)
        self._learned[step.trial] = 0

        def tell(records: int) -> None:
            self._learned[step.trial] = records

        def work() -> int:
            ours.close()
            theirs.send(self._lab.advance(step, tell))
            return 0

        pid = fork(work)
        theirs.close()
        self._running[ours] = pid, step
        self._ends[ours.fileno()] = ours
        self._poll.register(ours.fileno(), select.POLLIN)

    def _heard(self, end: Channel[TrialOutcome]) -> TrialOutcome | None:
        """What a process has to say, or what became of it; None: not all of it has come."""
        pid, step = self._running[end]
        try:
            found = end.receive()
        except ChannelClosedError:
            found = [self._lost(step, ended(pid, wait=True))]
        else:
            if not found:
                return None
            ended(pid, wait=True)
        self._forget(end)
        return found[0]

    def _forget(self, end: Channel[TrialOutcome]) -> None:
        self._poll.unregister(end.fileno())
        del self._ends[end.fileno()], self._running[end]
        end.close()

    def _lost(self, step: Step, code: int | None) -> TrialOutcome:
        """A trial whose process ended without a word: it costs no other."""
        candidate = self._lab.candidates[step.trial]
        why = f"its process ended with {code}" + (" (out of memory?)" if code == -9 else "")
        row = failed_row(candidate.model_file.name, candidate.path, candidate.settings, why)
        return TrialOutcome(trial=step.trial, row=row, records=0)
