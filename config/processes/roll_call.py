"""How a supervisor's children stand, the parts that they name themselves included, told on change.

A child that is several processes names them in a small JSON file, `{name: pid}`, its *parts*.
What such a file says is checked: a part is a living process of the child's own session.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from config.files import replace_file

LOOK_S = 0.05

_PID_END = 1 << 31

Pids: TypeAlias = Mapping[str, int]


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


def write_parts(path: Path, pids: Pids) -> None:
    """Name a process's own children, whole or not at all: for the child, whenever they change.

    Args:
        path: `ProcessSpec.parts` of whoever supervises the child.

    Raises:
        NoRoomError: The disk is full.
    """
    replace_file(path, json.dumps(dict(pids)) + "\n")


def read_parts(path: Path, child_pid: int) -> dict[str, int]:
    """The parts that child `child_pid` has named and that are alive; none without a file.

    Raises:
        ValueError: The file is not what `write_parts` writes.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict) or not all(map(_is_pid, found.values())):
        raise ValueError(f"{path} does not hold an object of names and pids")
    return {name: pid for name, pid in found.items() if _is_alive_in(child_pid, pid)}


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
