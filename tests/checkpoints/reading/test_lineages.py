"""In which order records were taken, whatever was committed, forgotten, rewound and pruned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.errors import CheckpointCorrupt
from checkpoints.reading.lineages import Lineages, ReadOrder, flat, order_since
from checkpoints.records.line import Line
from checkpoints.records.lineage import fold, seal_lineage
from checkpoints.records.manifest import Counts, Rewind, Run, Version, seal_version
from checkpoints.records.replay import SEGMENT, Replay, joined
from checkpoints.records.segments import pack
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import (
    LEARNER,
    VERIFIER,
    a_manifest,
    a_rollback,
    a_version,
    damage_segment,
    granted,
    put,
    ref_of,
)
from tests.effort import examples

LINE = Line("phishing")
TOPIC = "events"
Record = tuple[int, int]  # partition, offset


@dataclass(frozen=True, slots=True)
class Met:
    """What a naive line remembers at one version.

    Attributes:
        order: Every record that was met, as the line stands for it, forgotten ones included.
        left_out: Those that rewinds have left out since.
        ends: The next offset of each partition.
    """

    order: tuple[Record, ...] = ()
    left_out: frozenset[Record] = frozenset()
    ends: tuple[int, ...] = ()

    def since(self, target: Met) -> list[Record]:
        """What a rewind to `target` replays."""
        return [each for each in self.order if each[1] >= target.ends[each[0]]]

    def left_out_since(self, target: Met) -> frozenset[Record]:
        """What rewinds have left out of that."""
        return frozenset(each for each in self.left_out if each[1] >= target.ends[each[0]])


@dataclass(slots=True)
class History:
    """A line in a store, and beside it what a naive one remembers of each version."""

    partitions: int
    store: MemoryStore = field(default_factory=MemoryStore)
    versions: list[Version] = field(default_factory=list)
    met: dict[str, Met] = field(default_factory=dict)
    kept: list[Version] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        self.token = granted(self.store, LINE, lease_s=1e9).token
        put(self.store, LINE, b"weights")
        self.commit([])

    @property
    def lineages(self) -> Lineages:
        return Lineages(self.store, VERIFIER, LINE)

    @property
    def head(self) -> Version:
        return self.versions[-1]

    def commit(self, runs: Sequence[tuple[int, int]]) -> None:
        """So many records of each partition, one run after another."""
        was = self.met[self.head.id] if self.versions else Met(ends=(0,) * self.partitions)
        new, ends = read_on(was.ends, runs)
        parent = self.head if self.versions else None
        self._add(
            a_version(
                LINE, number=len(self.versions) + 1, parent=parent, counts=Counts(),
                offsets=offsets(ends), begins=offsets([0] * self.partitions), runs=runs_of(new),
            ),
            Met(was.order + tuple(new), was.left_out, tuple(ends)),
        )  # fmt: skip

    def forget(self, target: Version) -> None:
        """The place in the log stays."""
        back = a_rollback(self.head, target, number=len(self.versions) + 1)
        self._add(back, self.met[self.head.id])

    def rewind(
        self, target: Version, skipped: Iterable[Record], more: Sequence[tuple[int, int]]
    ) -> None:
        """Replay, without these; `more` has come meanwhile."""
        now, then = self.met[self.head.id], self.met[target.id]
        new, ends = read_on(now.ends, more)
        again = [*now.since(then), *new]
        out = frozenset(skipped) & frozenset(again)
        taken = [each for each in again if each not in out]
        out |= now.left_out_since(then)
        replay = Replay(runs=runs_of(taken), skipped=runs_of(sorted(out)))
        ref, stored = pack(replay.to_bytes())
        self.store.put_segment(LINE, ref.sha256, stored)
        manifest = a_manifest(
            LINE, number=len(self.versions) + 1, parent=self.head.id, counts=Counts(),
            offsets=offsets(ends), begins=offsets([0] * self.partitions), kind="rewind",
            segments={"model": ref_of(b"weights"), SEGMENT: ref},
            rewind=Rewind(to=target.manifest.name, to_id=target.id, command_id="c", at_ms=1),
        )  # fmt: skip
        met = Met(then.order + tuple(taken), then.left_out | out, tuple(ends))
        self._add(seal_version(manifest, LEARNER), met)

    def lose(self, numbers: Iterable[int]) -> None:
        """Drop those versions, and all that they recorded; the head stays."""
        self.prune(numbers, folds=False)

    def prune(self, numbers: Iterable[int], *, folds: bool = True) -> None:
        """Drop those versions, as retention does; the head stays."""
        gone = [each for each in self.kept[:-1] if each.number in set(numbers)]
        kept = [each for each in self.kept if each not in gone]
        lineages = self.lineages
        standing = {each.id: lineages.of(each) for each in self.kept}
        folded = fold(kept, gone, standing) if folds else {}
        outcome = self.store.prune(
            LINE,
            token=self.token,
            head=self.head.id,
            control=None,
            drop=[each.id for each in gone],
            lineages={of: seal_lineage(each, LEARNER) for of, each in folded.items()},
        )
        assert outcome is Outcome.OK
        self.kept = kept

    def _add(self, version: Version, met: Met) -> None:
        assert self.store.commit(LINE, token=self.token, version=version) is Outcome.OK
        self.versions.append(version)
        self.kept.append(version)
        self.met[version.id] = met


def since(history: History, target: Version, **more: bool) -> ReadOrder:
    """What the head has read after a version, as a rewind to it asks."""
    begins = flat(target.manifest.offsets)
    return order_since(history.lineages, history.head, begins, stops_at=target.id, **more)


def read_on(ends: Sequence[int], runs: Iterable[tuple[int, int]]) -> tuple[list[Record], list[int]]:
    new: list[Record] = []
    after = list(ends)
    for partition, count in runs:
        where = partition % len(after)
        new += [(where, after[where] + n) for n in range(count)]
        after[where] += count
    return new, after


def runs_of(records: Iterable[Record]) -> tuple[Run, ...]:
    return joined((TOPIC, partition, at, at + 1) for partition, at in records)


def records_of(runs: Iterable[Run]) -> list[Record]:
    return [(partition, at) for _, partition, first, end in runs for at in range(first, end)]


def offsets(ends: Sequence[int]) -> dict[str, dict[str, int]]:
    return {TOPIC: {str(partition): at for partition, at in enumerate(ends)}}


RUNS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=5)
SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 8)), max_size=3)
COMMITS = st.tuples(st.just("commit"), RUNS)
FORGETS = st.tuples(st.just("forget"), st.integers(0, 20))
REWINDS = st.tuples(st.just("rewind"), st.integers(0, 20), SPANS, RUNS)
PRUNES = st.tuples(st.just("prune"), st.frozensets(st.integers(1, 12), max_size=6))
LOSSES = st.tuples(st.just("lose"), st.frozensets(st.integers(1, 12), max_size=6))


def lived(partitions: int, steps: Iterable[tuple]) -> History:
    """A line after these steps."""
    history = History(partitions)
    for name, *given_ in steps:
        match name:
            case "commit":
                history.commit(*given_)
            case "forget":
                history.forget(history.kept[given_[0] % len(history.kept)])
            case "rewind":
                to, spans, more = given_
                skipped = [(p % partitions, first + n) for p, first, count in spans
                           for n in range(count)]  # fmt: skip
                history.rewind(history.kept[to % len(history.kept)], skipped, more)
            case "prune":
                history.prune(*given_)
            case "lose":
                history.lose(*given_)
    return history


@settings(max_examples=examples(300), deadline=None)
@given(
    partitions=st.integers(1, 4),
    steps=st.lists(COMMITS | FORGETS | REWINDS, max_size=12),
    to=st.integers(0, 20),
)
def test_what_came_after_a_version_is_told_in_the_order_in_which_it_was_met(partitions, steps, to):
    """Forgotten or not; without what rewinds have left out."""
    history = lived(partitions, steps)
    target = history.kept[to % len(history.kept)]

    found = since(history, target)

    assert records_of(found.runs) == history.met[history.head.id].since(history.met[target.id])
    assert found.unknown == 0
    assert found.runs == joined(found.runs)


@settings(max_examples=examples(300), deadline=None)
@given(
    partitions=st.integers(1, 4),
    steps=st.lists(COMMITS | FORGETS | REWINDS | PRUNES, max_size=14),
    to=st.integers(0, 20),
)
def test_retention_takes_nothing_of_the_order(partitions, steps, to):
    """What a pruned rewind has left out does not come back, nor is what was forgotten lost."""
    history = lived(partitions, steps)
    target = history.kept[to % len(history.kept)]

    found = since(history, target)

    assert records_of(found.runs) == history.met[history.head.id].since(history.met[target.id])
    assert found.unknown == 0


@settings(max_examples=examples(300), deadline=None)
@given(
    partitions=st.integers(1, 4),
    steps=st.lists(COMMITS | FORGETS | LOSSES, max_size=14),
    to=st.integers(0, 20),
)
def test_where_the_order_is_lost_each_record_stands_once_in_its_partition_s(partitions, steps, to):
    """What is known of it follows; how many records are not is told."""
    history = lived(partitions, steps)
    target = history.kept[to % len(history.kept)]

    plan = since(history, target)

    found = records_of(plan.runs)
    whole = history.met[history.head.id].since(history.met[target.id])
    assert sorted(found) == sorted(whole)
    assert plan.unknown > 0 or found == whole
    for partition in range(partitions):
        of_one = [at for where, at in found if where == partition]
        assert of_one == sorted(of_one)


@settings(max_examples=examples(200), deadline=None)
@given(
    partitions=st.integers(1, 4),
    steps=st.lists(COMMITS | FORGETS | REWINDS | PRUNES, max_size=12),
    to=st.integers(0, 20),
    done=st.integers(0, 100),
)
def test_a_rewind_that_was_cut_short_goes_on_where_it_was(partitions, steps, to, done):
    """What is left is the rest, in the same order."""
    history = lived(partitions, steps)
    target = history.kept[to % len(history.kept)]
    whole = records_of(since(history, target).runs)
    done = min(done, len(whole))
    ends = list(history.met[target.id].ends)
    for partition, at in whole[:done]:
        ends[partition] = at + 1
    candidate = a_version(LINE, number=90, counts=Counts(), offsets=offsets(ends))

    left = since(history, candidate)

    assert records_of(left.runs) == whole[done:]


@settings(max_examples=examples(200), deadline=None)
@given(partitions=st.integers(1, 4), steps=st.lists(COMMITS | REWINDS | PRUNES, max_size=12))
def test_a_version_is_made_of_what_its_lineage_tells(partitions, steps):
    """From base to base back to the untrained model; nothing that was left out is among it."""
    history = lived(partitions, steps)
    lineages = history.lineages
    for version in history.kept:
        step, parts = version, []
        while step is not None:
            lineage = lineages.of(step)
            parts.append(records_of(lineage.runs))
            step = lineages.kept(lineage.base)
        assert tuple(each for part in reversed(parts) for each in part) == (
            history.met[version.id].order
        )


def test_what_was_left_out_once_stays_so_until_a_version_is_gone_on_from_that_has_learned_it():
    history = lived(1, [("commit", [(0, 5)]), ("commit", [(0, 5)]), ("commit", [(0, 5)])])
    _, two, three, _ = history.versions
    history.rewind(two, [(0, at) for at in range(5, 10)], [])
    history.commit([(0, 2)])

    assert since(history, two).runs == ((TOPIC, 0, 10, 17),)

    history.rewind(three, [], [])

    assert since(history, two).runs == ((TOPIC, 0, 5, 17),)


def test_a_replay_that_was_altered_is_not_believed():
    history = lived(1, [("commit", [(0, 5)])])
    history.rewind(history.versions[0], [(0, 2)], [])
    damage_segment(history.store, history.head, SEGMENT)

    with pytest.raises(CheckpointCorrupt, match="replay"):
        since(history, history.versions[0])
