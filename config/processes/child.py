"""Child processes: what to run, when it counts as ready, and how it dies with its parent.

No loop and no policy here: `config/processes/supervisor.py` decides when to start again, and
`ServerProcess` runs one server without a supervisor (tests, one-off tools).
"""

import contextlib
import ctypes
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from config.files import room_for
from config.processes.progress import Progress

READY_POLL_S = 0.03
# A ready check that hangs holds up the start of its own child; what it asks gets so long.
READY_CHECK_MAX_S = 0.5

_LOWEST_FREE_PORT = 10_000
# Linux hands out local ports of outgoing connections from here up. A server that must come
# back on its port after kill -9 stays below, where no connection can take it meanwhile.
_EPHEMERAL_PORTS_START = 32_768
_PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec of a process with threads, no lock may be asked for.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class ProcessError(Exception):
    """A child process, its port or its directory is not as it must be."""

    exit_code = 1


class PortTakenError(ProcessError):
    """Another program listens there. Choose another port with the option named, each at once."""

    exit_code = 2

    def __init__(self, taken: Mapping[str, int]) -> None:
        super().__init__(
            "; ".join(
                f"port {port} is taken: choose another with {option} (0: any that is free)"
                for option, port in taken.items()
            )
        )
        self.taken = dict(taken)


class DataDirHeldError(ProcessError):
    """Another program works in the data directory. Stop it, or take another directory."""

    exit_code = 4

    def __init__(self, directory: Path, *, holder: str) -> None:
        super().__init__(
            f"{directory} is in use by process {holder}: stop it, or choose another with --data-dir"
        )
        self.directory, self.holder = directory, holder


class NotReadyError(ProcessError):
    """A server ended, or stood still, before it was ready. Its own last words follow."""

    def __init__(self, name: str, *, what: str, last_words: str = "") -> None:
        super().__init__(f"{name} {what}" + (f": {last_words}" if last_words else ""))
        self.name, self.last_words = name, last_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One child process, whole: nothing of the parent's environment is inherited.

    Attributes:
        name: Shown before each line of its output; unique under one supervisor.
        argv: Program and arguments.
        env: The complete environment.
        cwd: Working directory; it exists.
        stop_signal: Asks it to end in good order.
        stop_timeout_s: Seconds from that signal to SIGKILL.
        ready: True once it serves. Called often, on a thread of the supervisor's; what it asks
            gets about `READY_CHECK_MAX_S`. None: ready as soon as it runs.
        still_max_s: Seconds that it may stand still before it is ready
            (`config.processes.progress`); past them it is killed and started again. What is slow is
            waited for.
        rest: Asked once it is ready, until it is empty: the names, of other processes, whose work
            it is still to take up. Called as `ready` is.
        waits: It starts only when all before it are ready; else as soon as they run, so that
            slow starters start side by side.
        one_shot: It ends with code 0 when its work is done, and is not started again.
        spares_others: An end that no restart can mend is its own only, and not everybody's, as
            long as another of those that spare the others is left.
        parts: A file in which it says how its own children, those of its session, stand, by
            `config.processes.roll_call.write_parts`. There need not be one.
        hosts: Of its parts, the names of those that count as children: each is starting until
            `rest` does not name it any more, may fail, and may end for good, alone.
        unheard: Texts; a line of its output that holds one is of no concern and not passed on.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 5.0
    ready: Callable[[], bool] | None = None
    still_max_s: float = 120.0
    rest: Callable[[], Collection[str]] | None = None
    waits: bool = True
    one_shot: bool = False
    spares_others: bool = False
    parts: Path | None = None
    hosts: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()

    def is_ready(self) -> bool:
        """Whether the running process serves."""
        return self.ready is None or self.ready()


# Whoever a port was found for may not listen yet: none is found twice.
_found_before: set[int] = set()


def free_port() -> int:
    """A loopback port that nothing listens on, below the ports of outgoing connections.

    >>> 10_000 <= free_port() < 32_768
    True
    """
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many such ports, one behind the other.

    >>> 10_000 <= free_ports(3) < 32_766
    True
    """
    while True:
        first = random.randrange(_LOWEST_FREE_PORT, _EPHEMERAL_PORTS_START - count + 1)
        ports = range(first, first + count)
        if _found_before.isdisjoint(ports) and all(map(is_port_free, ports)):
            _found_before.update(ports)
            return first


def is_port_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def chosen_ports(asked: Mapping[str, int]) -> dict[str, int]:
    """The ports asked for, each by the option that chooses it; for a 0 a free one.

    >>> chosen_ports({"--port": 0})["--port"] > 0
    True

    Raises:
        PortTakenError: Some are taken; all of them are named.
    """
    taken = {option: port for option, port in asked.items() if port and not is_port_free(port)}
    if taken:
        raise PortTakenError(taken)
    return {option: port or free_port() for option, port in asked.items()}


def exchange(address: str, request: bytes, reply_bytes: int) -> bytes:
    """What a server answers to one request, at most `reply_bytes`; empty when it does not.

    Args:
        address: `host:port`.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=READY_CHECK_MAX_S) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read(reply_bytes)
    except OSError:
        return b""


def die_with_parent(parent_pid: int) -> None:
    """Let the kernel kill this process with its parent, kill -9 of the parent included (Linux).

    Call it in the child, first thing; `partial(die_with_parent, os.getpid())` is a `preexec_fn`.
    The signal follows the parent's *thread* that forked: fork from one that lives as long as the
    process does, the main thread. A child's own children must call it themselves.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if _PRCTL is None:
        return
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the kernel knew whom to tell
        os._exit(1)


class DataDirLock:
    """One program at a time in a data directory, held until closed or until the process ends.

    >>> import tempfile
    >>> directory = Path(tempfile.mkdtemp())
    >>> with DataDirLock(directory):
    ...     (directory / "lock").read_text() == str(os.getpid())
    True
    """

    def __init__(self, directory: Path) -> None:
        """Take `directory`, made if need be.

        Raises:
            DataDirHeldError: Another process has it; the message names that process.
            NoRoomError: The disk is full.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (directory / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            self._file.seek(0)
            holder = self._file.read() or "(unknown)"
            self._file.close()
            raise DataDirHeldError(directory, holder=holder) from taken
        self._file.truncate(0)
        pid = str(os.getpid())
        with room_for(directory / "lock", len(pid)):
            self._file.write(pid)
            self._file.flush()

    def close(self) -> None:
        """Give the directory back. The file stays: deleting it would let two hold the lock."""
        self._file.truncate(0)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ServerProcess:
    """One server run without a supervisor; it dies with the process (and thread) that started it.

    Its output is appended to `log`.
    """

    def __init__(self, spec: ProcessSpec, *, log: Path) -> None:
        self.spec, self.log = spec, log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start it and return when it is ready.

        Raises:
            NotReadyError: It ended first, or stood still for longer than `spec.still_max_s`.
        """
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.spec.argv,
                env=self.spec.env,
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        try:
            self._await_ready(self._process)
        except NotReadyError:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL) and return when it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end; kill it after `spec.stop_timeout_s`. Nothing happens if it is not up."""
        self._end(self.spec.stop_signal)

    def restart(self) -> None:
        """Stop it if it runs, and start it again with the state it left."""
        self.stop()
        self.start()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        progress = Progress(process.pid)
        while not self.spec.is_ready():
            if process.poll() is not None:
                raise NotReadyError(
                    self.spec.name,
                    what=f"ended with code {process.returncode} before it was ready",
                    last_words=self._last_words(),
                )
            if progress.still_s(said=self.log.stat().st_size) > self.spec.still_max_s:
                what = f"was not ready and stood still for {self.spec.still_max_s:g} s"
                raise NotReadyError(self.spec.name, what=what, last_words=self._last_words())
            time.sleep(READY_POLL_S)

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)  # does nothing if it has ended
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.spec.stop_timeout_s)
        process.kill()
        process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        # Not the indented ones, of a Java stack trace.
        return " / ".join([line for line in lines if line and not line[0].isspace()][-3:])
