"""How halving spends its steps."""

from itertools import pairwise

import pytest

from stream.trying.search.rungs import rungs, steps


@pytest.mark.parametrize("trials", [2, 3, 5, 16, 27, 100])
@pytest.mark.parametrize("records", [100, 2_500, 17_379, 45_312, 1_000_000])
@pytest.mark.parametrize("keep", [1 / 3, 0.5, 0.8])
def test_the_rules_hold(trials: int, records: int, keep: float) -> None:
    """No early rung, no cruel one; the last is at the end, and no more steps than a grid's."""
    plan = rungs(trials, records, first=2_000, keep=keep)

    assert plan[0].trials == trials
    assert plan[-1].until == records
    assert plan[0].until >= min(2_000, records)
    for one, following in pairwise(plan):
        assert one.until < following.until
        assert following.trials >= one.trials / 3
        assert following.trials < one.trials
    assert steps(plan) <= trials * records
    assert plan[-1].trials >= 2


def test_sixteen_trials_on_elec2_cost_a_third_of_a_grid() -> None:
    """By the defaults."""
    assert steps(rungs(16, 45_312, first=2_000, keep=0.5)) <= 0.35 * 16 * 45_312
