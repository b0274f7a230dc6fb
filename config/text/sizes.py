"""Sizes in bytes as people write them: `1MiB`."""

import re

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
BYTES_MAX = 1 << 50
_UNIT_OF = {unit.lower(): bytes_each for unit, bytes_each in UNITS.items()}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-zA-Z]*)")


def size_bytes(value: object) -> int:
    """Bytes of a size written as a whole number or with a unit; at least 1.

    Args:
        value: `1048576`, `"1MiB"` (1024 * 1024) or `"1MB"` (1000 * 1000).

    Raises:
        ValueError: it is no size, or not between one byte and 1 PiB.

    >>> size_bytes("1MiB"), size_bytes("0.5 KiB"), size_bytes(42)
    (1048576, 512, 42)
    >>> size_bytes("1 Mib/s")
    Traceback (most recent call last):
    ValueError: must be a size such as 65536, 512KiB, 1MiB or 4GiB, not '1 Mib/s'
    """
    found = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or found is None or found[2].lower() not in _UNIT_OF:
        written = repr(value)[:40]
        raise ValueError(f"must be a size such as 65536, 512KiB, 1MiB or 4GiB, not {written}")
    bytes_all = int(float(found[1]) * _UNIT_OF[found[2].lower()])
    if not 1 <= bytes_all <= BYTES_MAX:
        raise ValueError(f"must be between 1 byte and 1 PiB, not {value}")
    return bytes_all


def mib(count: int) -> str:
    """So many bytes as people read them.

    >>> mib(3 << 19)
    '1.5 MiB'
    """
    return f"{count / (1 << 20):,.1f} MiB"
