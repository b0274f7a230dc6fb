"""The benchmark of searches on a few events."""

import gzip
import random
from pathlib import Path

import pytest

from benchmarks.searching import STREAMS, kinds, logistic, quality, speed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of each stream's name and columns."""
    rng = random.Random(1)
    for stream in STREAMS.values():
        names = stream.features or ("x1", "x2")
        lines = [",".join([*names, stream.label])]
        for _ in range(300):
            values = [f"{rng.random():.3f}" for _ in names]
            lines.append(",".join([*values, str(stream.labels[float(values[0]) > 0.5])]))
        with gzip.open(tmp_path / stream.file, "wt") as file:
            file.write("\n".join(lines) + "\n")
    return tmp_path


def test_speed_and_quality_are_told(data: Path, tmp_path: Path) -> None:
    """A line a run, and one a space and stream; of so few events halving lets none go early."""
    assert (len(logistic()), len(kinds())) == (16, 16)

    (line,) = speed(data, tmp_path, 1)
    lines = [*quality(data, tmp_path)]

    assert line.startswith("run 1: read and decoded in")
    assert len(lines) == 2 * len(STREAMS)
    assert all("1.000 of the steps; its winner is the grid's number 1:" in each for each in lines)
