"""What lies between two versions of a line, as far as their manifests tell. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from checkpoints.reading.views import made_at_ms, timestamp
from checkpoints.records.manifest import Manifest, Rollback

__all__ = ["Stretch", "learned_stretch", "rollbacks_between", "version_difference"]

# topic -> partition -> first offset, next offset; as in a rollback's `gap`.
Stretch: TypeAlias = dict[str, dict[str, list[tuple[int, int]]]]
Body: TypeAlias = dict[str, Any]

_WINDOWS = ("lifetime", "rolling")
_COUNTS = ("learned", "scored", "refused", "skipped", "forgotten", "pending", "labels", "expired")


def version_difference(one: Manifest, other: Manifest) -> Body:
    """Scores, counts, size, offsets and model file of two versions, side by side.

    Args:
        one: Named first, the older one as a rule.
        other: Named second.
    """
    return {
        "model": one.model,
        "from": _facts(one),
        "to": _facts(other),
        "metrics": {name: _score(name, one, other) for name in {**one.metrics, **other.metrics}},
        "offsets": _offsets(one, other),
        "model_file": changed_settings(one.model_file, other.model_file),
        "software": changed_settings(one.software, other.software),
    }


def _facts(manifest: Manifest) -> Body:
    counts = {name: getattr(manifest.counts, name) for name in _COUNTS}
    return {
        "version": manifest.name,
        "kind": manifest.kind,
        "created_at": timestamp(made_at_ms(manifest)),
        **counts,
        "drifts": manifest.drift_total,
        "bytes": manifest.bytes,
    }


def _score(name: str, one: Manifest, other: Manifest) -> Body:
    was, now = one.metrics.get(name, {}), other.metrics.get(name, {})
    return {window: [was.get(window), now.get(window)] for window in _WINDOWS}


def _offsets(one: Manifest, other: Manifest) -> Body:
    """Each partition's next offset in both; None where it was not read yet."""
    topics = {**one.offsets, **other.offsets}
    return {
        topic: {
            partition: [of.offsets.get(topic, {}).get(partition) for of in (one, other)]
            for partition in {**one.offsets.get(topic, {}), **other.offsets.get(topic, {})}
        }
        for topic in topics
    }


def changed_settings(was: Mapping[str, Any], now: Mapping[str, Any]) -> Body:
    """What differs, by its dotted name.

    >>> changed_settings({"scores": {"rolling": 9, "fading": 1}}, {"scores": {"rolling": 8}})
    {'scores.fading': {'was': 1, 'is': None}, 'scores.rolling': {'was': 9, 'is': 8}}
    """
    before, after = dict(_leaves(was)), dict(_leaves(now))
    return {
        path: {"was": before.get(path), "is": after.get(path)}
        for path in sorted({**before, **after})
        if before.get(path) != after.get(path)
    }


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no mapping and no list of them, under its dotted name."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping) and (value or not path):
        items = value.items()
        paths = (f"{path}.{key}" if path else str(key) for key, _ in items)
    elif isinstance(value, list | tuple) and any(isinstance(it, Mapping | list) for it in value):
        items = list(enumerate(value))
        paths = (f"{path}[{key}]" for key, _ in items)
    else:
        yield path, value
        return
    for below, (_, each) in zip(paths, items, strict=True):
        yield from _leaves(each, below)


def rollbacks_between(manifests: Iterable[Manifest], first: int, last: int) -> list[Rollback]:
    """The rollbacks after version `first` up to version `last`, as far as they are kept."""
    within = (each for each in manifests if first < each.number <= last)
    return [each.rollback for each in within if each.rollback is not None]


def learned_stretch(one: Manifest, other: Manifest, rollbacks: Iterable[Rollback]) -> Stretch:
    """The offsets that the later of two versions has read and the earlier has not.

    Args:
        rollbacks: Those between the two: what they forgot is left out, for the later version has
            learned nothing of it.

    >>> from types import SimpleNamespace as Has
    >>> one = Has(offsets={"t": {"0": 5}}, begins={}, number=1)
    >>> other = Has(offsets={"t": {"0": 9, "1": 2}}, begins={}, number=3)
    >>> learned_stretch(one, other, [Has(gap={"t": {"0": (6, 8)}})])
    {'t': {'0': [(5, 6), (8, 9)], '1': [(0, 2)]}}
    """
    earlier, later = (one, other) if one.number <= other.number else (other, one)
    gaps = [each.gap for each in rollbacks]
    found: Stretch = {}
    for topic, partitions in later.offsets.items():
        for partition, end in partitions.items():
            begin = later.begins.get(topic, {}).get(partition, 0)
            first = earlier.offsets.get(topic, {}).get(partition, begin)
            left = [(first, end)] if first < end else []
            for gap in gaps:
                left = _without(left, gap.get(topic, {}).get(partition, (0, 0)))
            if left:
                found.setdefault(topic, {})[partition] = left
    return found


def _without(spans: Iterable[tuple[int, int]], gap: tuple[int, int]) -> list[tuple[int, int]]:
    """What of these spans lies outside the gap."""
    parts = (
        part
        for first, end in spans
        for part in ((first, min(end, gap[0])), (max(first, gap[1]), end))
    )
    return [part for part in parts if part[0] < part[1]]
