"""What a rewind has replayed: put together piece by piece, and read as it was written."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records.replay import Replay, joined
from tests.effort import examples

STRETCHES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(1, 5)), max_size=12
)


def runs_of(stretches):
    """Each begins where the last one of its partition ended."""
    ends, runs = {}, []
    for topic, partition, count in stretches:
        at = ends.get((topic, partition), 0)
        runs.append((topic, partition, at, at + count))
        ends[topic, partition] = at + count
    return runs


def places(runs):
    return [(topic, partition, at) for topic, partition, a, b in runs for at in range(a, b)]


@settings(max_examples=examples(300))
@given(STRETCHES)
def test_joined_runs_are_the_same_records_in_as_few_runs_as_may_be(stretches):
    runs = runs_of(stretches)
    found = joined(runs)
    assert places(found) == places(runs)
    assert joined(found) == found
    for (*key, _, end), (*next_key, begin, _) in pairwise(found):
        assert (key, end) != (next_key, begin)


@settings(max_examples=examples(300))
@given(STRETCHES, STRETCHES, st.integers(0, 12), st.integers(0, 12))
def test_a_replay_in_pieces_is_the_replay_in_one(taken, left_out, cut, other_cut):
    """Wherever a version was made between, or a learner died."""
    runs, skipped = runs_of(taken), runs_of(left_out)
    raised = tuple(places(runs)[::3])
    whole = Replay().then(Replay(runs=tuple(runs), skipped=tuple(skipped), raised=raised))
    first = Replay(runs=tuple(runs[:cut]), skipped=tuple(skipped[:other_cut]), raised=raised[:cut])
    rest = Replay(runs=tuple(runs[cut:]), skipped=tuple(skipped[other_cut:]), raised=raised[cut:])

    found = Replay.from_bytes(Replay().then(first).to_bytes()).then(rest)

    assert found == whole
    assert Replay.from_bytes(found.to_bytes()) == found


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"\x93\x01\x02\x03", b"\x91\x91\x94\x01\x02\x03\x04"]
)
def test_what_is_no_replay_is_not_read_as_one(raw):
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        Replay.from_bytes(raw)
