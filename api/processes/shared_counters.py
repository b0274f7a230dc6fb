"""Counters of several processes in memory that all of them share, one book each.

A process writes in its own book only, so nothing is locked; the sum over all books is what the
processes have counted together. Whoever takes over a dead one's book goes on where that stopped:
nothing that was counted is lost, however the process ended.
"""

import mmap

import numpy as np

NOW_AT = 0  # the one cell that is no count: what the process does at the moment
_CELL_BYTES = 8
_CELLS = 16_384  # in a book; routes, their statuses and a few hundred models take less


class SharedCounters:
    """The books.

    Args:
        books: How many processes can write at once.

    >>> tallies = SharedCounters(books=2)
    >>> for number in (0, 1):
    ...     tallies.book(number)[5] += 2.5
    >>> float(tallies.sums()[5])
    5.0
    """

    def __init__(self, books: int = 1) -> None:
        # Anonymous and shared: forked processes write to the same memory.
        self._memory = mmap.mmap(-1, books * _CELLS * _CELL_BYTES)
        self._cells = memoryview(self._memory).cast("d")
        self._books = books

    def book(self, number: int) -> "memoryview[float]":
        """The cells of one book, floats."""
        return self._cells[number * _CELLS : (number + 1) * _CELLS]

    def end(self, number: int) -> None:
        """The book's process has ended: it does nothing at the moment."""
        self.book(number)[NOW_AT] = 0.0

    def sums(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """Of each cell over all books."""
        cells = np.frombuffer(self._memory, dtype=np.float64).reshape(self._books, _CELLS)
        found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = cells.sum(axis=0)
        return found
