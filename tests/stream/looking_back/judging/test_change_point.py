"""Where a row of versions broke: on poisoned streams, and on rows that are made up."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import datasets

from stream.looking_back.judging.change_point import find_break
from stream.looking_back.judging.progressive import progressive_break
from stream.looking_back.judging.verdict import Blamed, ProbeBreak, verdict
from tests.effort import examples
from tests.learner.streams import Pair, binary, numbers, only_numbers
from tests.stream.looking_back.judging.poisoned import (
    LEARNERS,
    POISONS,
    Row,
    poisoned,
    row_of,
)

EVERY = 100


def phishing() -> list[Pair]:
    """River's own, over and over in another order: 5,000 events."""
    rng = np.random.default_rng(11)
    pairs = list(datasets.Phishing())
    return [pairs[at] for _ in range(4) for at in rng.permutation(len(pairs))]


def blamed(row: Row, length: int) -> Blamed | None:
    """What is said of the first so many versions, of which eleven are known to be good."""
    versions = row.versions[:length]
    at = find_break(row.losses[:length], since=10)
    on_probe = None if at is None else ProbeBreak(row=versions, at=at)
    return verdict(on_probe, progressive_break(versions, 10))


STREAMS = {"phishing": phishing, "made": lambda: only_numbers(binary(5000))}


# Phishing's features are -1, 0 and 1: a thousand times that falls on the same side of each split.
# The forest puts what is so large on branches of its own; a version that is worse comes later.
HARMLESS = {("phishing", "tree", "thousandfold"), ("made", "forest", "thousandfold")}
# A forest takes half a minute a case: `benchmarks/README.md` has what was found of it.
SLOW = {*product(STREAMS, ["forest"], POISONS)}
HARMFUL = sorted({*product(STREAMS, LEARNERS, POISONS)} - HARMLESS - SLOW)


@pytest.mark.parametrize(("stream", "learner", "poison"), HARMFUL)
def test_the_first_version_of_a_poisoned_stretch_is_found(stream, learner, poison):
    """Both when the model is still poisoned, and when it has learned good events since."""
    pairs = STREAMS[stream]()
    probe, rest = pairs[:500], pairs[500:4000]
    first, last = 20 * EVERY, 26 * EVERY

    row = row_of(LEARNERS[learner], poisoned(rest, poison, range(first, last)), probe, every=EVERY)

    for length in (26, 32):
        found = blamed(row, length)
        assert found is not None
        assert (found.good.number, found.bad.number) == (20, 21)


@pytest.mark.parametrize("learner", [each for each in LEARNERS if each != "forest"])
@pytest.mark.parametrize("stream", STREAMS)
def test_nothing_is_blamed_where_nothing_broke(stream, learner):
    pairs = STREAMS[stream]()

    row = row_of(LEARNERS[learner], pairs[500:3700], pairs[:500], every=EVERY)

    assert blamed(row, len(row.versions)) is None


def test_a_regression_is_judged_by_its_errors():
    """Whose greatest may be a million times the others."""
    pairs = only_numbers(numbers(4000))
    learner = {"river": ["preprocessing.StandardScaler", "linear_model.LinearRegression"]}
    spoilt = poisoned(pairs[500:], "thousandfold", range(2000, 2300))

    row = row_of(learner, spoilt, pairs[:500], every=EVERY, task="regression")

    found = blamed(row, len(row.versions))
    assert found is not None
    assert found.bad.number == 21


def made_up(rng, count, break_at, *, step, ramp=1, noise=0.001):
    """Versions that differ a little each, and by `step` from one place on, within `ramp`."""
    hard = rng.uniform(0.02, 0.3, 300)
    row = []
    for place in range(count):
        share = min(1.0, max(0, place - break_at + 1) / ramp)
        level = rng.normal(0, noise) + step * share
        row.append(np.clip(hard + level + rng.normal(0, 0.02, 300), 0, 1))
    return row


@given(st.integers(0, 10**6), st.integers(3, 25), st.integers(1, 4))
def test_the_break_is_found_wherever_it_is(seed, break_at, ramp):
    row = made_up(np.random.default_rng(seed), 30, break_at, step=0.3, ramp=ramp)

    found = find_break(row)

    assert found is not None
    assert found.bad == break_at
    assert found.good == break_at - 1
    assert found.z > found.needed_z


def test_false_alarms_are_rare():
    """Versions that differ by 3 % of their loss, as a rule; one row in fifty may be blamed."""
    rng = np.random.default_rng(5)
    rows = [made_up(rng, 30, 99, step=0.0, noise=0.003) for _ in range(examples(300))]

    blamed = sum(find_break(row, since=8) is not None for row in rows)

    assert blamed <= max(1, len(rows) // 50)


def test_the_way_back_is_told():
    """The version that has made up for half of it."""
    rng = np.random.default_rng(2)
    row = made_up(rng, 12, 99, step=0.0)
    for place, level in ((5, 0.3), (6, 0.4), (7, 0.3), (8, 0.1)):
        row[place] = np.clip(row[place] + level, 0, 1)

    found = find_break(row)

    assert (found.bad, found.worst, found.back) == (5, 6, 8)


@pytest.mark.parametrize("since", [0, 4])
def test_a_row_of_equals_has_no_break(since):
    losses = np.full(50, 0.25)

    assert find_break([losses] * 6, since) is None
    assert find_break([losses], 0) is None
