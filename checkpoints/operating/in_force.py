"""Whom an order waits for, by their heartbeats, which are unsigned: nonsense holds nobody up."""

from checkpoints.reading.views import timestamp
from checkpoints.stores.presence import BEAT_SHOWN_S, Beat


def obeyed_seq(beat: Beat) -> int:
    """The number of the newest command that it says to obey; -1 where it says nonsense."""
    found = beat.get("control_seq", 0)
    return found if isinstance(found, int) else -1


def is_behind(beat: Beat, seq: int) -> bool:
    """Whether it is at work and does not obey command `seq` yet."""
    is_at_work = beat.get("state") not in ("stopped", "failed")
    return is_at_work and 0 <= obeyed_seq(beat) < seq


def named(who: str, beat: Beat, now_ms: int) -> str:
    """Its name, and since when it has been silent, if it has.

    >>> named("api web-1:8000", {"at_ms": 1_700_000_000_000}, now_ms=1_700_000_004_000)
    'api web-1:8000 (silent since 2023-11-14T22:13:20.000Z)'
    >>> named("api web-1:8000", {"at_ms": 1_700_000_000_000}, now_ms=1_700_000_001_000)
    'api web-1:8000'
    """
    at_ms = beat.get("at_ms")
    if not isinstance(at_ms, int) or not 0 <= at_ms < now_ms - 1000 * BEAT_SHOWN_S:
        return who
    return f"{who} (silent since {timestamp(at_ms)})"
