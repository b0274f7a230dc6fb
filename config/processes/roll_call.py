"""How a supervisor's children stand, the parts that they name themselves included, told on change.

A child that is several processes says in a small JSON file how these, its *parts*, stand. What the
file says is checked: a part is a living process of the child's own session.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from config.files import replace_file
from config.processes.restarts import FINAL_CODES

LOOK_S = 0.1

_PID_END = 1 << 31
_SURE_S = 1.0  # between two looks whether the parts of a file that has not changed are alive

Pids: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The processes that a child keeps at work itself.

    Attributes:
        pids: Who runs, by name.
        failing: Who has ended again and again, and how; it is tried again.
        lost: Who has ended for good, and its exit code.
    """

    pids: Pids
    failing: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


_NONE = Parts(pids={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """How a supervisor's children stand.

    Attributes:
        pids: Who runs, parts included, by name.
        starting: Who is not ready yet, in the order of starting.
        failing: Who has ended again and again without having been ready: name and how it ended.
    """

    pids: Pids
    starting: tuple[str, ...] = ()
    failing: Mapping[str, str] = field(default_factory=dict)


def write_parts(path: Path, parts: Parts) -> None:
    """Say how a process's own children stand, whole or not at all: for it, whenever that changes.

    Args:
        path: `ProcessSpec.parts` of whoever supervises the child.

    Raises:
        NoRoomError: The disk is full.
    """
    replace_file(path, msgspec.json.encode(parts).decode() + "\n")


def read_parts(path: Path, child_pid: int) -> Parts:
    """The parts of child `child_pid`; of those that run, who is alive. None without a file.

    Raises:
        ValueError: The file is not what `write_parts` writes.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Parts)
    except FileNotFoundError:
        return _NONE
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} does not say how parts stand: {error}") from error
    if not all(map(_is_pid, found.pids.values())):
        raise ValueError(f"{path} holds what is no process's number")
    if not FINAL_CODES.keys() >= {*found.lost.values()}:
        raise ValueError(f"{path} holds an exit code that a restart may mend")
    return replace(found, pids=_alive_of(found.pids, child_pid))


class PartsFile:
    """The parts of one child, looked at often: read when the file is another, else asked for now
    and then whether they live.

    Args:
        path: `ProcessSpec.parts`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._parts, self._sure_at = _NONE, 0.0

    def parts(self, child_pid: int) -> Parts:
        """As `read_parts` has them; raises as it does, once for each change of the file."""
        try:
            stat = self._path.stat()
            seen: tuple[int, ...] = (child_pid, stat.st_ino, stat.st_mtime_ns)
        except FileNotFoundError:
            seen = (child_pid,)
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._sure_at, self._parts = seen, now + _SURE_S, _NONE
            self._parts = read_parts(self._path, child_pid)
        elif now >= self._sure_at:
            self._sure_at = now + _SURE_S
            self._parts = replace(self._parts, pids=_alive_of(self._parts.pids, child_pid))
        return self._parts


class RollCall:
    """Tells how the children stand, whenever that has changed.

    Args:
        roll: How they stand at the moment.
        tell: Told of it.
    """

    def __init__(self, roll: Callable[[], Roll], tell: Callable[[Roll], None]) -> None:
        self._roll, self._tell = roll, tell
        self._told: Roll | None = None
        self._seen: Roll | None = None

    @property
    def is_told(self) -> bool:
        """Whether it was ever told."""
        return self._told is not None

    def tell(self) -> None:
        """Tell it now."""
        self._told = self._seen = self._roll()
        self._tell(self._told)

    def tell_again(self) -> None:
        """Tell it now, unless it was never told."""
        if self.is_told:
            self.tell()

    def look(self) -> None:
        """Tell it if it has changed since it was told, and has not since the last look.

        So what is started again at once is not missing in between.
        """
        before, self._seen = self._seen, self._roll()
        if self._seen == before and self._seen != self._told:
            self.tell()


def _alive_of(pids: Pids, session: int) -> Pids:
    return {name: pid for name, pid in pids.items() if _is_alive_in(session, pid)}


def _is_pid(value: object) -> bool:
    return type(value) is int and 0 < value < _PID_END


def _is_alive_in(session: int, pid: int) -> bool:
    """Whether `pid` runs, and in the session: its number may have gone to a stranger."""
    try:
        return os.getsid(pid) == session and not _is_zombie(pid)
    except (ProcessLookupError, PermissionError):
        return False


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and only its number is left (Linux; elsewhere it is not seen)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}
