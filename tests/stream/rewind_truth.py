"""What a rewound line must be: the oracle of the rewind trials.

It reads the log itself and learns in this process, in the order that it is given. Of one partition
that order is told by the offsets alone, so nothing of what is tested has a part in it.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from kafka import KafkaConsumer, TopicPartition

from checkpoints.reading.lineages import Lineages
from checkpoints.records.manifest import Run, Version
from learner.served_model import ServedModel
from learner.trainer import Snapshot, Trainer
from stream.between.positions import Positions
from stream.replay.rebuild import rebuild, stages_of
from stream.source.loop import columns_of
from stream.source.topics import labels_topic
from tests.stream.rig import Rig

ASKED = 200  # predictions that are compared
Log: TypeAlias = Mapping[tuple[str, int], list[Any]]
Taken: TypeAlias = tuple[str, int, int]  # topic, partition, offset

# A manifest's counts that the records decide, and not what operators did.
_COUNTS = ("learned", "scored", "unscored", "nonfinite", "refused", "pending", "expired", "labels")


def read_log(at: Rig, ends: Mapping[str, Mapping[str, int]]) -> Log:
    """Every record below these offsets; without a gap, place and offset are one."""
    log: dict[tuple[str, int], list[Any]] = {
        (topic, int(partition)): [] for topic, of in ends.items() for partition in of
    }
    left = {TopicPartition(*key): ends[key[0]][str(key[1])] for key in log}
    left = {where: end for where, end in left.items() if end}
    consumer = KafkaConsumer(bootstrap_servers=at.kafka, enable_auto_commit=False)
    with closing(consumer):
        consumer.assign(list(left))
        consumer.seek_to_beginning(*left)
        while any(consumer.position(where) < end for where, end in left.items()):
            for where, records in consumer.poll(500).items():
                log[where] += [record for record in records if record.offset < left[where]]
    return log


def order_of(at: Rig, version: Version) -> list[Taken]:
    """Every record that made a version, in the order that its lineage has, from the beginning."""
    way = stages_of(Lineages(at.store, at.keys.verifier, at.line), version, is_whole=True)
    return list(taken_in(run for stage in way.stages for run in stage.runs))


def taken_in(runs: Iterable[Run]) -> Iterator[Taken]:
    """Each record of these runs."""
    for topic, partition, first, following in runs:
        for offset in range(first, following):
            yield topic, partition, offset


def learned(at: Rig, log: Log, order: Iterable[Taken], scratch: Path) -> tuple[Snapshot, list[Any]]:
    """What a trainer is after these records, each taken by itself; the features that it met."""
    nowhere = {topic: "" for topic, _ in log}
    positions = Positions(topic_ids=nowhere, begins={}, next_offsets={})
    columns = columns_of(at.model_file, labels_topic(at.model_file, positions))
    trainer, met = Trainer(at.model_file, scratch), []
    for topic, partition, offset in order:
        examples, refused = columns.of(topic, partition, [log[topic, partition][offset]])
        trainer.take(examples)
        trainer.refuse(refusal.reason for _, refusal in refused)
        met += [x for x in examples.xs if x is not None]
    return trainer.snapshot(version="v1"), met


def apart(at: Rig, version: Version, truth: Snapshot, met: list[Any], scratch: Path) -> list[str]:
    """In what a version is not what it must be: counts, scores, later predictions."""
    manifest = version.manifest
    told = {
        "learned": truth.learned,
        "scored": truth.scored,
        "unscored": truth.unscored,
        "nonfinite": truth.nonfinite,
        "refused": sum(truth.refused_by.values()),
        "pending": truth.late.pending,
        "expired": truth.late.expired,
        "labels": truth.late.labels,
    }
    found = [
        f"{name} {getattr(manifest.counts, name)} for {told[name]}"
        for name in _COUNTS
        if getattr(manifest.counts, name) != told[name]
    ]
    if manifest.metrics != truth.metrics:
        found.append(f"scores {manifest.metrics} for {truth.metrics}")
    if manifest.drift_total != truth.drift_total:
        found.append(f"{manifest.drift_total} drifts for {truth.drift_total}")
    asked = random.Random(0).sample(met, min(ASKED, len(met)))
    answers = [
        [model.answer_raw(x) for x in asked]
        for model in (
            ServedModel(at.model_file, payload, scratch)
            for payload in (at.payload(version), _payload(at, truth))
        )
    ]
    differ = sum(repr(one) != repr(other) for one, other in zip(*answers, strict=True))
    return found + ([f"{differ} of {len(asked)} predictions differ"] if differ else [])


def _payload(at: Rig, snapshot: Snapshot) -> Any:
    from checkpoints.unpickle import loads
    from learner.river.inline_attributes import inline_attributes

    with inline_attributes():
        return loads(snapshot.segments["model"], at.model_file.trust)


def rebuilt_apart(at: Rig, version: Version, scratch: Path, *, is_whole: bool) -> list[str]:
    """In what a version differs that `weir rebuild` makes again."""
    lineages = Lineages(at.store, at.keys.verifier, at.line)
    way = stages_of(lineages, version, is_whole=is_whole)
    done = rebuild(lineages, way, at.settings("rebuild").kafka, scratch, lambda _records: None)
    how = "from the beginning" if is_whole else f"from {done.base}"
    return [f"{version} made again {how}: {each}" for each in done.differences]
