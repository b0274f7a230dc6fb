"""What scores cost is still measured."""

import pytest

from benchmarks import scores


@pytest.mark.parametrize("learner", scores.GOALS)
def test_all_scores_are_measured_beside_one(learner: str) -> None:
    found = scores.rounds(learner, 2, events=60)

    assert len(found) == 2
    for pair in found:
        assert all(each.event_us > 0 and each.snapshot_ms > 0 for each in pair)
