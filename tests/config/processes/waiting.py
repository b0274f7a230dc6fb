"""Wait for a condition, never for a time."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 20.0
_POLL_S = 0.01


def until(condition: Callable[[], bool], *, what: str, limit_s: float = LIMIT_S) -> None:
    """Return when `condition` holds; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit_s} s"
        time.sleep(_POLL_S)


async def soon(condition: Callable[[], bool], *, what: str) -> None:
    """The same beside a running loop."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT_S} s"
        await asyncio.sleep(_POLL_S)


def is_running(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
