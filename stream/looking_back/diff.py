"""`weir diff`: two versions side by side, what was learned between them, and what it moved."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from checkpoints.reading.difference import (
    learned_stretch,
    rollbacks_between,
    version_difference,
)
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.records.manifest import Manifest, Version
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.served_model import Judged, ServedModel
from learner.tasks import TASKS
from learner.values import Event
from stream.looking_back.event_log import EventLog
from stream.looking_back.judging.judged import Jury, asked
from stream.looking_back.judging.models import NotLoadedError, VersionModels
from stream.looking_back.learned import learned_between

Body = dict[str, Any]


def diff(
    kafka: KafkaSettings,
    reader: LineReader,
    models: VersionModels,
    versions: tuple[Version, Version],
    *,
    limit: int,
    events: int,
) -> Body:
    """All that tells two versions of a line apart.

    Args:
        limit: Records read between the two, at most.
        events: The last labelled events that both are asked about, at most.

    Raises:
        KafkaUnavailableError, StoreUnavailable: One of the two does not answer.
        ModelFileNotUnderstoodError: The later version's cannot be read.
    """
    one, other = (version.manifest for version in versions)
    later = max(one, other, key=lambda each: each.number)
    earlier = other if later is one else one
    model_file = models.model_file(later)
    body = version_difference(one, other)
    with closing(EventLog(kafka, model_file, later)) as log:
        kept = _manifests(reader, earlier)
        stretch = learned_stretch(one, other, kept)
        body["between"] = learned_between(log, model_file, stretch, limit=limit)
        body["between"]["rollbacks"] = _rollbacks(kept, earlier, later)
        asked_about = log.last_labelled(later, events)
    return body | _moved(models, versions, model_file, asked_about)


def _manifests(reader: LineReader, down_to: Manifest) -> list[Manifest]:
    """Those that are kept from the head down to a version."""
    found = []
    for each in reader.kept():
        if each.number <= down_to.number:
            break
        if not isinstance(each, Damaged):
            found.append(each.manifest)
    return found


def _rollbacks(kept: Sequence[Manifest], earlier: Manifest, later: Manifest) -> list[str]:
    """Those between the two versions, in words."""
    found = rollbacks_between(kept, earlier.number, later.number)
    return [f"to {it.rollback.to}: {it.rollback.reason}" for it in found if it.rollback]


def _moved(
    models: VersionModels,
    versions: Sequence[Version],
    model_file: ModelFile,
    events: Sequence[Event],
) -> Body:
    """How predictions moved: on the probe of each version, and on events of the log."""
    loaded, probes = [], []
    for version in versions:
        try:
            model, probe = models.tried(version)
        except NotLoadedError as error:
            why = f"{version.manifest.name} cannot be loaded: {error}"
            return {"probes": [], "predictions": None, "not_loaded": why}
        loaded.append(model)
        probes.append((version.manifest.name, probe))
    one, other = loaded
    return {
        "probes": [_on_probe(name, probe, one, other) for name, probe in probes if probe],
        "predictions": _on_events(model_file, events, one, other) if events else None,
        "not_loaded": None,
    }


def _on_probe(name: str, probe: Mapping[str, Any], one: ServedModel, other: ServedModel) -> Body:
    """The features that a version was probed with, and what both say of them."""
    was, now = (_answer(model, probe["x"]) for model in (one, other))
    return {"of": name, "features": probe["x"], "from": was, "to": now}


def _answer(model: ServedModel, x: Any) -> Body:
    prediction, chances = model.answer_to(x)
    return {"prediction": prediction} | ({"probabilities": chances} if chances else {})


def _on_events(
    model_file: ModelFile, events: Sequence[Event], one: ServedModel, other: ServedModel
) -> Body:
    """Both versions on the same labelled events."""
    jury = Jury(model_file, events, model_file.metrics)
    was, now = jury.judge(one), jury.judge(other)
    has_classes = TASKS[model_file.task].has_classes
    pairs = [(asked(one, event), asked(other, event)) for event in events]
    moves = [_move(a, b, has_classes=has_classes) for a, b in pairs if a and b]
    names = [name for name in was.metrics if was.metrics[name] is not None]
    return {
        "events": len(events),
        "changed": sum(a.predicted[0] != b.predicted[0] for a, b in pairs if a and b),
        "moved": {
            "mean": float(np.mean(moves)) if moves else None,
            "max": float(np.max(moves)) if moves else None,
        },
        "loss": [was.loss, now.loss],
        "better": int(np.sum(now.losses < was.losses)),
        "worse": int(np.sum(now.losses > was.losses)),
        "unanswered": [was.unanswered, now.unanswered],
        "metrics": {name: [was.metrics[name], now.metrics[name]] for name in names},
    }


def _move(one: Judged, other: Judged, *, has_classes: bool) -> float:
    """How far a prediction moved: of numbers their distance, of classes half that of the chances.

    The latter is the total variation distance: 0 is the same, 1 another class for sure.
    """
    (label, chances), (other_label, other_chances) = one.predicted, other.predicted
    if not has_classes:
        return abs(float(other_label or 0.0) - float(label or 0.0))
    if not chances or not other_chances:
        return float(label != other_label)
    names = {**chances, **other_chances}
    return sum(abs(chances.get(k, 0.0) - other_chances.get(k, 0.0)) for k in names) / 2
