"""The store in memory, for tests and simulations; it keeps the whole contract of `contract.py`.

It keeps no file and no socket, takes its clock as an argument, and tells `on_step` each named
step of `STEPS`: a `DieAt` there ends its caller just where a crash would.
"""

from __future__ import annotations

from checkpoints.stores.contract import STEPS
from checkpoints.stores.in_memory.heads import MemoryHeads
from checkpoints.stores.in_memory.presence import MemoryPresence
from checkpoints.stores.in_memory.records import MemoryRecords

__all__ = ["DieAt", "Died", "MemoryStore"]


class Died(BaseException):
    """The process that called the store died at a named step; what it sent may have arrived.

    No Exception: code under test must not live on by catching it.
    """


class DieAt:
    """An `on_step` that dies the `nth` time `step` is reached.

    >>> die = DieAt("commit.before", nth=2)
    >>> die("commit.before"); die("commit.after")
    >>> die("commit.before")
    Traceback (most recent call last):
    ...
    checkpoints.stores.in_memory.store.Died: commit.before
    """

    def __init__(self, step: str, *, nth: int = 1) -> None:
        if step not in STEPS:
            raise ValueError(f"{step!r} is no step of a store: {', '.join(STEPS)}")
        self._step, self._left = step, nth

    def __call__(self, step: str) -> None:
        if step != self._step:
            return
        self._left -= 1
        if self._left == 0:
            raise Died(step)


class MemoryStore(MemoryRecords, MemoryHeads, MemoryPresence):
    """The store contract over dictionaries; its arguments are a `MemoryPart`'s."""

    def close(self) -> None:
        """Nothing: there is no connection."""
