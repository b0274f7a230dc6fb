"""Memory in pages of 2 MiB, so that a fork has less of the learner to copy.

Forking copies the table of the learner's pages, which learning waits for: 4 KiB each, 30,000 where
nothing but the imports is in memory. A page that the learner writes to afterwards is split off, so
the gain stays where learning does not reach, which is nearly everywhere.

Source: Linux, Documentation/admin-guide/mm/transhuge.rst; madvise(2), MADV_COLLAPSE.
"""

import ctypes
import logging
import re
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_MAPS = Path("/proc/self/maps")
# Writable memory that is no file's: the heap, and what Python asks the system for.
_OURS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ 00:00 0 *(?:\[heap\])?$")
_SIZE = 2 << 20
_MADV_COLLAPSE = 25  # Linux 6.1; elsewhere the number means nothing and is refused


def use_huge_pages() -> int:
    """Gather this process's memory in huge pages, as far as the system has them; bytes gathered.

    It takes a second for a gigabyte. A system that cannot, or will not, leaves all as it was.
    """
    try:
        maps = _MAPS.read_text()
    except FileNotFoundError:
        return 0
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    pages = [page for page in _fitting(maps) if advise(page, _SIZE, _MADV_COLLAPSE) == 0]
    if not pages:
        log.info("this system gathers no huge pages on demand: commits stall learning for longer")
    return len(pages) * _SIZE


def _fitting(maps: str) -> Iterator[int]:
    """Where huge pages fit into memory of our own: their addresses.

    >>> [hex(page) for page in _fitting("00210000-00800000 rw-p 00000000 00:00 0\\n")]
    ['0x400000', '0x600000']
    >>> list(_fitting("00210000-003ff000 rw-p 00000000 00:00 0    [heap]\\n"))
    []
    """
    for line in maps.splitlines():
        found = _OURS.match(line)
        if found is not None:
            begin, end = (int(number, 16) for number in found.groups())
            yield from range(-(-begin // _SIZE) * _SIZE, end - _SIZE + 1, _SIZE)
