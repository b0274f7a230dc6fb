"""The one supervisor: starts children in order, starts again what ended, stops in reverse order.

Each child has a task that follows it from spawn to end and again. A child has its own session, so
that Ctrl-C reaches only the supervisor, and dies with it by the kernel's hand, kill -9 included.

    a child is  what is done                    what moves it on
    waiting     nothing                         those before it are up, or need not be: starting
    starting    spawned, asked if it is ready   ready: up. Ended, or killed as it stood still: over
    up          followed to its end             it ends: over
    over        what it left behind is killed   by `restarts.verdict`: pausing, done or lost
    pausing     nothing, ever longer            the pause is over: starting
    done, lost  nothing; lost is told once      -

`stop`, a signal, or a child lost that the others need, and from any of these all are stopped, in
reverse order. If the supervisor dies the kernel kills every child; what they keep is on disk.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO

from config.processes.child import READY_POLL_S, ProcessSpec, die_with_parent
from config.processes.progress import Progress
from config.processes.restarts import FINAL_CODES, Verdict, backoff_s, how_it_ended, verdict
from config.processes.roll_call import LOOK_S, Parts, PartsFile, Roll, RollCall

INTERRUPTED = 130
_STOPS = {signal.SIGTERM: 0, signal.SIGHUP: 0, signal.SIGINT: INTERRUPTED}
STOP_TOTAL_S = 23.0  # `weir dev` promises 30 to whoever sent SIGTERM
# Ready for so long, a child is taken for sound again, and its next failure for its first.
_SOUND_AFTER_S = 10.0
# So long after those that all need, nobody is waited for any more before the roll is called.
PATIENCE_S = 20.0
# A start that fails once may be bad luck.
_FAILING_AFTER = 2
_STILL_STARTING_EVERY_S = 30.0
_READY_POLL_MAX_S = 0.25
# A child that lived shorter was never ready, whatever it said: no tight loop of restarts.
_SETTLED_AFTER_S = 1.0
# A child's own child may hold the pipe of its output open.
_LAST_WORDS_S = 0.5
_LINE_MAX_BYTES = 1 << 16
_COLOURS = (36, 33, 32, 35, 34, 31)  # ANSI foregrounds, one a child
_PLAIN = "\033[0m"


@dataclass(slots=True, kw_only=True)
class _Child:
    spec: ProcessSpec
    paint: str
    process: Process | None = None
    failures: int = 0
    is_up: asyncio.Event = field(default_factory=asyncio.Event)  # ready once, done, or lost
    is_ready: bool = False  # in this life
    failing: str | None = None  # how it ended, again and again, since it was last ready
    rest: frozenset[str] = frozenset()  # whose work it has not taken up yet
    resting: asyncio.Task[None] | None = None
    said: int = 0  # chunks of output
    is_done: bool = False  # it was a one-shot, and its work is done
    is_lost: bool = False  # ended for good, and the others go on
    parts: PartsFile | None = None
    lost: set[str] = field(default_factory=set)  # of those it hosts, told
    life: asyncio.Task[None] | None = None
    log: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None


class Supervisor:
    """Runs processes until told to stop, by `stop`, SIGTERM or SIGINT; a second signal kills.

    Args:
        specs: In the order of starting; each waits until the one before is ready.
        on_change: Given the roll, then whenever that has changed. First when all are ready, fail
            or are lost; slow ones are waited for until those that do not spare the others have
            been ready for `patience_s`. What it raises stops everything.
        on_lost: Given name and exit code of a child, or of one that a child hosts, that ended for
            good while the others go on.
        output: Where the children's lines go, as `name | line`.
    """

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        *,
        on_change: Callable[[Roll], None] = lambda _roll: None,
        on_lost: Callable[[str, int], None] = lambda _name, _code: None,
        output: TextIO = sys.stderr,
        patience_s: float = PATIENCE_S,
    ) -> None:
        is_terminal = output.isatty()
        self._children = [
            _Child(spec=spec, paint=f"\033[{_COLOURS[n % len(_COLOURS)]}m" if is_terminal else "")
            for n, spec in enumerate(specs)
        ]
        self._on_lost, self._output = on_lost, output
        self._roll = RollCall(lambda: self.roll, on_change)
        self._patience_s, self._patient_since = patience_s, float("inf")
        self._stopping = asyncio.Event()
        self._code = 0

    @property
    def pids(self) -> dict[str, int]:
        """What runs now; where a part has its child's name, the part."""
        found: dict[str, int] = {}
        for child in self._children:
            if child.process is not None and child.is_running:
                found[child.spec.name] = child.process.pid
                found.update(self._parts(child).pids)
        return found

    @property
    def roll(self) -> Roll:
        """How the children stand now."""
        waited = {name for c in self._children if not c.is_ready for name in _names(c)}
        waited |= {name for child in self._children for name in child.rest}
        over = [c for c in self._children if c.is_done or c.is_lost or c.failing]
        ended = {name for child in over for name in _names(child)}
        failing = {c.spec.name: c.failing for c in self._children if c.failing}
        for child in self._children:
            parts = self._parts(child)
            failing.update(parts.failing)
            ended |= {*parts.failing, *parts.lost}
        return Roll(
            pids=self.pids,
            starting=tuple(name for name in self._names if name in waited - ended),
            failing=failing,
        )

    @property
    def _names(self) -> list[str]:
        return [name for child in self._children for name in _names(child)]

    def is_done(self, name: str) -> bool:
        """Whether the one-shot of that name has done its work; not if it was stopped before."""
        return any(child.is_done for child in self._children if child.spec.name == name)

    def stop(self, code: int = 0) -> None:
        """Begin to stop everything; `run` then returns the `code` that came first."""
        if not self._stopping.is_set():
            self._code = code
            self._stopping.set()
            for child in self._children:
                child.is_up.set()

    async def run(self) -> int:
        """Start, keep and stop the children; call it in the main thread (see `die_with_parent`).

        Returns:
            The exit code: 0 after SIGTERM or `stop()`, 130 after SIGINT, else a child's final one.
        """
        loop = asyncio.get_running_loop()
        # What nohup, or a shell's `&`, made us ignore stays ignored.
        obeyed = [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in obeyed:
            loop.add_signal_handler(number, self._on_signal, _STOPS[number])
        self._calling = asyncio.create_task(self._call_roll())
        self._calling.add_done_callback(self._stop_if_failed)
        try:
            await self._start_all()
            await self._stopping.wait()
        finally:
            self.stop(1)
            await self._stop_all()
            for number in obeyed:
                loop.remove_signal_handler(number)
        await self._calling  # raises what it raised
        for child in self._children:
            if child.life is not None:
                child.life.result()  # raises what its task raised
        return self._code

    def _on_signal(self, code: int) -> None:
        if self._stopping.is_set():
            for child in self._children:
                _signal(child, signal.SIGKILL)
        self.stop(code)

    async def _start_all(self) -> None:
        for n, child in enumerate(self._children):
            if child.spec.waits:
                await self._all_up(self._children[:n])
            if self._stopping.is_set():
                return
            child.life = asyncio.create_task(self._keep(child))
            child.life.add_done_callback(self._stop_if_failed)

    async def _call_roll(self) -> None:
        while not self._stopping.is_set():
            for child in self._children:
                self._tell_lost(child)
            if self._roll.is_told:
                self._roll.look()
            elif self._is_time_to_tell():
                self._roll.tell()
            await asyncio.sleep(LOOK_S)

    def _is_time_to_tell(self) -> bool:
        """Whether all are ready, fail or are lost; or those that all need are, for long enough."""
        needed = [c for c in self._children if not (c.spec.spares_others or c.spec.one_shot)]
        now = time.monotonic()
        if not all(child.is_ready for child in needed):
            self._patient_since = float("inf")
            return False
        self._patient_since = min(self._patient_since, now)
        is_over = now - self._patient_since >= self._patience_s
        return is_over or not self.roll.starting

    def _parts(self, child: _Child) -> Parts:
        """How the processes stand that `child` keeps itself; nothing of one that does not run."""
        if child.parts is None or child.process is None or not child.is_running:
            return Parts(pids={})
        try:
            return child.parts.parts(child.process.pid)
        except ValueError as error:
            self._say(f"{child.spec.name}: its parts are not known: {error}")
            return Parts(pids={})

    def _tell_lost(self, child: _Child) -> None:
        """Who of those it hosts has ended for good; a new life of the child tries all again."""
        lost = self._parts(child).lost
        for name in lost.keys() - child.lost:
            self._stays_ended(name, lost[name])
        child.lost = set(lost)

    async def _all_up(self, children: Iterable[_Child]) -> None:
        for child in children:
            await child.is_up.wait()  # `stop` sets it too

    def _stop_if_failed(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self.stop(1)

    async def _keep(self, child: _Child) -> None:
        """Start `child` again and again, until it is done or everything stops."""
        while not self._stopping.is_set():
            started = time.monotonic()
            became_ready = await self._start(child)
            assert child.process is not None
            code = await child.process.wait()
            await self._clear_up(child)
            if self._stopping.is_set():
                return
            lived_s = time.monotonic() - started
            pause_s = self._after_end(child, code, became_ready=became_ready, lived_s=lived_s)
            if pause_s is None:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def _start(self, child: _Child) -> bool:
        """Spawn `child` and wait until it is ready (True) or has ended (False)."""
        await self._spawn(child)
        self._roll.tell_again()
        assert child.process is not None
        progress, say_at = Progress(child.process.pid), _STILL_STARTING_EVERY_S
        # On a thread: what it asks may be away, and the loop has the others' output to pass on.
        while child.is_running and not await asyncio.to_thread(child.spec.is_ready):
            if progress.still_s(child.said) > child.spec.still_max_s:
                still = f"stands still for {child.spec.still_max_s:g} s: killed"
                self._say(f"{child.spec.name} is not ready and {still}")
                _kill_group(child)
                return False
            if progress.lasts_s > say_at:
                self._say(f"{child.spec.name} is still starting, for {progress.lasts_s:.0f} s")
                say_at *= 2
            await asyncio.sleep(min(max(READY_POLL_S, progress.lasts_s / 20), _READY_POLL_MAX_S))
        if child.is_running:
            self._is_ready(child)
        return child.is_running

    def _is_ready(self, child: _Child) -> None:
        child.is_ready, child.failing = True, None
        if child.spec.rest is not None:
            child.rest = frozenset(self._names)
            child.resting = asyncio.create_task(self._take_up(child, child.spec.rest))
            child.resting.add_done_callback(self._stop_if_failed)
        child.is_up.set()

    async def _take_up(self, child: _Child, rest: Callable[[], Collection[str]]) -> None:
        """Ask what is left of `child`'s work until nothing is."""
        while child.rest and child.is_running:
            child.rest = frozenset(await asyncio.to_thread(rest))
            await asyncio.sleep(_READY_POLL_MAX_S)

    async def _spawn(self, child: _Child) -> None:
        if child.spec.parts is not None:
            child.spec.parts.unlink(missing_ok=True)  # of its life before
            child.parts = PartsFile(child.spec.parts)
        # A pipe of our own: asyncio's would keep `wait` waiting for whoever else holds it open.
        read_end, write_end = os.pipe()
        child.log = asyncio.create_task(self._pass_on(child, read_end))
        try:
            child.process = await asyncio.create_subprocess_exec(
                *child.spec.argv,
                env=child.spec.env,
                cwd=child.spec.cwd,
                stdin=DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        finally:
            os.close(write_end)
        if self._stopping.is_set():
            _signal(child, child.spec.stop_signal)

    async def _clear_up(self, child: _Child) -> None:
        """End what `child` left behind, and pass on its last words."""
        child.is_ready, child.rest = False, frozenset()
        _kill_group(child)
        if child.log is not None:
            await asyncio.wait({child.log}, timeout=_LAST_WORDS_S)
            child.log.cancel()

    def _after_end(
        self, child: _Child, code: int, *, became_ready: bool, lived_s: float
    ) -> float | None:
        """Say what follows; seconds until the next start, or None if there is none."""
        was_ready = became_ready and lived_s >= _SETTLED_AFTER_S
        what = f"{child.spec.name} {how_it_ended(code)}"
        match verdict(code, was_ready=was_ready, is_one_shot=child.spec.one_shot):
            case Verdict.DONE:
                self._say(f"{child.spec.name} is done")
                child.is_done = True
                child.is_up.set()
                return None
            case Verdict.NEVER_AGAIN:
                self._never_again(child, code, what)
                return None
            case Verdict.AGAIN_AT_ONCE:
                self._say(f"{what}: started again")
                return 0.0
            case Verdict.AGAIN_LATER:
                is_sound = was_ready and lived_s >= _SOUND_AFTER_S
                child.failures = 1 if is_sound else child.failures + 1
                if child.failures >= _FAILING_AFTER:
                    child.failing = f"{how_it_ended(code)}, {child.failures} times in a row"
                pause_s = backoff_s(child.failures)
                self._say(f"{what}: starting it again in {pause_s:g} s")
                return pause_s

    def _never_again(self, child: _Child, code: int, what: str) -> None:
        child.is_lost = True
        is_one_left = any(c.spec.spares_others and not c.is_lost for c in self._children)
        if not (child.spec.spares_others and is_one_left):
            self._say(f"{what}, which a restart cannot mend: stopping everything")
            self.stop(code)
            return
        self._stays_ended(child.spec.name, code)
        child.is_up.set()
        self._roll.tell_again()

    def _stays_ended(self, name: str, code: int) -> None:
        self._say(
            f"{name} {how_it_ended(code)} ({FINAL_CODES[code]}), which a restart cannot mend: it "
            "stays ended; its last line above says what to do"
        )
        self._on_lost(name, code)

    async def _stop_all(self) -> None:
        deadline = time.monotonic() + STOP_TOTAL_S
        for child in reversed(self._children):
            if child.life is None:
                continue
            _signal(child, child.spec.stop_signal)
            left_s = max(min(child.spec.stop_timeout_s, deadline - time.monotonic()), 0.0)
            gone = asyncio.create_task(self._gone(child, child.life))
            _, still_there = await asyncio.wait({gone}, timeout=left_s)
            if still_there:
                self._say(f"{child.spec.name} did not end within {left_s:.0f} s: killed")
                _kill_group(child)
                await asyncio.wait({gone}, timeout=1.0)

    async def _gone(self, child: _Child, life: asyncio.Task[None]) -> None:
        """Return when nothing of `child` is left, even if its task has failed before."""
        if child.process is not None:
            await child.process.wait()
        await asyncio.wait({life})

    async def _pass_on(self, child: _Child, read_end: int) -> None:
        """Print what comes through the pipe, line by line."""
        reader = asyncio.StreamReader()
        pipe = os.fdopen(read_end, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        prefix = f"{child.paint}{child.spec.name} |{_PLAIN if child.paint else ''}"
        begun = b""
        try:
            while chunk := await reader.read(_LINE_MAX_BYTES):
                child.said += 1
                *lines, begun = (begun + chunk).split(b"\n")
                if len(begun) >= _LINE_MAX_BYTES:
                    lines, begun = [*lines, begun], b""
                for line in lines:
                    text = line.decode(errors="replace")
                    if not any(each in text for each in child.spec.unheard):
                        self._print(f"{prefix} {text}")
        finally:
            if begun:
                self._print(f"{prefix} {begun.decode(errors='replace')}")
            transport.close()

    def _say(self, what: str) -> None:
        self._print(f"weir | {what}")

    def _print(self, line: str) -> None:
        # Its reader is gone, or the disk is full: the children go on unheard.
        with suppress(OSError):
            print(line, file=self._output, flush=True)


def _names(child: _Child) -> tuple[str, ...]:
    """Its own, and those of the parts that count as children."""
    return (child.spec.name, *child.spec.hosts)


def _signal(child: _Child, number: signal.Signals) -> None:
    # Not `Process.send_signal`: it polls, and may take the exit code from asyncio's own watcher.
    if child.process is not None and child.is_running:
        with suppress(ProcessLookupError):
            os.kill(child.process.pid, number)


def _kill_group(child: _Child) -> None:
    """Kill `child` and all that it started in its session."""
    if child.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
