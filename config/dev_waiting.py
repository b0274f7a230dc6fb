"""Waiting for what a `weir dev` still starts: said once, bounded, and then exit code 5."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from config.dev_file import NAME, read_dev_file

WAIT_MAX_S = 60.0
_LOOK_EVERY_S = 0.2


class StillStartingError(Exception):
    """What a command needs has not come up. Look at the output of `weir dev`, or try again."""

    exit_code = 5

    def __init__(self, what: str, waited_s: float) -> None:
        super().__init__(
            f"{what} is still starting after {waited_s:.0f} s: the output of `weir dev` says "
            "how far it is; try again later"
        )


def await_servers(data_dir: Path, *, wait_max_s: float = WAIT_MAX_S) -> None:
    """Return when `dev.json` is there, or nobody starts a `weir dev` in the directory.

    Raises:
        StillStartingError: It starts, and has taken longer.
    """
    if (data_dir / NAME).exists():
        return
    _wait(f"weir dev in {data_dir}", lambda: _is_coming(data_dir), wait_max_s)


def await_learner(
    data_dir: Path,
    model: str,
    *,
    is_needed: Callable[[], bool] = lambda: True,
    wait_max_s: float = WAIT_MAX_S,
) -> None:
    """Return when the model's learner is not starting any more: it is up, fails or is lost.

    Args:
        is_needed: Asked first: whether the command has to wait for it.

    Raises:
        StillStartingError: It has taken longer.
    """
    name = f"learner:{model}"

    def is_starting() -> bool:
        return name in read_dev_file(data_dir / NAME).get("starting", ())

    if is_starting() and is_needed():
        _wait(name, is_starting, wait_max_s)


def _wait(what: str, is_starting: Callable[[], bool], wait_max_s: float) -> None:
    deadline, is_said = time.monotonic() + wait_max_s, False
    while is_starting():
        if not is_said:
            print(f"weir: waiting for {what}, still starting", file=sys.stderr, flush=True)
            is_said = True
        if time.monotonic() > deadline:
            raise StillStartingError(what, wait_max_s)
        time.sleep(_LOOK_EVERY_S)


def _is_coming(data_dir: Path) -> bool:
    """Whether somebody has the directory's lock, and has not written `dev.json` yet.

    The lock is not tried: to hold it for a moment would refuse a `weir dev` that starts just then.
    """
    if (data_dir / NAME).exists():
        return False
    try:
        pid = int((data_dir / "lock").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return False
    return pid > 0 and _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
