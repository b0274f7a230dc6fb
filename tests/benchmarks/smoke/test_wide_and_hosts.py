"""Wide streams and hosts of several models still measure."""

from pathlib import Path

import pytest

from benchmarks import hosts, wide
from benchmarks.bench import Place
from benchmarks.scale import TINY

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    "name", ["14 floats, logistic regression", "strings, logistic regression", "growing tree"]
)
def test_a_wide_stream(at: Place, name: str) -> None:
    """Each learner is compared with its own loop; a tree that grows is weighed."""
    found = wide.speed(name, at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())
    for what in (name, f"{name}, API on"):
        assert found[f"{what}: Kafka to learned ÷ bare loop"] == pytest.approx(
            found[f"{what}: Kafka to learned, events/s"] / found[f"{what}: bare loop, events/s"]
        )
    assert (f"{name}: size at the end, MB" in found) == wide.CASES[name].grows


def test_a_host_of_two(starts_servers: None, tmp_path: Path) -> None:
    """Each model learns what it is sent, and all that a role costs is counted once."""
    found = hosts.host(2, tmp_path, run=0, scale=TINY)

    roles = [found[f"2 models: idle, {role}, % of a core"] for role in hosts.ROLES]
    assert sum(roles) == pytest.approx(found["2 models: idle, % of a core"])
    own = found["2 models: PSS a model, source and learner, MB"]
    assert 0 < own < found["2 models: PSS a model, all told, MB"]
    assert found["2 models: start, s"] > 0
    assert found["2 models: events/s in total"] > 0
