"""What going back to a version would do: how much is forgotten or replayed, and how long it takes.

From the manifests alone, so it costs nothing; whether the log still holds what is to be replayed is
asked by a function that is handed in, since nothing here reads a log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, field

from checkpoints.errors import Refused
from checkpoints.reading.views import timestamp
from checkpoints.records.manifest import Manifest, Offsets, Version
from checkpoints.records.skips import Skips, skips_of
from checkpoints.stores.presence import Beat

__all__ = ["AskLog", "CannotReplay", "Going", "going_back"]

# Raises CannotReplay where the log no longer has what came after a version, and Unavailable where
# it does not answer: the version, and the head.
AskLog: TypeAlias = Callable[[Manifest, Manifest], None]


class CannotReplay(Refused):
    """What came after the version cannot be replayed; `--mode forget` needs no log."""

    def __init__(self, line: object, what: str) -> None:
        super().__init__(
            f"{line}: {what}",
            advice="choose a later version (`weir versions`), or go back with --mode forget, which "
            "replays nothing",
        )


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
    """
    now, then = head.manifest, to.manifest
    between = max(0, _ever_learned(now) - _ever_learned(then))
    skips = skips_of(skip)
    forgotten = max(0, now.counts.learned - then.counts.learned)
    replayed = 0
    if is_rewind:
        forgotten = min(between, _offsets_left_out(skips, now, then))
        replayed = between - forgotten
    rate = _rate(learner)
    body = {
        "versions": now.number - then.number,
        "since": timestamp(then.created_at_ms),
        "until": timestamp(now.created_at_ms),
        "records": _records_between(now.offsets, then.offsets, now.begins),
        "scores": {
            name: {"then": windows.get("lifetime"), "now": _lifetime(now, name)}
            for name, windows in then.metrics.items()
        },
        "events_per_second": rate,
        "seconds": replayed / rate if rate else None,
        "is_at_most": skips.asks_content or bool(skips.sources),
    }
    return Going(forgotten=forgotten, replayed=replayed, body=body)


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
    events = now.model_file.get("topics", {}).get("events", f"{now.model}.events")
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for skip in skips.offsets:
        topic, partition = skip.topic or events, str(skip.partition)
        begin = now.begins.get(topic, {}).get(partition, 0)
        first = max(skip.first, then.offsets.get(topic, {}).get(partition, begin))
        end = min(skip.last + 1, now.offsets.get(topic, {}).get(partition, 0))
        spans.setdefault((topic, partition), []).append((first, end))
    return sum(map(_length, spans.values()))


def _length(spans: list[tuple[int, int]]) -> int:
    """How many offsets of one partition stand in any of these."""
    length = at = 0
    for first, end in sorted(spans):
        length += max(0, end - max(first, at))
        at = max(at, end)
    return length
