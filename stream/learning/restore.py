"""From a verified head to a trainer that goes on where it stopped."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from checkpoints.compatibility import (
    AnswersChangedError,
    adopted_sections,
    begins_anew,
    check_software,
    package_of,
)
from checkpoints.errors import CheckpointCorrupt
from checkpoints.reading.damaged_head import damaged_head
from checkpoints.reading.reader import LineReader
from checkpoints.records.manifest import Manifest, Version
from checkpoints.records.signing import normal
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.river.inline_attributes import inline_attributes
from learner.served_model import ProbeFailedError, ServedModel
from learner.trainer import Saved, Trainer
from stream.between.messages import Tried
from stream.between.positions import Positions
from stream.commit.protocol import software
from stream.learning.forked_copy import of_a_copy
from stream.learning.trial import check_restorable

log = logging.getLogger(__name__)


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
        AnswersChangedError: It does not answer as it did when the head was made.
        DamagedHead: A segment is missing or altered; with the command that mends it.
        CheckpointError: A segment holds what may not be loaded.
    """
    manifest = head.manifest
    adopted = adopted_sections(
        model_file.name, manifest.name, manifest.model_file, _plain(model_file.sections()),
        learned=manifest.counts.learned,
    )  # fmt: skip
    saved = None
    if _is_anew(manifest, model_file):  # the changed model, untrained
        check_restorable(model_file, scratch)
        log.warning(
            "%s: %s had learned nothing, and the model file has another %s: the line begins anew, "
            "at its first record", model_file.name, manifest.name, ", ".join(adopted),
        )  # fmt: skip
    else:
        saved = _saved(reader, head, model_file)
    trainer, positions = Trainer(model_file, scratch, saved), positions_of(manifest, model_file)
    if saved is not None:
        _check_answers(saved, manifest, model_file, scratch)
    return Restored(trainer=trainer, positions=positions, adopted=adopted)


def _saved(reader: LineReader, head: Version, model_file: ModelFile) -> Saved:
    manifest = head.manifest
    uses = package_of(model_file.learner)
    check_software(model_file.name, manifest.name, manifest.software, software(), uses=uses)
    try:
        segments = reader.load_segments(head)
    except CheckpointCorrupt as problem:
        raise damaged_head(reader, manifest.line, manifest.name, problem.what) from problem
    with inline_attributes():
        payload = loads(segments["model"], model_file.trust)
    return Saved(payload=payload, segments=segments, refused_by=manifest.counts.refused_by)


def _check_answers(
    saved: Saved, manifest: Manifest, model_file: ModelFile, scratch: Path | None
) -> None:
    """Have a copy ask the probe, as whoever serves the version does.

    Raises:
        AnswersChangedError: It is answered otherwise than when the version was made.
    """

    def ask() -> Tried:
        try:
            ServedModel(model_file, saved.payload, scratch)
        except ProbeFailedError as problem:
            return Tried(0, str(problem))
        return Tried(1, "")

    told = of_a_copy(ask)
    if told is None:
        log.warning("%s: the copy that was to ask %s died: it goes on unasked",
                    model_file.name, manifest.name)  # fmt: skip
    elif told.what:
        raise AnswersChangedError(model_file.name, manifest.name, told.what)


def _is_anew(manifest: Manifest, model_file: ModelFile) -> bool:
    now = _plain(model_file.sections())
    return begins_anew(manifest.model_file, now, learned=manifest.counts.learned)


def positions_of(manifest: Manifest, model_file: ModelFile) -> Positions:
    """Where the log goes on after this version; where it begins for a model that begins anew."""
    plain = _plain(manifest)
    found = Positions.from_manifest(
        offsets=plain["offsets"],
        begins=plain["begins"],
        anchors=plain["anchors"],
        skipped=manifest.counts.skipped,
        begun_anew=plain.get("begun_anew", {}),
    )
    if not _is_anew(manifest, model_file):
        return found
    begins = found.begins
    return Positions(topic_ids=found.topic_ids, begins=begins, next_offsets=dict(begins))


def _plain(record: Any) -> Any:
    return msgspec.json.decode(normal(record))
