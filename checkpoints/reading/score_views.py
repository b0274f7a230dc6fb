"""How scores change from version to version and from model to model; what features are worth."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from checkpoints.errors import BadCommand, NotFound
from checkpoints.reading.reader import Damaged, Entry
from checkpoints.reading.views import Body, timestamp, versions_page
from checkpoints.records.control import Control
from checkpoints.records.manifest import BASELINES, SCORE_WINDOWS, Manifest, Version
from config.model.better import is_better

__all__ = ["Pair", "best_of", "compared", "importance_view", "nearest_pair",
           "scored_versions_page", "scores_view", "score_columns"]  # fmt: skip

_COMPARED = ("lifetime", "rolling")
_WINDOW = 1000  # scored events, where a manifest does not say
# Of what both models have read, the last part, in which two versions may be found that are level.
_LAST_SHARE = 0.1


def scored_versions_page(
    found: Sequence[Entry],
    *,
    limit: int,
    control: Control | None,
    serving: Iterable[str] = (),
    best: str | None,
) -> Body:
    """`GET …/versions`: each item with its scores, their change, and whether it is the best.

    Args:
        found: As of `versions_page`.
        best: The id of the best of all versions kept (`best_of`).
    """
    body = versions_page(found, limit=limit, control=control, serving=[*serving])
    sound = [each for each in found if not isinstance(each, Damaged)]
    before = {later.id: earlier.manifest for later, earlier in pairwise(sound)}
    manifests = {each.id: each.manifest for each in sound}
    for item in body["items"]:
        item["scores"] = _changes(manifests[item["id"]], before.get(item["id"]))
        item["best"] = item["id"] == best
    return body


def _changes(manifest: Manifest, before: Manifest | None) -> Body:
    """Each score over the life, rolling, and how the rolling one changed; null where unknown."""
    changes: Body = {}
    for name in _listed(manifest):
        score = manifest.metrics[name]
        rolling = score.get("rolling")
        was = before.metrics.get(name, {}).get("rolling") if before else None
        changes[name] = {
            "lifetime": score.get("lifetime"),
            "rolling": rolling,
            "change": None if rolling is None or was is None else rolling - was,
        }
    return changes


def best_of(kept: Iterable[Entry]) -> str | None:
    """The id of the version with the best rolling value of the first score.

    Of those whose rolling window is full: a few lucky events are no merit. The newest of equals.

    Args:
        kept: All versions, newest first; those that are damaged are passed over.
    """
    best: tuple[str, float] | None = None
    score: str | None = None
    for each in kept:
        if isinstance(each, Damaged) or not each.manifest.metrics:
            continue
        manifest = each.manifest
        score = score or _listed(manifest)[0]
        rolling = manifest.metrics.get(score, {}).get("rolling")
        if rolling is None or manifest.counts.scored < _window(manifest):
            continue
        if best is None or is_better(score, rolling, best[1]):
            best = each.id, rolling
    return best[0] if best else None


def _listed(manifest: Manifest) -> list[str]:
    """Its scores, in the order of the model file; a manifest has them by name."""
    listed = manifest.model_file.get("metrics")
    order = list(listed) if isinstance(listed, Sequence) else []
    names = [name for name in order if name in manifest.metrics]
    return [*names, *(name for name in manifest.metrics if name not in names)]


def _window(manifest: Manifest) -> int:
    windows = manifest.model_file.get("scores")
    length = windows.get("rolling") if isinstance(windows, Mapping) else None
    return length if isinstance(length, int) else _WINDOW


def scores_view(model: str, kept: Iterable[Version], *, best: str | None) -> Body:
    """`weir scores`: every score of the versions kept, oldest first.

    Args:
        kept: In this order.
        best: The id of the best of them (`best_of`).
    """
    items = [
        {
            "version": each.manifest.name,
            "kind": each.manifest.kind,
            "created_at": timestamp(each.manifest.created_at_ms),
            "learned": each.manifest.counts.learned,
            "scored": each.manifest.counts.scored,
            "best": each.id == best,
            "metrics": {name: dict(each.manifest.metrics[name]) for name in _listed(each.manifest)},
        }
        for each in kept
    ]
    return {"model": model, "items": items}


def score_columns(items: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each score and what is known of it: windows, then baselines, then the interval's ends.

    >>> score_columns([{"metrics": {"MAE": {"mean": 2.0, "lifetime": 1.0}}}])
    [('MAE', 'lifetime'), ('MAE', 'mean')]
    """
    order = (*SCORE_WINDOWS, *BASELINES, "low", "high")
    found: dict[str, set[str]] = {}
    for item in items:
        for name, score in item["metrics"].items():
            found.setdefault(name, set()).update(score)
    return [(name, key) for name, keys in found.items() for key in order if key in keys]


class Pair(Struct, frozen=True, kw_only=True):
    """Two versions of two models that have read the same records, or nearly.

    Attributes:
        topic: Whose records.
        one, other: The versions.
        apart: Records that one has read more than the other, below zero if less.
        begins_alike: Both began at the same record of each partition.
    """

    topic: str
    one: Version
    other: Version
    apart: int
    begins_alike: bool


def nearest_pair(one: Sequence[Version], other: Sequence[Version]) -> Pair:
    """Where two models stood when they had read equally far.

    In the last tenth of what both have read, the two versions that are nearest; the newest of
    those that are equally near.

    Args:
        one, other: The versions kept of each, newest first, at least one.

    Raises:
        BadCommand: They do not read the same topic.
    """
    topic = _common_topic(one[0].manifest, other[0].manifest)
    places = [(_read(each, topic), each) for each in other]
    level = min(_read(one[0], topic), places[0][0])
    least = level * (1 - _LAST_SHARE)
    pairs = [
        (abs(at - place), -min(at, place), each, mate)
        for each in one
        for at in [_read(each, topic)]
        for place, mate in [min(places, key=lambda found: abs(found[0] - at))]
    ]
    late = [pair for pair in pairs if -pair[1] >= least] or pairs
    _, _, first, second = min(late, key=lambda pair: pair[:2])
    begins = (first.manifest.begins.get(topic), second.manifest.begins.get(topic))
    return Pair(
        topic=topic,
        one=first,
        other=second,
        apart=_read(first, topic) - _read(second, topic),
        begins_alike=begins[0] == begins[1],
    )


def _common_topic(one: Manifest, other: Manifest) -> str:
    common = [topic for topic in one.offsets if topic in other.offsets]
    if not common:
        topics = [", ".join(each.offsets) or "nothing yet" for each in (one, other)]
        raise BadCommand(
            f"{one.model} reads {topics[0]}, {other.model} {topics[1]}",
            advice="models are compared that read the same events: give one of them the other's "
            "`topics:` in its model file, or try both on one file",
        )
    return max(common, key=lambda topic: sum(one.offsets[topic].values()))


def _read(version: Version, topic: str) -> int:
    return sum(version.manifest.offsets.get(topic, {}).values())


def compared(pair: Pair) -> Body:
    """`weir compare`: the scores of both, and how far apart they are."""
    manifests = (pair.one.manifest, pair.other.manifest)
    names = dict.fromkeys(name for each in manifests for name in _listed(each))
    return {
        "topic": pair.topic,
        "models": [_place(each, pair.topic) for each in (pair.one, pair.other)],
        "records_apart": pair.apart,
        "began_alike": pair.begins_alike,
        "metrics": {
            name: {window: _window_of(name, window, manifests) for window in _COMPARED}
            for name in names
        },
    }


def _place(version: Version, topic: str) -> Body:
    counts = version.manifest.counts
    return {
        "model": version.manifest.model,
        "version": version.manifest.name,
        "read": _read(version, topic),
        "learned": counts.learned,
        "scored": counts.scored,
    }


def _window_of(name: str, window: str, manifests: tuple[Manifest, Manifest]) -> Body:
    """Both values of a score, how far the first is above the second, and whose is better."""
    one, other = (each.metrics.get(name, {}).get(window) for each in manifests)
    body: Body = {"values": [one, other], "difference": None, "better": None}
    if one is None or other is None:
        return body
    body["difference"] = one - other
    if one != other:
        body["better"] = manifests[0 if is_better(name, one, other) else 1].model
    return body


def importance_view(manifest: Manifest, segment: bytes | None) -> Body:
    """`GET …/importance`, from the raw bytes of a version's segment "importance".

    Raises:
        NotFound: The version has none.
    """
    if segment is None:
        raise NotFound(
            f"{manifest.model} {manifest.name} has no importance of features",
            advice="write  importance: {every: 64}  in the model file, of a model of River's or of "
            "your own; it is there with the next version",
        )
    body: Body = msgspec.json.decode(segment)
    return body
