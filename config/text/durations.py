"""Spans of time as people write them: `90s`, `7d`."""

import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([smhd])")
DAYS_MAX = 36_500


def duration_s(value: object) -> float:
    """Seconds of a span written as a number and its unit; at least a millisecond.

    Raises:
        ValueError: it is no span, or is none, or more than a hundred years.

    >>> duration_s("1.5h"), duration_s("7d")
    (5400.0, 604800.0)
    >>> duration_s("0s")
    Traceback (most recent call last):
    ValueError: must be between 0.001s and 36500d, not '0s'
    """
    found = _DURATION.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"must be a span such as 30s, 15m, 12h or 7d, not {value!r}")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not 0.001 <= seconds <= DAYS_MAX * 86400:
        raise ValueError(f"must be between 0.001s and {DAYS_MAX}d, not {value!r}")
    return seconds
