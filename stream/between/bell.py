"""A bell: wakes a process, or a thread, that waits for several things at once."""

import contextlib
import os
from typing import Protocol


class HasFileno(Protocol):
    """What `select` waits for."""

    def fileno(self) -> int:
        """Its descriptor."""


class Bell:
    """Readable from a ring on until it is hushed; any number of rings are one.

    Whoever waits hushes it first and looks at what may have changed afterwards: then no ring is
    lost. Made before a fork, it is shared.

    >>> import select
    >>> bell = Bell()
    >>> bell.ring(); bell.ring()
    >>> select.select([bell], [], [], 0)[0] == [bell]
    True
    >>> bell.hush()
    >>> select.select([bell], [], [], 0)[0]
    []
    >>> bell.close()
    """

    __slots__ = ("_heard", "_rung")

    def __init__(self) -> None:
        self._heard, self._rung = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._rung, False)

    def fileno(self) -> int:
        """For `select`."""
        return self._heard

    def ring(self) -> None:
        """Wake whoever waits."""
        with contextlib.suppress(BlockingIOError):  # it is full of rings
            os.write(self._rung, b"\0")

    def hush(self) -> None:
        """Forget the rings so far."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._heard, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Give both ends back; once."""
        os.close(self._heard)
        os.close(self._rung)
