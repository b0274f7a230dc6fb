"""Which versions to keep: the newest few, then ever fewer as they age. Pure arithmetic."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Kept", "Keep", "to_keep"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


class Keep(Protocol):
    """The model file's `checkpoint.keep`."""

    @property
    def last(self) -> int: ...
    @property
    def minutely(self) -> int: ...
    @property
    def hourly(self) -> int: ...
    @property
    def daily(self) -> int: ...
    @property
    def max_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What retention looks at: a version's number, when its snapshot was cut, its stored bytes.

    `is_fallow`: nothing was learned since the version before it.
    """

    number: int
    created_at_ms: int
    bytes: int
    is_fallow: bool = False


def to_keep(
    versions: Iterable[Kept], *, keep: Keep, protected: Collection[int], now_ms: int
) -> set[int]:
    """The numbers of the versions to keep; the others may go.

    Kept are the newest `last`, and the newest of each of the latest `minutely` minutes, `hourly`
    hours and `daily` days (UTC) in which there was any: a learner that stood still for a week
    loses nothing by it. Over `max_bytes` the oldest of these go first. The newest version and
    the protected ones stay whatever they weigh, and count. A fallow version holds the model of the
    one before it: it takes nobody's place, and stays only as the newest, or protected.

    Args:
        protected: Numbers of the head and of what is pinned, tagged or being served.
        now_ms: The present (Unix, UTC). A version dated later counts as made now, so that a
            clock that once ran ahead does not hold places in every minute to come.

    >>> from types import SimpleNamespace as Rules
    >>> rules = Rules(last=2, minutely=3, hourly=0, daily=0, max_bytes=1000)
    >>> every_20_s = [Kept(n, n * 20_000, 10) for n in range(1, 13)]
    >>> sorted(to_keep(every_20_s, keep=rules, protected=[1], now_ms=240_000))
    [1, 8, 11, 12]
    """
    newest_first = sorted(versions, key=lambda version: -version.number)
    newest = {version.number for version in newest_first[:1]}
    worthy = [version for version in newest_first if not version.is_fallow]
    chosen = {version.number for version in worthy[: max(keep.last, 1)]}
    for count, width_ms in (
        (keep.minutely, _MINUTE_MS),
        (keep.hourly, _HOUR_MS),
        (keep.daily, _DAY_MS),
    ):
        chosen |= _newest_of_each(worthy, count=count, width_ms=width_ms, now_ms=now_ms)
    protected = {*protected, *newest}
    return set(_within(newest_first, chosen, protected, bytes_max=keep.max_bytes))


def _newest_of_each(
    newest_first: Iterable[Kept], *, count: int, width_ms: int, now_ms: int
) -> set[int]:
    newest: dict[int, int] = {}
    for version in newest_first:
        newest.setdefault(min(version.created_at_ms, now_ms) // width_ms, version.number)
    return {newest[span] for span in sorted(newest, reverse=True)[:count]}


def _within(
    newest_first: Iterable[Kept], chosen: set[int], protected: Collection[int], *, bytes_max: int
) -> Iterator[int]:
    versions = list(newest_first)
    left = bytes_max - sum(v.bytes for v in versions if v.number in protected)
    is_full = False
    for version in versions:
        if version.number in protected:
            yield version.number
        elif version.number in chosen and not is_full:
            left -= version.bytes
            is_full = left < 0
            if not is_full:
                yield version.number
