"""From a verified version to a model that answers, beside the one that is serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import msgspec

from checkpoints.errors import Conflict
from checkpoints.manifest import Version
from checkpoints.reader import LineReader
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.served import ServedModel

# A version learned under others of these would answer other questions than it is asked.
_MUST_AGREE = ("task", "labels", "learner")


class NotOurModelError(Conflict):
    """The version was learned by another model file, or by another version of its library."""

    def __init__(self, version: Version, differences: list[str]) -> None:
        super().__init__(
            f"{version} does not fit this process: {'; '.join(differences)}",
            advice="start it with the model file and the software that the learner has",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A version that answers."""

    version: Version
    name: str
    learned: int
    created_at_ms: int
    model: ServedModel


def load(
    reader: LineReader, version: Version, model_file: ModelFile, scratch: Path | None
) -> Loaded:
    """Fetch, check, unpickle and probe `version`. Takes as long as the model is large.

    Raises:
        CheckpointError: A segment is missing or altered, or holds what may not be loaded.
        NotOurModelError: It was learned otherwise than this process would read it.
        RestoreError, ProbeFailedError: It loads and is not the learner's model.
    """
    _refuse_other(version, model_file)
    segment = reader.load_segments(version, names=["model"])["model"]
    payload = loads(segment, model_file.trust)
    return Loaded(
        version=version,
        name=version.manifest.name,
        learned=version.manifest.counts.learned,
        created_at_ms=version.manifest.created_at_ms,
        model=ServedModel(model_file, payload, scratch),
    )


def _refuse_other(version: Version, model_file: ModelFile) -> None:
    was, now = version.manifest.model_file, _plain(model_file.sections())
    differences = [
        f"{name} was {was[name]!r}, is {now.get(name)!r}"
        for name in _MUST_AGREE
        if name in was and was[name] != now.get(name)
    ]
    uses = "river" if model_file.learner.river else "vowpalwabbit" if model_file.learner.vw else ""
    wrote = version.manifest.software.get(uses)
    if wrote is not None and wrote != installed(uses):
        differences.append(f"it was learned by {uses} {wrote}, here is {installed(uses)}")
    if differences:
        raise NotOurModelError(version, differences)


def _plain(sections: Mapping[str, Any]) -> Any:
    """As a manifest gives them back: tuples are lists there."""
    return msgspec.json.decode(msgspec.json.encode(sections))
