"""A version made once more out of the log, and compared with the one that is kept.

From the version that it went on from, or from the beginning, the records are taken again in the
order that its lineage has. One process, one trainer; nothing is written anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import structs

from checkpoints.compatibility import check_software, package_of
from checkpoints.reading.lineages import Lineages
from checkpoints.records.lineage import lineage_in
from checkpoints.records.manifest import Manifest, Place, Run, Version
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.errors import LearnFailedError
from learner.events.examples import Examples
from learner.explaining import background, importance
from learner.history.reading import is_of_history, rows_of
from learner.river.inline_attributes import inline_attributes
from learner.served_model import ServedModel
from learner.trainer import Saved, Snapshot, Trainer
from stream.between.positions import Positions
from stream.commit.protocol import software
from stream.errors import StreamError
from stream.kafka.consumer import KafkaSource
from stream.learning.restore import positions_of
from stream.model_file_of import model_file_of
from stream.replay.in_order import InOrder
from stream.source.columns import Columns, columns_of
from stream.source.topics import labels_topic

__all__ = ["NotMadeHereError", "Rebuilt", "RebuildFailedError", "rebuild", "stages_of"]

_POLL_MS = 200
_ASKED = 1_000  # of the last events, and of the probe, whose predictions are compared
_COUNTS_OF_THE_MODEL = ("learned", "scored", "unscored", "nonfinite")
_COUNTS = (*_COUNTS_OF_THE_MODEL, "refused", "pending", "expired", "labels")


class NotMadeHereError(StreamError):
    """What was asked for was never learned from this log.

    Operator: rebuild a version that went on from it.
    """

    exit_code = 6


class RebuildFailedError(StreamError):
    """The learner raised where it had not when the version was made: it learns otherwise here.

    Operator: the log, the software or the model's own classes are not what they were.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one kept version learned since the one before it on the way.

    Attributes:
        version: That version.
        model_file: What it was learned with.
        runs: What it took, in order.
        raised: Records on which learning raised, and which were refused.
        passes_rollback: It is a rollback's, or one lay between that is kept no more.
    """

    version: Version
    model_file: ModelFile
    runs: tuple[Run, ...]
    raised: frozenset[Place]
    passes_rollback: bool

    @property
    def records(self) -> int:
        """Offsets in all."""
        return sum(following - first for *_, first, following in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a version is made again: from `base` (None: untrained), stage by stage."""

    base: Version | None
    stages: tuple[Stage, ...]

    @property
    def records(self) -> int:
        """Offsets in all."""
        return sum(stage.records for stage in self.stages)

    @property
    def is_by_log(self) -> bool:
        """Whether what is the log's, and not the model's, is made again, too: a rollback has it
        from another place.
        """
        return not any(stage.passes_rollback for stage in self.stages)

    @property
    def beginning(self) -> Manifest:
        """Where reading begins: at the base, or where the line began."""
        if self.base is not None:
            return self.base.manifest
        offsets: dict[str, dict[str, int]] = {}
        for stage in self.stages:
            for topic, partition, first, _ in stage.runs:
                offsets.setdefault(topic, {}).setdefault(str(partition), first)
        return structs.replace(self.stages[-1].version.manifest, offsets=offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """How a version that was made again compares with the one that is kept.

    Attributes:
        records: Offsets that were read.
        asked: Predictions that were compared.
        differences: What differs, each in words; none where they are identical.
    """

    base: str | None
    records: int
    asked: int
    differences: tuple[str, ...] = field(default=())


def stages_of(lineages: Lineages, version: Version, *, is_whole: bool) -> Way:
    """The way to a version: from the kept one that it went on from, or from the beginning.

    An imported version stands for its own beginning: what it had learned is in another log. A
    rollback's version is the model that it went back to, so that one is made again. No way leads
    past one: what waits and what was seen it has from another place in the log than its model.

    Raises:
        NotMadeHereError: It came out of a file; or it is of events that waited over a rollback
            which is kept no more, or of a topic that was lost.
    """
    if version.manifest.kind == "import":
        raise NotMadeHereError(f"{version} came out of a file: no log of this line can make it")
    stages: list[Stage] = []
    step: Version | None = version
    while step is not None and step.manifest.kind != "import":
        manifest = step.manifest
        lineage = lineages.of(step)
        model_file = model_file_of(manifest, ModelFile.model_fields)
        if model_file.late_labels and lineage.forgotten != lineage_in(step, None).forgotten:
            raise NotMadeHereError(
                f"{step} goes on from a rollback that is kept no more, and what waited there for "
                "its label is not known: a later rollback, or a version after one that is kept "
                "(weir versions), can be made again"
            )
        stages.append(
            Stage(
                version=step,
                model_file=model_file,
                runs=lineage.runs,
                raised=frozenset(lineage.learn_errors),
                passes_rollback=bool(manifest.rollback or lineage.forgotten),
            )
        )
        step = None if lineage.base is None else lineages.reader.version_by_id(lineage.base)
        if step is not None and (step.manifest.rollback or (lineage.runs and not is_whole)):
            break
    _refuse_lost(version, step)
    return Way(base=step, stages=tuple(reversed(stages)))


def _refuse_lost(version: Version, base: Version | None) -> None:
    """Refuse a way over a topic that was begun anew: what it held before is waited for in vain."""
    known = base.manifest.lost_topics if base else {}
    for topic, begun in version.manifest.lost_topics.items():
        if known.get(topic) != begun:
            raise NotMadeHereError(
                f"{version}: topic {topic} was lost since {base or 'its beginning'}, and what it "
                "held cannot be read again: a version after that can be made from one after it"
            )


def rebuild(
    lineages: Lineages,
    way: Way,
    kafka: KafkaSettings,
    scratch: Path | None,
    on_records: Callable[[int], None],
) -> Rebuilt:
    """Make the last version of the way again, and compare.

    Args:
        scratch: A private folder in memory.
        on_records: Told how many offsets were passed since it was told last.

    Raises:
        RebuildFailedError: It cannot be learned again.
        StreamError, CheckpointError: Log or store do not have what is needed.
    """
    target = way.stages[-1]
    remade = _Remade(lineages, way, scratch)
    last = remade.learn(kafka, on_records)
    snapshot = remade.trainer.snapshot(version=target.version.manifest.name)
    names = _COUNTS if way.is_by_log else _COUNTS_OF_THE_MODEL
    kept = saved_of(lineages, target.version, target.model_file)
    differences = list(_told_apart(target.version.manifest, snapshot, names))
    differences += _segments_apart(lineages, way, snapshot)
    differences += _history_apart(kept.segments, snapshot.segments)
    asked, apart = _asked(kept, target.model_file, snapshot, last, scratch)
    return Rebuilt(
        base=way.base.manifest.name if way.base else None,
        records=way.records,
        asked=asked,
        differences=(*differences, *apart),
    )


class _Remade:
    """The trainer that takes the records again."""

    def __init__(self, lineages: Lineages, way: Way, scratch: Path | None) -> None:
        self._way, self._scratch = way, scratch
        self._last: list[Any] = []
        first = way.stages[0]
        if way.base is None:
            self.trainer = Trainer(first.model_file, scratch)
            return
        saved = saved_of(lineages, way.base, first.model_file)
        self.trainer = Trainer(first.model_file, scratch, saved)

    def learn(self, kafka: KafkaSettings, on_records: Callable[[int], None]) -> list[Any]:
        """Take everything; the features of the last events."""
        way, name = self._way, self._way.stages[-1].model_file.name
        positions = _start(way)
        if not any(stage.runs for stage in way.stages):
            return self._last
        order = InOrder([run for stage in way.stages for run in stage.runs], {})
        with closing(KafkaSource(kafka, name, positions)) as source:
            for before, stage in zip((None, *way.stages), way.stages, strict=False):
                if (
                    before is not None
                    and before.model_file.sections() != stage.model_file.sections()
                ):
                    self._adopt(stage)
                columns = columns_of(stage.model_file, labels_topic(stage.model_file, positions))
                for records in _in_order(order, len(stage.runs), source, on_records):
                    self._learn_records(*records, columns, stage)
        return self._last

    def _adopt(self, stage: Stage) -> None:
        """Go on with the model file that was changed there, as a restart does."""
        snapshot = self.trainer.snapshot(version=stage.version.manifest.name)
        self.trainer = Trainer(stage.model_file, self._scratch, _saved(snapshot, stage.model_file))

    def _learn_records(
        self, topic: str, partition: int, records: list[Any], columns: Columns, stage: Stage
    ) -> None:
        examples, refused = columns.of(topic, partition, records)
        self._take(examples, stage.raised)
        self.trainer.refuse(refusal.reason for _, refusal in refused)
        kept = [x for x in examples.xs if x is not None]
        self._last = (self._last + kept)[-_ASKED:]

    def _take(self, examples: Examples, raised: frozenset[Place]) -> None:
        """As the learner took them: those that it raised on are refused without being learned."""
        first, count = 0, len(examples.xs)
        places = [
            place
            for place, offset in enumerate(examples.offsets)
            if raised and (examples.topic, examples.partition, offset) in raised
        ]
        try:
            for place in places:
                self.trainer.take(examples.between(first, place))
                self.trainer.refuse_raised(examples, place, "it raised when it was learned first")
                first = place + 1
            self.trainer.take(examples if first == 0 else examples.between(first, count))
        except LearnFailedError as error:
            raise RebuildFailedError(
                f"{error}, and did not when the version was made: log, software or the model's own "
                "classes are not what they were"
            ) from error


def _in_order(
    order: InOrder, runs: int, source: KafkaSource, on_records: Callable[[int], None]
) -> Iterator[tuple[str, int, list[Any]]]:
    """The records of the next so many runs, in their order."""
    down_to = order.runs_left - runs
    while order.runs_left > down_to:
        left = order.left
        for stretch in order.ready(source.position, down_to=down_to):
            if not stretch.is_left_out:
                yield stretch.topic, stretch.partition, stretch.records
        on_records(left - order.left)
        if order.runs_left > down_to:
            source.hold(order.to_hold())
            for topic, partition, records in source.poll(_POLL_MS):
                order.add((topic, partition), records)


def _start(way: Way) -> Positions:
    """Where reading begins: behind the base, in the partitions that are read on the way."""
    last = way.stages[-1]
    begins = positions_of(last.version.manifest, last.model_file)
    first: dict[tuple[str, int], int] = {}
    for stage in way.stages:
        for topic, partition, begin, _ in stage.runs:
            first.setdefault((topic, partition), begin)
    return Positions(
        topic_ids={topic: found for topic, found in begins.topic_ids.items()
                   if any(key[0] == topic for key in first)},
        begins=dict(first),
        next_offsets=first,
    )  # fmt: skip


def saved_of(lineages: Lineages, version: Version, model_file: ModelFile) -> Saved:
    """What a kept version holds of a trainer.

    Raises:
        SoftwareChangedError: It was pickled by another River or Vowpal Wabbit.
        CheckpointError: A segment is missing, or holds what may not be loaded.
    """
    manifest = version.manifest
    uses = package_of(model_file.learner)
    check_software(model_file.name, manifest.name, manifest.software, software(), uses=uses)
    segments = lineages.reader.load_segments(version)
    with inline_attributes():
        payload = loads(segments["model"], model_file.trust)
    return Saved(payload=payload, segments=segments, refused_by=manifest.counts.refused_by)


def _saved(snapshot: Snapshot, model_file: ModelFile) -> Saved:
    with inline_attributes():
        payload = loads(snapshot.segments["model"], model_file.trust)
    return Saved(payload=payload, segments=snapshot.segments, refused_by=snapshot.refused_by)


def _told_apart(kept: Manifest, made: Snapshot, names: Iterable[str]) -> Iterator[str]:
    """What the manifest says that differs from the snapshot."""
    counts = {
        "learned": made.learned,
        "scored": made.scored,
        "unscored": made.unscored,
        "nonfinite": made.nonfinite,
        "refused": sum(made.refused_by.values()),
        "pending": made.late.pending,
        "expired": made.late.expired,
        "labels": made.late.labels,
    }
    for name in names:
        was = getattr(kept.counts, name)
        if was != counts[name]:
            yield f"{name}: {was:,} is kept, {counts[name]:,} was made"
    if kept.drift_total != made.drift_total:
        yield f"drifts: {kept.drift_total} is kept, {made.drift_total} was made"
    yield from _scores_apart(kept.metrics, made.metrics)


def _segments_apart(lineages: Lineages, way: Way, made: Snapshot) -> Iterator[str]:
    """What explanations read; where reading began before there was such a kind, it is no other."""
    target, begun = way.stages[-1].version, way.base or way.stages[0].version
    kinds = [
        kind
        for kind in (background.SEGMENT, importance.SEGMENT)
        if kind in target.manifest.segments and kind in begun.manifest.segments
    ]
    kept = lineages.reader.load_segments(target, kinds)
    for kind in kinds:
        if kept[kind] != made.segments.get(kind):
            yield f"{kind}: what is kept is not what was made"


def _scores_apart(
    kept: Mapping[str, Mapping[str, float | None]], made: Mapping[str, Mapping[str, float | None]]
) -> Iterator[str]:
    for name, windows in kept.items():
        for window, value in windows.items():
            found = made.get(name, {}).get(window)
            if found != value and not (_is_nan(found) and _is_nan(value)):
                yield f"{name} {window}: {value!r} is kept, {found!r} was made"


def _history_apart(kept: Mapping[str, bytes], made: Mapping[str, bytes]) -> Iterator[str]:
    """Whether the past is told otherwise; a version from before there was one tells none."""
    was, found = (
        {name: raw for name, raw in of.items() if is_of_history(name)} for of in (kept, made)
    )
    if was and was != found:
        yield f"history: {len(rows_of(was))} rows are kept, {len(rows_of(found))} were made"


def _is_nan(value: float | None) -> bool:
    return value is None or value != value


def _asked(
    saved: Saved,
    model_file: ModelFile,
    snapshot: Snapshot,
    last: Iterable[Any],
    scratch: Path | None,
) -> tuple[int, list[str]]:
    """How many predictions were compared, of the probe and the last events; which differ."""
    kept, made = saved.payload, _saved(snapshot, model_file).payload
    asked = list(islice(last, _ASKED))
    if kept["probe"] is not None:
        asked.append(kept["probe"]["x"])
    answers = [
        [model.answer_raw(x) for x in asked]
        for model in (ServedModel(model_file, payload, scratch) for payload in (kept, made))
    ]
    apart = [place for place, pair in enumerate(zip(*answers, strict=True)) if not _alike(*pair)]
    if not apart:
        return len(asked), []
    kept_one, made_one = (of[apart[0]] for of in answers)
    such = f"such as {kept_one!r} as it is kept, {made_one!r} as it was made"
    return len(asked), [f"{len(apart)} of {len(asked)} predictions, {such}"]


def _alike(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)
