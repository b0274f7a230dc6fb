"""What the manifest of an imported version says, at the place in the log where it is taken in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from checkpoints.records.line import Line
from checkpoints.records.lineage import learned_counts, taken_up
from checkpoints.records.manifest import Counts, Manifest, Offsets, Origin, TopicAnchors, Version

__all__ = ["imported", "unlearned"]


def imported(
    now: Manifest,
    exported: Version,
    *,
    number: int,
    parent: str | None,
    origin: Origin,
    control_seq: int,
) -> Manifest:
    """The manifest of going on from an exported version, at the place in the log of `now`.

    As a rollback's: learner, scores and what they have learned are the exported version's; offsets,
    anchors, ids seen and what waits for a label stay. What this line had learned is forgotten. The
    offsets that the exported version had are of another log, and mean nothing here; and whose code
    may be loaded here is never for a file to say.

    Args:
        now: The head, or what `unlearned` makes of a line that has none.
        parent: The head's id; None where there is none.
        origin: Of the exported version, and who ordered this.
        control_seq: The number of the command that orders it.
    """
    trust = now.model_file.get("trust")
    sections = {**exported.manifest.model_file, "trust": trust}
    then = replace(exported.manifest, origin=origin, model_file=sections)
    forgotten = now.learned_here + now.counts.forgotten
    return replace(
        now,
        number=number,
        parent=parent,
        kind="import",
        runs=(),
        learn_errors=(),
        adopted=(),
        rollback=None,
        rewind=UNSET,
        control_seq=control_seq,
        counts=learned_counts(now, then, forgotten=forgotten),
        **taken_up(now, then),
    )


def unlearned(
    line: Line,
    exported: Version,
    *,
    begins: Offsets,
    topic_ids: Mapping[str, str],
    model_file: Mapping[str, Any],
) -> Manifest:
    """A line that has no version yet, as it stands where it is to begin: for `imported`.

    Args:
        begins: The first offset that is to be learned of each partition.
        topic_ids: Kafka's, of the same topics.
        model_file: The sections of the line's own model file.
    """
    then = exported.manifest
    return Manifest(
        model=line.model,
        shard=line.shard,
        number=1,
        parent=None,
        created_at_ms=then.created_at_ms,
        counts=Counts(),
        metrics={},
        offsets=begins,
        anchors={
            topic: TopicAnchors(topic_id=each, partitions={}) for topic, each in topic_ids.items()
        },
        begins=begins,
        segments={"model": then.segments["model"]},
        model_file=model_file,
    )
