"""Starts and deaths are timed: by servers that stand, and by those of `weir dev`."""

from pathlib import Path

import pytest

from benchmarks import recovery
from benchmarks.bench import Place
from benchmarks.scale import TINY

pytestmark = pytest.mark.timeout(240)


def test_a_cold_start(at: Place) -> None:
    found = recovery.cold_start(at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())


def test_a_standby_takes_over(at: Place) -> None:
    """Later than the lease lapsed."""
    found = recovery.standby(at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())


def test_deaths_under_weir_dev(starts_servers: None, tmp_path: Path) -> None:
    found = recovery.under_dev(tmp_path, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())
