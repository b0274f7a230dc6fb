"""Records are handed out in the order in which they were taken before, however they are read."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records.replay import joined
from stream.replay.in_order import HELD_MAX, InOrder, Piece
from tests.effort import examples

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """All that is asked of one here."""

    offset: int


@dataclass(slots=True)
class Log:
    """What partitions hold, and up to where each was read.

    Attributes:
        records: By partition; between their offsets there may be gaps.
        ends: The next offset of each partition, behind the last gap.
        positions: Up to where each was read.
    """

    records: dict[Key, list[int]]
    ends: dict[Key, int]
    positions: dict[Key, int]

    def read(self, key: Key, most: int) -> list[Record]:
        """So many offsets further, as a consumer reads: gaps are passed over with them."""
        begin = self.positions[key]
        self.positions[key] = min(self.ends[key], begin + most)
        return [Record(at) for at in self.records[key] if begin <= at < self.positions[key]]


@st.composite
def replays(draw):
    """Partitions with gaps, which records were taken and in which order, and how all is read."""
    keys = [("e", partition) for partition in range(draw(st.integers(1, 4)))]
    records, ends, until = {}, {}, {}
    for key in keys:
        ends[key] = draw(st.integers(0, 30))
        gaps = draw(st.frozensets(st.integers(0, 30), max_size=6))
        records[key] = [at for at in range(ends[key]) if at not in gaps]
        until[key] = draw(st.integers(0, ends[key]))
    left_out = draw(st.frozensets(st.sampled_from(
        [(key, at) for key in keys for at in range(30)]), max_size=20))  # fmt: skip
    before = [key for key in keys for at in range(until[key])]
    following = dict.fromkeys(keys, 0)
    order = []
    for key in draw(st.permutations(before)):
        order.append((key, following[key]))
        following[key] += 1
    taken = [each for each in order if each not in left_out]
    polls = draw(st.lists(st.tuples(st.sampled_from(keys), st.integers(1, 12)), max_size=40))
    return Log(records, ends, dict.fromkeys(keys, 0)), until, taken, polls


@settings(max_examples=examples(400), deadline=None)
@given(replays())
def test_every_interleaving_of_polls_hands_out_the_old_order_and_then_what_is_new(given_):
    """Each record once; left out is what none of the runs has and what was read before."""
    log, until, taken, polls = given_
    runs = joined((*key, at, at + 1) for key, at in taken)
    order, found = InOrder(runs, until), []
    assert order.total == sum(end - first for *_, first, end in runs)

    for key, most in [*polls, *((key, 99) for _ in range(2) for key in log.ends)]:
        if key not in order.to_hold():
            order.add(key, log.read(key, most))
        found += order.ready(log.positions.__getitem__)
        found += [Piece(*each) for each in order.newer()]

    there = {(key, at) for key, of in log.records.items() for at in of}
    known = [each for each in told(found) if each[1] < until[each[0]]]
    passed = {each for each in told(found, is_left_out=True) if each[1] < until[each[0]]}
    assert known == [each for each in taken if each in there]
    assert passed == {each for each in there - set(taken) if each[1] < until[each[0]]}
    assert sorted(told(found) + told(found, is_left_out=True)) == sorted(there)
    assert order.is_done
    assert (order.left, order.runs_left) == (0, 0)
    for key, of in log.records.items():
        assert [at for each in found if each[:2] == key for at in offsets_of(each)] == of


def told(stretches: list[Piece], *, is_left_out: bool = False) -> list[tuple[Key, int]]:
    return [
        ((each.topic, each.partition), at)
        for each in stretches
        if each.is_left_out == is_left_out
        for at in offsets_of(each)
    ]


def offsets_of(stretch: Piece) -> list[int]:
    return [record.offset for record in stretch.records]


@settings(max_examples=examples(200), deadline=None)
@given(replays(), st.integers(0, 5))
def test_it_stops_where_so_many_runs_are_left(given_, down_to):
    """As a rebuild asks: another model file may begin there."""
    log, until, taken, _ = given_
    runs = joined((*key, at, at + 1) for key, at in taken)
    order = InOrder(runs, until)
    for key in log.ends:
        order.add(key, log.read(key, 99))

    found = told(order.ready(log.positions.__getitem__, down_to=down_to))
    rest = told(order.ready(log.positions.__getitem__, down_to=0))

    there = {(key, at) for key, of in log.records.items() for at in of}
    first = [(run[:2], at) for run in runs[: max(0, len(runs) - down_to)]
             for at in range(run[2], run[3])]  # fmt: skip
    assert found == [each for each in first if each in there]
    assert found + rest == [each for each in taken if each in there]


def test_a_partition_that_is_far_ahead_is_held_until_its_turn():
    """Only so many of its records wait, whatever the others have; what is due is never held."""
    ahead, due = ("e", 0), ("e", 1)
    order = InOrder([(*due, 0, 1), (*ahead, 0, HELD_MAX + 2)], until={ahead: HELD_MAX + 2, due: 1})
    order.add(ahead, [Record(at) for at in range(HELD_MAX + 1)])
    assert order.ready({ahead: HELD_MAX + 1, due: 0}.__getitem__) == []
    assert order.to_hold() == {ahead}

    order.add(due, [Record(0)])
    found = order.ready({ahead: HELD_MAX + 1, due: 1}.__getitem__)

    assert [(each.partition, len(each.records)) for each in found] == [(1, 1), (0, HELD_MAX + 1)]
    assert order.to_hold() == set()
    assert (order.is_done, order.left) == (False, 1)


def test_what_is_new_waits_until_all_that_is_old_is_taken():
    """Of a partition that was unknown before, too."""
    order = InOrder([("e", 0, 0, 2)], until={("e", 0): 2})
    positions = {("e", 0): 1, ("e", 1): 3}
    order.add(("e", 1), [Record(0), Record(1), Record(2)])
    order.add(("e", 0), [Record(0)])
    assert told(order.ready(positions.__getitem__)) == [(("e", 0), 0)]
    assert order.newer() == []

    positions["e", 0] = 4
    order.add(("e", 0), [Record(at) for at in (1, 2, 3)])
    assert told(order.ready(positions.__getitem__)) == [(("e", 0), 1)]
    assert order.is_done
    newer = {each[:2]: offsets_of(Piece(*each)) for each in order.newer()}
    assert newer == {("e", 0): [2, 3], ("e", 1): [0, 1, 2]}
    assert order.newer() == []
