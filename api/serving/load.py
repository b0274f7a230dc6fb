"""From a verified version to a model that answers, beside the one that is serving."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import msgspec

from checkpoints.compatibility import package_of
from checkpoints.errors import Conflict
from checkpoints.reading.reader import LineReader
from checkpoints.records.manifest import Version
from checkpoints.unpickle import loads
from config.errors import ModelFileError
from config.model.of_sections import model_file_of
from config.model_file import ModelFile
from learner.served_model import ServedModel

# What is the reader's own, whatever the version says: above all, whose code may be loaded.
_OWN = frozenset({"name", "trust", "checkpoint"})
# What the answers follow from.
_ANSWERED_BY = ("task", "labels", "learner", "features", "strict", "limits", "missing")


class NotOurModelError(Conflict):
    """The version was learned by what this process does not trust or does not have."""

    def __init__(self, version: Version, differences: list[str]) -> None:
        super().__init__(
            f"{version} does not fit this process: {'; '.join(differences)}",
            advice="start it with the software that the learner has, and list its modules under "
            "trust:",
        )


# What takes the interpreter for longer than this delays the answers of the process that loads it.
LIGHT_S = 0.005
# So small a model is no matter for a process of its own, however slow the machine: of many small
# ones each version would be a new generation of workers.
_LIGHT_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A version that answers.

    Attributes:
        segment: What it was loaded from, where another process may as well load it, too; None
            where that would take long.
        generation: The first generation of workers that were forked with it in memory, where
            they cannot load it themselves; 0 otherwise.
        differences: How the model file that it was learned by, and answers by, differs from ours.
    """

    version: Version
    name: str
    learned: int
    created_at_ms: int
    model: ServedModel
    segment: bytes | None = None
    generation: int = 0
    differences: tuple[str, ...] = ()

    def serving_as(self, version: Version) -> "Loaded":
        """The same model under the name of another version that has it, as a rollback makes one."""
        return replace(self, **_facts(version))

    @property
    def model_hash(self) -> str:
        """Equal for versions that have the same model."""
        return model_hash(self.version)


def model_hash(version: Version) -> str:
    """The name of the version's model segment."""
    return version.manifest.segments["model"].sha256


def load(
    reader: LineReader,
    version: Version,
    model_file: ModelFile,
    scratch: Path | None,
    meanwhile: Callable[[], None] | None = None,
) -> Loaded:
    """Fetch, check, unpickle and probe `version`. Takes as long as the model is large.

    Args:
        meanwhile: What else is to be done now and then; it may raise GivenUp.

    Raises:
        CheckpointError: A segment is missing or altered, or holds what may not be loaded.
        NotOurModelError: It was learned by what this process does not trust or have.
        RestoreError, ProbeFailedError: It loads and is not the learner's model.
        GivenUp: `meanwhile` did.
    """
    as_learned(version, model_file)
    segment = reader.load_segments(version, names=["model"])["model"]
    began_s = time.thread_time()
    loaded = opened(version, segment, model_file, scratch, meanwhile)
    is_light = len(segment) <= _LIGHT_BYTES or time.thread_time() - began_s <= LIGHT_S
    return replace(loaded, segment=segment if is_light else None)


def opened(
    version: Version,
    segment: bytes,
    model_file: ModelFile,
    scratch: Path | None,
    meanwhile: Callable[[], None] | None = None,
) -> Loaded:
    """The version whose verified model segment is `segment`; raises as `load`."""
    payload = loads(segment, model_file.trust, meanwhile)
    model = ServedModel(as_learned(version, model_file), payload, scratch)
    return Loaded(**_facts(version), model=model, differences=differences(version, model_file))


def _facts(version: Version) -> dict[str, Any]:
    """What every answer says of its version, ready to hand."""
    manifest = version.manifest
    return {
        "version": version,
        "name": manifest.name,
        "learned": manifest.counts.learned,
        "created_at_ms": manifest.created_at_ms,
    }


def differences(version: Version, model_file: ModelFile) -> tuple[str, ...]:
    """How the model file that a version was learned by differs from ours, where answers do."""
    was, now = version.manifest.model_file, _plain(model_file.sections())
    return tuple(
        f"{name} was {was[name]!r}, is {now.get(name)!r}"
        for name in _ANSWERED_BY
        if name in was and was[name] != now.get(name)
    )


def as_learned(version: Version, model_file: ModelFile) -> ModelFile:
    """The model file that a version was learned by, which it answers by; ours where they agree.

    What may be loaded is always ours to say.

    Raises:
        NotOurModelError: It needs what we do not trust, or another version of a library.
    """
    found = model_file
    if differences(version, model_file):
        was, now = version.manifest.model_file, _plain(model_file.sections())
        content = {**now, **{name: each for name, each in was.items() if name not in _OWN}}
        try:
            found = model_file_of(content, where=str(version))
        except ModelFileError as error:
            raise NotOurModelError(version, [each.message for each in error.problems]) from error
    _check_software(version, found)
    return found


def _check_software(version: Version, model_file: ModelFile) -> None:
    uses = package_of(model_file.learner)
    wrote = version.manifest.software.get(uses)
    if wrote is not None and wrote != installed(uses):
        what = f"it was learned by {uses} {wrote}, here is {installed(uses)}"
        raise NotOurModelError(version, [what])


def _plain(sections: Mapping[str, Any]) -> Any:
    """As a manifest gives them back: tuples are lists there."""
    return msgspec.json.decode(msgspec.json.encode(sections))
