"""What going back, or beginning anew, would do: what is forgotten, what replayed, and for how long.

From the manifests alone, so it costs nothing; whether the log still holds what is to be replayed is
asked by a function that is handed in, since nothing here reads a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, field

from checkpoints.errors import BadCommand, Refused
from checkpoints.reading.views import timestamp
from checkpoints.records.manifest import Manifest, Offsets, Version
from checkpoints.records.skips import OffsetSkip, Skips, skips_of
from checkpoints.stores.presence import Beat

__all__ = ["AskLog", "CannotReplay", "Going", "beginning_anew", "going_back"]

# Raises CannotReplay where the log no longer has what came after a version, and Unavailable where
# it does not answer: the version, and the head.
AskLog: TypeAlias = Callable[[Manifest, Manifest], None]


class CannotReplay(Refused):
    """What came after the version cannot be replayed; `--mode forget` needs no log."""

    def __init__(
        self,
        line: object,
        lost: str,
        *,
        advice: str = "choose a later version (`weir versions`), or go back with --mode forget, "
        "which replays nothing",
    ) -> None:
        super().__init__(f"{line}: {lost}", advice=advice)
        self.line, self.lost = line, lost


class Going(Struct, frozen=True, kw_only=True):
    """What going back from one version to another comes to.

    Attributes:
        forgotten: Learned events that the model would no longer have; of a rewind at most: those
            in the offsets that it leaves out.
        replayed: Learned events that would be learned again.
        body: For whoever asks before it is done.
    """

    forgotten: int
    replayed: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)


def going_back(
    head: Version, to: Version, *, is_rewind: bool, skip: Sequence[str] = (), learner: Beat | None
) -> Going:
    """What going back from the head to a version would do to the line.

    Args:
        skip: What a rewind leaves out, as it is written.
        learner: The heartbeat, which says how fast the line learns.

    Raises:
        BadCommand: A skip by offset can leave nothing out.
    """
    now, then = head.manifest, to.manifest
    records = _records_between(now.offsets, then.offsets, now.begins)
    skips = skips_of(skip)
    forgotten = max(0, now.counts.learned - then.counts.learned)
    replayed, notes = 0, list(_notes(skips, now, then))
    if is_rewind:
        between = min(records, max(0, _ever_learned(now) - _ever_learned(then)))
        forgotten = min(between, _offsets_left_out(skips, now, then))
        replayed = between - forgotten
    body = {
        "versions": now.number - then.number,
        "since": timestamp(then.created_at_ms),
        "records": records,
        "scores": {
            name: {"then": windows.get("lifetime"), "now": _lifetime(now, name)}
            for name, windows in then.metrics.items()
        },
        "is_at_most": skips.asks_records,
        "notes": notes,
    }
    body |= _ahead(now, replayed, learner)
    return Going(forgotten=forgotten, replayed=replayed, body=body)


def beginning_anew(head: Version, *, start: str | int | None, learner: Beat | None) -> Going:
    """What a new beginning would do to the line: a reset, or what is learned again from the log.

    Args:
        start: Where it is learned again, "earliest" or milliseconds since 1970; None: a reset.
        learner: The heartbeat, which says how fast the line learns.
    """
    now = head.manifest
    if start is None:
        return Going(forgotten=now.counts.learned)
    body: dict[str, Any] = {
        "versions": now.number,
        "since": None,
        "records": _records_between(now.offsets, {}, now.begins),
        "scores": {name: {"then": None, "now": _lifetime(now, name)} for name in now.metrics},
        "is_at_most": start != "earliest",
        "notes": [],
    }
    replayed = now.learned_here
    return Going(forgotten=0, replayed=replayed, body=body | _ahead(now, replayed, learner))


def _ahead(now: Manifest, replayed: int, learner: Beat | None) -> dict[str, Any]:
    """Up to when what is replayed was read, and how long that takes."""
    rate = _rate(learner)
    return {
        "until": timestamp(now.created_at_ms),
        "events_per_second": rate,
        "seconds": replayed / rate if rate else None,
    }


def _ever_learned(manifest: Manifest) -> int:
    return manifest.counts.learned + manifest.counts.forgotten


def _lifetime(manifest: Manifest, name: str) -> float | None:
    return manifest.metrics.get(name, {}).get("lifetime")


def _rate(learner: Beat | None) -> float | None:
    """Events a second while it does nothing else, as the learner's unsigned heartbeat says."""
    found = (learner or {}).get("events_per_second")
    return float(found) if isinstance(found, int | float) and found > 0 else None


def _records_between(now: Offsets, then: Offsets, begins: Offsets) -> int:
    """Offsets read after a version, over all partitions."""
    return sum(
        max(0, at - then.get(topic, {}).get(partition, begins.get(topic, {}).get(partition, 0)))
        for topic, partitions in now.items()
        for partition, at in partitions.items()
    )


def _offsets_left_out(skips: Skips, now: Manifest, then: Manifest) -> int:
    """How many of the offsets to be replayed stand in the skips by offset."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for skip in skips.offsets:
        place = topic, partition = _place(skip, now)
        first = max(skip.first, _next(then, now, place))
        end = min(skip.last + 1, now.offsets[topic][partition])
        spans.setdefault(place, []).append((first, end))
    return sum(map(_length, spans.values()))


def _place(skip: OffsetSkip, now: Manifest) -> tuple[str, str]:
    """The topic and the partition that are meant, which the line reads."""
    topic = skip.topic or now.model_file.get("topics", {}).get("events", f"{now.model}.events")
    partitions = now.offsets.get(topic)
    if partitions is None:
        advice = f"it reads {', '.join(sorted(now.offsets))}"
        raise BadCommand(f"{now.line} reads no topic {topic}", advice=advice, field="skip")
    if str(skip.partition) not in partitions:
        advice = f"it reads {', '.join(sorted(partitions, key=int))}"
        what = f"{now.line} reads no partition {skip.partition} of {topic}"
        raise BadCommand(what, advice=advice, field="skip")
    return topic, str(skip.partition)


def _next(manifest: Manifest, now: Manifest, place: tuple[str, str]) -> int:
    """The next offset of a partition, which a version may not have known."""
    topic, partition = place
    begin = now.begins.get(topic, {}).get(partition, 0)
    return manifest.offsets.get(topic, {}).get(partition, begin)


def _notes(skips: Skips, now: Manifest, then: Manifest) -> Iterator[str]:
    """What of the skips by offset lies before what is replayed, or beyond it.

    Raises:
        BadCommand: All of one lies before: the version gone back to has learned it.
    """
    for skip in skips.offsets:
        topic, partition = place = _place(skip, now)
        name, begin, end = f"{topic}-{partition}", _next(then, now, place), now.offsets[topic]
        if skip.first < begin:
            before = f"{name} {skip.first}-{min(skip.last, begin - 1)} was read before {then.name}"
            advice = "go back to an earlier version to leave it out"
            if skip.last < begin:
                raise BadCommand(f"{before}, which has it", advice=advice, field="skip")
            yield f"{before}, and stays as it was: {advice}"
        if skip.last >= end[partition]:
            yield (
                f"{name} {max(skip.first, end[partition])}-{skip.last} was not read yet: what of "
                "it comes before the replay has caught up is left out"
            )


def _length(spans: list[tuple[int, int]]) -> int:
    """How many offsets of one partition stand in any of these."""
    length = at = 0
    for first, end in sorted(spans):
        length += max(0, end - max(first, at))
        at = max(at, end)
    return length
