"""Times as events write them (RFC 3339)."""

import re
from datetime import date

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


def is_rfc3339(text: str) -> bool:
    """Whether `text` is a time with its offset, as RFC 3339 writes it, leap seconds included.

    >>> is_rfc3339("2016-12-31T23:59:60Z"), is_rfc3339("2026-11-20t12:00:00.5z")
    (True, True)
    >>> is_rfc3339("2026-11-20T12Z"), is_rfc3339("20261120T120000Z")
    (False, False)
    >>> is_rfc3339("2026-02-29T12:00:00Z"), is_rfc3339("2026-11-20T12:60:00Z")
    (False, False)
    """
    if _RFC_3339.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:  # no such day
        return False
    return True
