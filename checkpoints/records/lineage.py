"""Where a version's state came from, and the arithmetic that keeps its counts true. Pure.

Three things live here: what the manifest of a rollback and of an import says, what is left of
versions that retention drops (so that any kept version can still be rebuilt from the log), and the
one equation that every manifest must satisfy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt, ReadFurther, Tampered
from checkpoints.records.line import Line
from checkpoints.records.manifest import (
    Counts,
    Manifest,
    Offsets,
    Place,
    Rollback,
    Run,
    SegmentRef,
    Unreadable,
    Version,
)
from checkpoints.records.publish_gate import let_through
from checkpoints.records.replay import Replay, joined
from checkpoints.records.segments import OF_THE_LOG, OF_THE_VERSION
from checkpoints.records.signing import Signer, Verifier, decode, normal

__all__ = [
    "Lineage",
    "accounted",
    "advanced",
    "check_counts",
    "fold",
    "joined",
    "learned_counts",
    "lineage_in",
    "open_lineage",
    "rolled_back",
    "seal_lineage",
    "taken_up",
]

# Sections of the model file that say how a line is fed and kept, not what was learned: these
# stay the head's when the learner goes back.
_OF_THE_HEAD = ("name", "topics", "checkpoint")
# Counts of what was learned; the others are of the log.
_LEARNED = ("learned", "scored", "unscored", "nonfinite")


def advanced(manifest: Manifest) -> int:
    """Offsets the line has moved since it began, over all partitions; gaps count."""
    moved = sum(
        next_offset - manifest.begins.get(topic, {}).get(partition, 0)
        for topic, partitions in manifest.offsets.items()
        for partition, next_offset in partitions.items()
    )
    return moved + sum(lost.records for lost in manifest.lost_topics.values())


def accounted(manifest: Manifest) -> int:
    """Records whose fate the counts tell, each in exactly one of them."""
    counts = manifest.counts
    consumed = manifest.learned_here + counts.refused + counts.skipped + counts.forgotten
    return consumed + counts.pending + counts.expired + counts.labels


def check_counts(manifest: Manifest) -> None:
    """Refuse a manifest that counts more records than the log can have given it.

    Less is possible: transactions and compaction leave gaps in the offsets.

    Raises:
        ValueError: more accounted for than advanced, or reasons that do not add up.
    """
    if accounted(manifest) > advanced(manifest):
        raise ValueError(
            f"{manifest.line} {manifest.name} accounts for {accounted(manifest)} records, "
            f"its offsets have advanced by {advanced(manifest)}"
        )
    reasons = sum(manifest.counts.refused_by.values())
    if reasons != manifest.counts.refused:
        raise ValueError(
            f"{manifest.line} {manifest.name} refused {manifest.counts.refused} records, "
            f"its reasons add up to {reasons}"
        )


def rolled_back(
    head: Version,
    target: Version,
    *,
    number: int,
    command_id: str,
    reason: str,
    who: str,
    at_ms: int,
    control_seq: int = 0,
    parent: str | None = None,
    unreadable: Unreadable | None = None,
) -> Manifest:
    """The manifest of going back from `head` to `target`, mode forget: nothing is replayed.

    Learner, scores, detectors and what they have learned are the target's, and so is the moment
    its snapshot was cut; offsets, anchors, duplicate window, refused and skipped stay the head's.
    What came between is counted as forgotten, so every record still stands in one count.

    Args:
        head: Where the log is gone on from: the head, or what stands in for one `unreadable`.
        control_seq: The number of the command that orders it.
        parent: With `unreadable`, the id of the head that is, None where nothing stands there.

    Raises:
        ValueError: `target` is newer than `head`: the caller's head is out of date.
        ReadFurther: `target` has learned records that lie beyond the offsets of `head`.
    """
    if target.number > head.number:
        raise ValueError(f"{target} is newer than the head {head.manifest.name}")
    now, then = head.manifest, target.manifest
    offsets = _comparable(then, now)
    if _gap(now.offsets, offsets, now.begins):
        raise ReadFurther(target, now.name)
    counts = _counts(now, then)
    if counts.forgotten < 0:
        raise ReadFurther(target, now.name)
    back = Rollback(
        to=then.name,
        to_id=target.id,
        mode="forget",
        forgotten=max(0, now.learned_here - then.learned_here),
        gap=_gap(offsets, now.offsets, now.begins),
        reason=reason,
        who=who,
        command_id=command_id,
        at_ms=at_ms,
        unreadable=unreadable or UNSET,
    )
    return replace(
        now,
        number=number,
        parent=parent if unreadable else head.id,
        kind="rollback",
        runs=(),
        learn_errors=(),
        adopted=(),
        rollback=back,
        rewind=UNSET,
        control_seq=control_seq,
        counts=counts,
        begins=_earliest(now.begins, then.begins),
        **taken_up(now, then),
    )


def _counts(now: Manifest, then: Manifest) -> Counts:
    """The counts after going back: what was learned is the target's, what is the log's the head's.

    Where a rewind or a new beginning lies between, the head has read the records from the target on
    in its own way, and what it counted says nothing of them: all that the target and what waits do
    not account for counts as forgotten.
    """
    forgotten = now.learned_here + now.counts.forgotten - then.learned_here
    if (
        forgotten >= 0
        and now.counts.skipped == then.counts.skipped
        and _earliest(now.begins, then.begins) == now.begins
    ):
        return learned_counts(now, then, forgotten=forgotten)
    of_the_log = {
        "refused": then.counts.refused,
        "refused_by": then.counts.refused_by,
        "skipped": then.counts.skipped,
    }
    counts = replace(learned_counts(now, then, forgotten=0), **of_the_log)
    begins = _earliest(now.begins, then.begins)
    left = advanced(replace(now, begins=begins)) - accounted(replace(now, counts=counts))
    return replace(counts, forgotten=left)


def learned_counts(now: Manifest, then: Manifest, *, forgotten: int) -> Counts:
    """What was learned is the target's, all else the head's."""
    learned = {name: getattr(then.counts, name) for name in _LEARNED}
    return replace(now.counts, **learned, forgotten=forgotten)


def _earliest(now: Offsets, then: Offsets) -> dict[str, dict[str, int]]:
    """Where the target began; of partitions that it did not know, where the head did."""
    return {topic: {**now.get(topic, {}), **then.get(topic, {})} for topic in {**now, **then}}


def taken_up(now: Manifest, then: Manifest) -> dict[str, Any]:
    """The fields that say what was learned: the target's, but for what belongs to the log."""
    kept = {name: part for name, part in now.model_file.items() if name in _OF_THE_HEAD}
    return {
        "created_at_ms": then.created_at_ms,
        "metrics": then.metrics,
        "calibration": then.calibration,
        "importance": then.importance,
        "served": then.served,
        "drift_total": then.drift_total,
        "gate": let_through(then, now.number),
        "segments": _segments(now, then),
        "model_file": {**then.model_file, **kept},
        "software": then.software,
        "origin": then.origin,
    }


def _segments(now: Manifest, then: Manifest) -> dict[str, SegmentRef]:
    """The target's, but for the kinds that belong to a place in the log: these are the head's."""
    log = {kind: ref for kind, ref in now.segments.items() if kind in OF_THE_LOG}
    left = {name for name in then.segments if name in OF_THE_LOG or name in OF_THE_VERSION}
    return {kind: ref for kind, ref in then.segments.items() if kind not in left} | log


def _comparable(then: Manifest, now: Manifest) -> Offsets:
    """The offsets of `then`, but for topics that were begun anew since: they are of another log."""
    before, after = then.lost_topics, now.lost_topics
    return {
        topic: of for topic, of in then.offsets.items() if before.get(topic) == after.get(topic)
    }


def _gap(then: Offsets, now: Offsets, begins: Offsets) -> dict[str, dict[str, tuple[int, int]]]:
    """For each partition that has moved: the first offset forgotten, and the next after."""
    gap: dict[str, dict[str, tuple[int, int]]] = {}
    for topic, partitions in now.items():
        for partition, next_offset in partitions.items():
            begin = begins.get(topic, {}).get(partition, 0)
            first = then.get(topic, {}).get(partition, begin)
            if first < next_offset:
                gap.setdefault(topic, {})[partition] = (first, next_offset)
    return gap


class Past(Struct, frozen=True, kw_only=True):
    """What was taken since an earlier version, in order.

    Attributes:
        base: The id of that version; None: the beginning.
        runs: Each topic, partition, first offset, next offset.
        left_out: What stands between them and was left out, in the same form.
    """

    base: str | None
    runs: tuple[Run, ...] = ()
    left_out: tuple[Run, ...] = ()

    def after(self, earlier: Past) -> Past:
        """The same from the base of `earlier`, which was the base until now."""
        return Past(
            base=earlier.base,
            runs=joined((*earlier.runs, *self.runs)),
            left_out=joined((*earlier.left_out, *self.left_out)),
        )


class Lineage(Struct, frozen=True, kw_only=True):
    """What stands in for the pruned versions between a kept one and the one it went on from.

    To rebuild version `number`: take `base` (None: the untrained model), learn `runs` in order,
    leave out `learn_errors`. Its manifest alone would start at a parent that is gone.
    `folded` are the ranges of version numbers, first and last, that this stands for. `skipped` is
    what rewinds on the way have left out, which later ones leave out, too, and `forgotten` what
    rollbacks have passed over; unset where none did. `read` is set where more was read than
    learned: it leads over what a rollback made the model forget.
    """

    format: Literal[1] = 1
    model: str
    shard: int = 0
    number: int
    id: str
    base: str | None  # id
    runs: tuple[Run, ...] = ()
    learn_errors: tuple[Place, ...] = ()
    folded: tuple[tuple[int, int], ...] = ()
    skipped: tuple[Run, ...] | UnsetType = UNSET
    forgotten: tuple[Run, ...] | UnsetType = UNSET
    read: Past | UnsetType = UNSET

    @property
    def learned_past(self) -> Past:
        """What the model has learned; left out is all that it passed over, for either reason."""
        passed = (*(self.skipped or ()), *(self.forgotten or ()))
        return Past(base=self.base, runs=self.runs, left_out=passed)

    @property
    def read_past(self) -> Past:
        """What was read, forgotten or not; left out is what rewinds have left out."""
        return self.read or Past(base=self.base, runs=self.runs, left_out=self.skipped or ())


def fold(
    kept: Sequence[Version], dropped: Sequence[Version], lineages: Mapping[str, Lineage]
) -> dict[str, Lineage]:
    """The lineage of every kept version whose base is dropped.

    Args:
        kept: All versions that stay.
        dropped: Those that go.
        lineages: The standing lineage by version id, of kept and dropped alike.

    Returns:
        By id of the kept version, only those that change.
    """
    going = {version.id: version for version in dropped}
    changed = {}
    for version in kept:
        before = _of(version, lineages)
        read = before.read_past
        while read.base in going:
            read = read.after(_of(going[read.base], lineages).read_past)
        after = before
        while after.base in going:
            after = _through(after, _of(going[after.base], lineages))
        after = replace(after, read=UNSET)
        if read != after.read_past:
            after = replace(after, read=read)
        if after != before:
            changed[version.id] = after
    return changed


def _of(version: Version, lineages: Mapping[str, Lineage]) -> Lineage:
    """Its standing lineage, else what its own manifest says."""
    return lineages[version.id] if version.id in lineages else lineage_in(version, None)


def lineage_in(version: Version, replay: Replay | None) -> Lineage:
    """What a version says itself of its lineage.

    Args:
        replay: Its segment of that name, which the version of a rewind has.
    """
    manifest = version.manifest
    fork = _forked_from(manifest)
    return Lineage(
        model=manifest.model,
        shard=manifest.shard,
        number=manifest.number,
        id=version.id,
        base=manifest.base,
        runs=manifest.runs if replay is None else replay.runs,
        learn_errors=manifest.learn_errors if replay is None else replay.raised,
        skipped=(replay.skipped if replay else ()) or UNSET,
        forgotten=_forgotten(manifest) or UNSET,
        read=UNSET if fork is None else Past(base=fork),
    )


def _forked_from(manifest: Manifest) -> str | None:
    """The id of the version whose place in the log a rollback took."""
    if not manifest.rollback:
        return None
    return manifest.unreadable.place_id if manifest.unreadable else manifest.parent


def _forgotten(manifest: Manifest) -> tuple[Run, ...]:
    """What a rollback's version passes over."""
    gap = manifest.rollback.gap if manifest.rollback else {}
    return tuple(
        (topic, int(partition), first, following)
        for topic, partitions in gap.items()
        for partition, (first, following) in partitions.items()
    )


def _through(later: Lineage, earlier: Lineage) -> Lineage:
    """`later` as seen from the base of `earlier`, which was its base until now."""
    return replace(
        later,
        base=earlier.base,
        runs=joined((*earlier.runs, *later.runs)),
        learn_errors=(*earlier.learn_errors, *later.learn_errors),
        folded=_ranges((*earlier.folded, (earlier.number, earlier.number), *later.folded)),
        skipped=joined((*(earlier.skipped or ()), *(later.skipped or ()))) or UNSET,
        forgotten=joined((*(earlier.forgotten or ()), *(later.forgotten or ()))) or UNSET,
    )


def _ranges(folded: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted, adjoining ranges made one."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(folded):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(last, whole[-1][1]))
        else:
            whole.append((first, last))
    return tuple(whole)


def seal_lineage(lineage: Lineage, signer: Signer) -> bytes:
    """Sign `lineage` with the learner key."""
    if signer.role != "learner":
        raise ValueError(f"lineage is signed by the learner key, not the {signer.role} key")
    return signer.seal("lineage", normal(lineage))


def open_lineage(envelope: bytes, verifier: Verifier, line: Line, *, version_id: str) -> Lineage:
    """Verify `envelope` as the lineage of one version of `line`, then read it.

    Raises:
        Tampered: not signed by a learner key, or of another line.
        CheckpointCorrupt: the lineage of another version.
    """
    where = f"{line} lineage of {version_id[:12]}"
    role, body = verifier.open("lineage", envelope, where=where)
    if role != "learner":
        raise Tampered(where, f"signed by a {role} key")
    lineage = decode(body, Lineage, where=where)
    if (lineage.model, lineage.shard) != (line.model, line.shard):
        raise Tampered(where, f"a lineage of {lineage.model}/{lineage.shard}")
    if lineage.id != version_id:
        raise CheckpointCorrupt(where, f"the lineage of {lineage.id[:12]} stands in its place")
    return lineage
