"""What a rewind leaves out, as operators write it. Pure.

[TOPIC/]PARTITION:FIRST-LAST    offsets, both included; without a topic, of the events
id:ID                           the event of that id, and labels for it
source:NAME                     CloudEvents' `source`, else the header `weir-source`
time:FROM/TO                    the event's `ts`, else the record's timestamp; TO not included
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from config.text.moments import moment_ms

__all__ = ["SKIPS_MAX", "SKIP_CHARACTERS_MAX", "OffsetSkip", "Skips", "TimeSkip", "skips_of"]

SKIPS_MAX = 100
SKIP_CHARACTERS_MAX = 1_000
_OFFSETS = re.compile(r"(?:([A-Za-z0-9._-]{1,249})/)?(\d{1,9}):(\d{1,18})-(\d{1,18})", re.ASCII)


class OffsetSkip(Struct, frozen=True, kw_only=True):
    """Offsets of one partition, both included; `topic` is None for the events topic."""

    topic: str | None
    partition: int
    first: int
    last: int


class TimeSkip(Struct, frozen=True, kw_only=True):
    """From a moment to another, that one not included; milliseconds since 1970."""

    from_ms: int
    to_ms: int


class Skips(Struct, frozen=True, kw_only=True):
    """All that one order leaves out; a record is left out that any of them means."""

    offsets: tuple[OffsetSkip, ...] = ()
    ids: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    times: tuple[TimeSkip, ...] = ()

    @property
    def asks_content(self) -> bool:
        """Whether a record must be decoded to know whether it is left out."""
        return bool(self.ids or self.times)

    @property
    def asks_records(self) -> bool:
        """Whether a record must be read to know whether it is left out: its place does not tell."""
        return self.asks_content or bool(self.sources)

    def has_offset(self, topic: str, partition: int, offset: int, *, events: str) -> bool:
        """Whether it is left out by its place; `events` names the events topic.

        >>> skips = skips_of(["0:5-9"])
        >>> skips.has_offset("m.events", 0, 9, events="m.events")
        True
        """
        return any(
            each.partition == partition
            and each.first <= offset <= each.last
            and (each.topic or events) == topic
            for each in self.offsets
        )

    def has_time(self, at_ms: float) -> bool:
        """Whether it is left out by its time."""
        return any(each.from_ms <= at_ms < each.to_ms for each in self.times)


def skips_of(texts: Sequence[str]) -> Skips:
    """The skips that these texts mean.

    Raises:
        ValueError: One of them means nothing; the message says which, and how they are written.

    >>> skips_of(["1:7-9", "id:a", "source:till-3"]).offsets
    (OffsetSkip(topic=None, partition=1, first=7, last=9),)
    >>> skips_of(["7-9"])
    Traceback (most recent call last):
    ...
    ValueError: '7-9' is no skip: PARTITION:FIRST-LAST, id:ID, source:NAME or time:FROM/TO
    """
    if len(texts) > SKIPS_MAX:
        raise ValueError(f"{len(texts)} skips, at most {SKIPS_MAX}: a span of time may be one")
    offsets, ids, sources, times = [], set(), set(), []
    for text in texts:
        kind, _, rest = text.partition(":")
        if len(text) > SKIP_CHARACTERS_MAX:
            raise ValueError(f"a skip of {len(text)} characters, at most {SKIP_CHARACTERS_MAX}")
        if kind == "id" and rest:
            ids.add(rest)
        elif kind == "source" and rest:
            sources.add(rest)
        elif kind == "time":
            times.append(_time(text, rest))
        else:
            offsets.append(_offsets(text))
    return Skips(
        offsets=tuple(offsets), ids=frozenset(ids), sources=frozenset(sources), times=tuple(times)
    )


def _offsets(text: str) -> OffsetSkip:
    found = _OFFSETS.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text[:80]!r} is no skip: PARTITION:FIRST-LAST, id:ID, source:NAME or time:FROM/TO"
        )
    topic, partition, first, last = found.groups()
    if int(last) < int(first):
        raise ValueError(f"{text!r} ends before it begins")
    return OffsetSkip(topic=topic, partition=int(partition), first=int(first), last=int(last))


def _time(text: str, rest: str) -> TimeSkip:
    begin, slash, end = rest.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is no span of time: time:FROM/TO, each such as "
                         "2026-11-20T12:00:00Z")  # fmt: skip
    found = TimeSkip(from_ms=moment_ms(begin), to_ms=moment_ms(end))
    if found.to_ms <= found.from_ms:
        raise ValueError(f"{text!r} ends before it begins")
    return found
