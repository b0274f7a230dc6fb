"""Every benchmark still measures: each in seconds, on counts that tell nothing about speed."""

import os
from pathlib import Path

import pytest

from benchmarks import flames, rollbacks, throughput
from benchmarks.bench import Place
from benchmarks.journal import Journal
from benchmarks.long import curve
from benchmarks.peers.__main__ import compare
from benchmarks.scale import TINY
from benchmarks.sizes import at_size

pytestmark = pytest.mark.timeout(240)

_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


@pytest.mark.parametrize("name", ["logistic regression", "VW, text"])
def test_a_learner_and_its_bare_loop(at: Place, name: str) -> None:
    found = throughput.speed(name, at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())
    assert found[f"{name}: Kafka to learned ÷ bare loop"] == pytest.approx(
        found[f"{name}: Kafka to learned, events/s"] / found[f"{name}: bare loop, events/s"]
    )


def test_a_size(at: Place) -> None:
    """Every commit is told apart, and versions grow old."""
    found = at_size("0", at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())


def test_rollbacks_beside_a_learner_that_learns(at: Place) -> None:
    """Small and large, loaded anew and kept loaded."""
    found = rollbacks.to_three_workers(at.servers, run=0, scale=TINY)

    assert len(found) == 2 * 3
    assert all(value > 0 for value in found.values())


def test_a_curve_is_gone_on_with(starts_servers: None, tmp_path: Path) -> None:
    """Each step is kept; what is there is not measured again."""
    journal = Journal(tmp_path / "journal", "tiny")
    curve(journal, tmp_path / "servers", 20_000, steps=2)
    measured = [part["events"] for part in journal.parts]
    assert measured == [10_000, 20_000]

    journal = Journal(tmp_path / "journal", "tiny")
    journal.parts = journal.parts[:-1]
    curve(journal, tmp_path / "servers", 20_000, steps=2)
    assert [part["events"] for part in journal.parts] == measured


def test_weir_is_asked_as_its_peers_are(at: Place) -> None:
    """The others need environments of their own."""
    (found,) = compare(at.servers, [], rounds=1, scale=TINY)["Weir"]

    assert found.failed == 0
    assert 0 < found.client_share < 1


def test_flame_graphs(at: Place, tmp_path: Path) -> None:
    """Where one process may trace another; elsewhere it is said."""
    if os.geteuid() and _YAMA.exists() and _YAMA.read_text().strip() != "0":
        with pytest.raises(flames.NotTracedError):
            flames.profile(at, "logistic regression", seconds=1, out=tmp_path)
        return
    for path in flames.profile(at, "logistic regression", seconds=1, out=tmp_path):
        assert path.read_text().startswith("<?xml")
