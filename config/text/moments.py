"""Moments as people type them: RFC 3339, with a time zone."""

from datetime import UTC, datetime, timedelta

_EPOCH, _MS = datetime.fromtimestamp(0, UTC), timedelta(milliseconds=1)


def moment_ms(text: str) -> int:
    """The milliseconds since 1970 of a time.

    Raises:
        ValueError: It is none, has no time zone, or is no time of the years 1970 to 9999; the
            message says so.

    >>> moment_ms("2023-11-14T22:13:20.250Z")
    1700000000250
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time (RFC 3339), such as 2026-11-20T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone: end it with Z")
    if not _EPOCH <= moment <= datetime.max.replace(tzinfo=UTC):
        raise ValueError(f"{text} is no time of the years 1970 to 9999")
    return (moment - _EPOCH) // _MS
