"""From a verified head to a trainer that goes on where it stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from checkpoints.errors import CheckpointCorrupt
from checkpoints.manifest import Manifest, Version
from checkpoints.mending import damaged_head
from checkpoints.reader import LineReader
from checkpoints.signing import normal
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.inline_attributes import inline_attributes
from learner.trainer import Saved, Trainer
from stream.commit import software
from stream.model_change import adopted_sections, check_software
from stream.positions import Positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A trainer and its place in the log; `adopted` are the model file's changed sections."""

    trainer: Trainer
    positions: Positions
    adopted: tuple[str, ...]


def restore(
    reader: LineReader, head: Version, model_file: ModelFile, scratch: Path | None
) -> Restored:
    """Load the head's segments, each checked against its hash, and build the trainer.

    Raises:
        ModelFileChangedError, SoftwareChangedError: The head was learned otherwise.
        DamagedHead: A segment is missing or altered; with the command that mends it.
        CheckpointError: A segment holds what may not be loaded.
    """
    manifest = head.manifest
    adopted = adopted_sections(
        model_file.name, manifest.name, manifest.model_file, _plain(model_file.sections())
    )
    uses = "river" if model_file.learner.river else "vowpalwabbit" if model_file.learner.vw else ""
    check_software(model_file.name, manifest.name, manifest.software, software(), uses=uses)
    try:
        segments = reader.load_segments(head)
    except CheckpointCorrupt as problem:
        raise damaged_head(reader, manifest.line, manifest.name, problem.what) from problem
    with inline_attributes():
        payload = loads(segments["model"], model_file.trust)
    saved = Saved(
        payload=payload,
        window=segments["window"],
        drifts=segments["drifts"],
        refused_by=manifest.counts.refused_by,
    )
    trainer = Trainer(model_file, scratch, saved)
    return Restored(trainer=trainer, positions=positions_of(manifest), adopted=adopted)


def positions_of(manifest: Manifest) -> Positions:
    """Where the log goes on after this version."""
    plain = _plain(manifest)
    return Positions.from_manifest(
        offsets=plain["offsets"], begins=plain["begins"], anchors=plain["anchors"]
    )


def _plain(record: Any) -> Any:
    return msgspec.json.decode(normal(record))
