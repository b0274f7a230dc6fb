"""What lies between two versions of a line, as far as their manifests tell. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from checkpoints.reading.views import made_at_ms, timestamp
from checkpoints.records.manifest import Manifest, version_number

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


def learned_stretch(one: Manifest, other: Manifest, kept: Iterable[Manifest]) -> Stretch:
    """The offsets that the later of two versions has learned and the earlier had not read.

    Read backwards from the later version: at a rollback, what the version had learned to which it
    went back goes on from there, and what lies between is left out.

    Args:
        kept: Manifests of the line. A rollback that is not among them goes unnoticed: then what
            it forgot is part of the stretch.

    >>> from types import SimpleNamespace as Has
    >>> at = {"t": {"0": 5}}
    >>> one = Has(offsets=at, begins={"t": {"0": 0}}, number=1)
    >>> gone_back = Has(to="v2", gap={"t": {"0": (6, 8)}})
    >>> back = Has(offsets={"t": {"0": 8}}, number=3, rollback=gone_back)
    >>> other = Has(offsets={"t": {"0": 9}}, begins={"t": {"0": 0}}, number=4)
    >>> learned_stretch(one, other, [back])
    {'t': {'0': [(5, 6), (8, 9)]}}
    """
    earlier, later = (one, other) if one.number <= other.number else (other, one)
    number, ends = later.number, _places(later.offsets)
    begins, parts = _places(later.begins), []
    for back in rollbacks_between(kept, earlier.number, later.number):
        if back.number > number or back.rollback is None:
            continue
        offsets = begins | _places(back.offsets)
        parts += _parts(offsets, ends)
        number = version_number(back.rollback.to)
        ends = offsets | {place: gap[0] for place, gap in _places(back.rollback.gap).items()}
    if number > earlier.number:
        parts += _parts(begins | _places(earlier.offsets), ends)
    return _by_partition(sorted(parts))


def rollbacks_between(kept: Iterable[Manifest], first: int, last: int) -> list[Manifest]:
    """The rollbacks after version `first` up to version `last`, newest first."""
    within = [it for it in kept if it.rollback is not None and first < it.number <= last]
    return sorted(within, key=lambda each: -each.number)


def _places(of: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(topic, key): value for topic, each in of.items() for key, value in each.items()}


def _parts(begins: Mapping[Any, int], ends: Mapping[Any, int]) -> list[tuple[Any, int, int]]:
    """From one set of offsets to another, where there is anything between."""
    found = ((place, begins.get(place, 0), end) for place, end in ends.items())
    return [part for part in found if part[1] < part[2]]


def _by_partition(parts: Iterable[tuple[Any, int, int]]) -> Stretch:
    stretch: Stretch = {}
    for (topic, partition), first, end in parts:
        stretch.setdefault(topic, {}).setdefault(partition, []).append((first, end))
    return stretch
