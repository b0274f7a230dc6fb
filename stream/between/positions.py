"""Where the learner stands in the log: next offsets, anchors, and the order of what it took.

Pure. `next` follows Kafka: the first record not yet taken. An anchor is the fingerprint of the last
record taken of a partition, by which a recreated topic is told from the old one. Runs say in which
order the partitions were interleaved, so that a version can be rebuilt to identical predictions.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

PartitionKey: TypeAlias = tuple[str, int]

# A commit is made early when this many runs are recorded: they are part of the signed manifest.
RUNS_MAX = 10_000


@dataclass(slots=True)
class Positions:
    """The learner's place in each partition of its topics.

    Attributes:
        runs: What was taken since the last cut, in order.
        left_out: What was left out since the last cut.
        skipped: Records left out since the line began.
        begun_anew: Topics that were lost: how often (`times`), and the `records` read until then.
    """

    topic_ids: dict[str, str]
    begins: dict[PartitionKey, int]
    next_offsets: dict[PartitionKey, int]
    anchors: dict[PartitionKey, dict[str, Any]] = field(default_factory=dict)
    begun_anew: dict[str, dict[str, int]] = field(default_factory=dict)
    runs: list[list[Any]] = field(default_factory=list)
    left_out: list[list[Any]] = field(default_factory=list)
    skipped: int = 0
    _has_passed: bool = False
    _is_run_over: bool = False

    @classmethod
    def from_manifest(
        cls,
        *,
        offsets: dict[str, dict[str, int]],
        begins: dict[str, dict[str, int]],
        anchors: dict[str, dict[str, Any]],
        skipped: int = 0,
        begun_anew: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    ) -> "Positions":
        """The positions that a committed manifest holds."""
        return cls(
            skipped=skipped,
            topic_ids={topic: anchor["topic_id"] for topic, anchor in anchors.items()},
            begins=_flat(begins),
            next_offsets=_flat(offsets),
            anchors={
                (topic, int(partition)): dict(found)
                for topic, anchor in anchors.items()
                for partition, found in anchor["partitions"].items()
            },
            begun_anew={topic: dict(lost) for topic, lost in begun_anew.items()},
        )

    def of(self, topic: str) -> "Positions":
        """Those of one topic alone."""

        def part(of_all: dict[PartitionKey, Any]) -> dict[PartitionKey, Any]:
            return {key: found for key, found in of_all.items() if key[0] == topic}

        return Positions(
            topic_ids={topic: self.topic_ids[topic]},
            begins=part(self.begins),
            next_offsets=part(self.next_offsets),
            anchors=part(self.anchors),
        )

    def lose(self, topic: str) -> None:
        """What was read of this topic is gone. It is read no more until it is begun anew."""
        lost = self.begun_anew.setdefault(topic, {"times": 0, "records": 0})
        lost["times"] += 1
        for key in self.of(topic).next_offsets:
            lost["records"] += self.next_offsets.pop(key) - self.begins.pop(key)
            self.anchors.pop(key, None)
        del self.topic_ids[topic]
        self._has_passed = True

    def add_partition(self, key: PartitionKey, first: int) -> None:
        """Begin a partition at offset `first`."""
        self.begins[key] = self.next_offsets[key] = first

    def begin(
        self,
        topic_ids: Mapping[str, str],
        firsts: Iterable[tuple[str, int, int]],
        lost: Iterable[str] = (),
    ) -> None:
        """Begin in each topic and partition that was not read before, or is lost."""
        for topic in lost:
            self.lose(topic)
        self.topic_ids.update(topic_ids)
        for topic, partition, first in firsts:
            if (topic, partition) not in self.next_offsets:
                self.add_partition((topic, partition), first)

    def took(self, key: PartitionKey, first: int, anchor: dict[str, Any]) -> None:
        """Records from `first` to the one that `anchor` identifies were taken, in this order."""
        assert first >= self.next_offsets[key], f"{key}: {first} was taken before"
        following = anchor["offset"] + 1
        self.next_offsets[key] = following
        self.anchors[key] = anchor
        run = self.runs[-1] if self.runs else None
        if run is not None and (run[0], run[1]) == key and not self._is_run_over:
            run[3] = following
        else:
            self.runs.append([key[0], key[1], first, following])
        self._is_run_over = False

    def leave_out(self, key: PartitionKey, first: int, anchor: dict[str, Any], count: int) -> None:
        """So many records from `first` to the one that `anchor` identifies were left out: they are
        part of no run.
        """
        following = anchor["offset"] + 1
        self.next_offsets[key], self.anchors[key] = following, anchor
        self.left_out.append([key[0], key[1], first, following])
        self.skipped += count
        self._has_passed = self._is_run_over = True

    def passed(self, key: PartitionKey, following: int) -> None:
        """There is nothing to be taken before `following`."""
        assert following > self.next_offsets[key], f"{key}: {following} was passed before"
        self.next_offsets[key] = following
        self._has_passed = True

    @property
    def has_moved(self) -> bool:
        """Whether anything was taken or passed since the last commit was cut."""
        return self._has_passed or bool(self.runs)

    def cut(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """The runs since the last cut, for a commit of these positions, and what was left out; new
        ones begin.
        """
        cut = self.runs, self.left_out
        self.runs, self.left_out, self._has_passed = [], [], False
        return cut

    def uncut(self, cut: tuple[list[list[Any]], list[list[Any]]]) -> None:
        """The commit was not made: what it had cut goes before what was begun since."""
        runs, left_out = cut
        self.runs, self.left_out = runs + self.runs, left_out + self.left_out
        self._has_passed = True

    def offsets_json(self) -> dict[str, dict[str, int]]:
        """`{topic: {partition: next}}`."""
        return _nested(self.next_offsets)

    def begins_json(self) -> dict[str, dict[str, int]]:
        """`{topic: {partition: first offset of this model line}}`."""
        return _nested(self.begins)

    def anchors_json(self) -> dict[str, dict[str, Any]]:
        """`{topic: {"topic_id", "partitions": {partition: fingerprint}}}`."""
        return {
            topic: {
                "topic_id": topic_id,
                "partitions": {
                    str(partition): anchor
                    for (of, partition), anchor in sorted(self.anchors.items())
                    if of == topic
                },
            }
            for topic, topic_id in self.topic_ids.items()
        }


def fingerprint(offset: int, value: bytes | None, timestamp_ms: int) -> dict[str, Any]:
    """What identifies a record: its offset, the hash of its value, its timestamp."""
    digest = hashlib.sha256(b"" if value is None else value).hexdigest()
    return {"offset": offset, "sha256": digest, "timestamp_ms": timestamp_ms}


def _flat(nested: dict[str, dict[str, int]]) -> dict[PartitionKey, int]:
    return {(t, int(p)): offset for t, inner in nested.items() for p, offset in inner.items()}


def _nested(flat: dict[PartitionKey, int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in sorted(flat.items()):
        nested.setdefault(topic, {})[str(partition)] = offset
    return nested
