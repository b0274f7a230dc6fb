"""Hints of what has moved, of the store over dictionaries: bytes in a pipe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from checkpoints.records.line import Line


class MemoryHints:
    """Hints as bytes in a pipe."""

    def __init__(self, lines: Sequence[Line], on_close: Callable[[MemoryHints], None]) -> None:
        self._lines, self._on_close = frozenset(lines), on_close
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)

    def tell(self, line: Line) -> None:
        """There is one, if it is ours."""
        if line in self._lines:
            with contextlib.suppress(BlockingIOError):  # full: it is told already
                os.write(self._write_end, b"!")

    def fileno(self) -> int:
        return self._read_end

    def take(self) -> bool:
        try:
            return bool(os.read(self._read_end, 1 << 16))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self._on_close(self)
        os.close(self._read_end)
        os.close(self._write_end)
