"""Memory that buffers of fetches have left behind, given back once there is nothing to fetch.

The C library keeps what was freed below the top of its heap. After a long stretch of log that is
tens of megabytes, which a line that has caught up does not need for long.

Source: malloc_trim(3).
"""

import ctypes

# Looked up once; another C library than glibc has none, and keeps what it keeps.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give the system what is free; some milliseconds."""
    if _trim is not None:
        _trim(0)
