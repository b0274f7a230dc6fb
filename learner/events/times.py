"""Times as events write them (RFC 3339)."""

import re
from datetime import UTC, datetime, timedelta

_YEAR = "(?!0000)[0-9]{4}"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_HOUR_AND_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
# Exact, for the OpenAPI document too: no day that its month has not, leap seconds included.
RFC_3339 = (
    rf"{_DAY}[Tt ]{_HOUR_AND_MINUTE}:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    f"(?:[Zz]|[+-]{_HOUR_AND_MINUTE})"
)
_EPOCH, _MS = datetime.fromtimestamp(0, UTC), timedelta(milliseconds=1)
_matches = re.compile(RFC_3339).fullmatch


def is_rfc3339(text: str) -> bool:
    """Whether `text` is a time with its offset, as RFC 3339 writes it.

    >>> is_rfc3339("2016-12-31T23:59:60Z"), is_rfc3339("2024-02-29t12:00:00.5z")
    (True, True)
    >>> is_rfc3339("2026-11-20T12Z"), is_rfc3339("20261120T120000Z")
    (False, False)
    >>> is_rfc3339("2026-02-29T12:00:00Z"), is_rfc3339("2026-11-20T12:60:00Z")
    (False, False)
    """
    return _matches(text) is not None


def time_ms(text: str) -> float:
    """The milliseconds since 1970 of a time that `is_rfc3339`; a leap second is the next one.

    >>> time_ms("1970-01-01t00:00:01.5z"), time_ms("2016-12-31T23:59:60Z")
    (1500.0, 1483228800000.0)
    """
    upper = text.upper()
    is_leap = upper[17:19] == "60"
    whole = f"{upper[:17]}59{upper[19:]}" if is_leap else upper
    return (datetime.fromisoformat(whole) - _EPOCH) / _MS + (1000 if is_leap else 0)
