"""Events that wait are still weighed, and commits and restarts timed beside them."""

import pytest

from benchmarks import pending
from benchmarks.bench import Place

pytestmark = pytest.mark.timeout(240)


def test_a_line_with_events_that_wait(at: Place, unique_name: str) -> None:
    found = pending.measure(at.servers, events=600, joined=20, rounds=2, name=unique_name)

    assert len(found) == 8
    assert found["an empty line, MB"] > 0
    assert all(value > 0 for name, value in found.items() if "above" not in name)
