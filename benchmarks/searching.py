"""`python -m benchmarks.searching DATA`: what a search costs, and what halving finds.

Two workers against one, on 16 logistic regressions over elec2; and halving against the whole grid,
of 16 logistic regressions and of 16 learners of several kinds, on three streams. It runs in this
process and its forks, without a server.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from config.processes.stopping import Stop
from stream.send.csv_file import CsvColumns
from stream.trying.candidates import Candidate, ModelDocument
from stream.trying.progress import TrialProgress
from stream.trying.search.lab import Lab, open_lab
from stream.trying.search.local import LocalEngine
from stream.trying.search.rungs import rungs
from stream.trying.search.search import Search, search
from stream.trying.sources import FileSource
from stream.trying.value_paths import Settings, grid

FIRST, KEEP = 2_000, 0.5
_RATES = (0.003, 0.01, 0.03, 0.1)
_PENALTIES = (0.0, 0.0001, 0.001, 0.01)
_AIRLINES = (
    *("Month", "DayofMonth", "DayOfWeek", "CRSDepTime", "CRSArrTime"),
    *("CRSElapsedTime", "Distance"),
)
_SCALER = "preprocessing.StandardScaler"


class Stream(NamedTuple):
    """A file of the data folder.

    Attributes:
        features: Columns; None: all but the label's.
    """

    file: str
    label: str
    labels: list[Any]
    features: tuple[str, ...] | None = None


STREAMS = {
    "elec2": Stream("elec2.csv.gz", "class", ["DOWN", "UP"]),
    "airlines2k": Stream("airlines2k.csv.gz", "IsArrDelayed", ["NO", "YES"], _AIRLINES),
    "sea": Stream("sea_abrupt.csv.gz", "class", [0, 1]),
}


def logistic() -> list[Settings]:
    """Sixteen learning rates and penalties."""
    name = "learner.river.LogisticRegression"
    rates = [{"optim.SGD": [rate]} for rate in _RATES]
    return grid([(f"{name}.optimizer", rates), (f"{name}.l2", _PENALTIES)])


def kinds() -> list[Settings]:
    """Sixteen learners of eight kinds."""
    regressions = [
        [_SCALER, {"linear_model.LogisticRegression": {"optimizer": {"optim.SGD": [rate]}}}]
        for rate in _RATES
    ]
    adam = [_SCALER, {"linear_model.LogisticRegression": {"optimizer": {"optim.Adam": [0.01]}}}]
    passive = [[_SCALER, {"linear_model.PAClassifier": {"C": c}}] for c in (0.01, 0.1, 1.0)]
    trees = [[{"tree.HoeffdingTreeClassifier": {"grace_period": n}}] for n in (50, 200, 1_000)]
    others: list[list[Any]] = [
        ["naive_bayes.GaussianNB"],
        [_SCALER, "linear_model.Perceptron"],
        [{"tree.HoeffdingAdaptiveTreeClassifier": {"seed": 1}}],
        [_SCALER, {"linear_model.ALMAClassifier": {}}],
        ["tree.ExtremelyFastDecisionTreeClassifier"],
    ]
    return grid([("learner.river", [*regressions, adam, *passive, *trees, *others])])


def lab_of(data: Path, name: str, settings: Sequence[Settings], folder: Path) -> Lab:
    """The stream decoded, the models made."""
    stream = STREAMS[name]
    path = folder / f"{name}.yaml"
    content = {
        "name": name, "task": "binary", "labels": stream.labels, "metrics": ["Accuracy"],
        "learner": {"river": [_SCALER, "linear_model.LogisticRegression"]},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    document = ModelDocument(path)
    candidates: list[Candidate] = [document.candidate(each) for each in settings]
    columns = CsvColumns(label=stream.label, features=stream.features)
    source = FileSource(str(data / stream.file), columns, limit=None)
    return open_lab(candidates, source, "Accuracy", TrialProgress(name, source.total()), Stop())


def _say_nothing(_records: int, _at: str) -> None:
    """It is timed as a whole."""


class Timed(NamedTuple):
    """What was found, the seconds that it took, and the CPU seconds of its processes."""

    found: Search
    seconds: float
    cpu_s: float


def searched(lab: Lab, *, workers: int, first: int) -> Timed:
    """One search, by so many processes at a time."""
    engine = LocalEngine(lab, workers)
    plan = rungs(len(lab.candidates), lab.records, first=first, keep=KEEP)
    started, cpu_s = time.monotonic(), _cpu_s()
    found = search(lab, engine, plan, Stop(), _say_nothing)
    return Timed(found, time.monotonic() - started, _cpu_s() - cpu_s)


def _cpu_s() -> float:
    """Of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def speed(data: Path, folder: Path, runs: int) -> Iterator[str]:
    """Two workers against one, decoding included in both."""
    for run in range(runs):
        started, cpu_s = time.monotonic(), time.process_time()
        lab = lab_of(data, "elec2", logistic(), folder)
        read_s, read_cpu_s = time.monotonic() - started, time.process_time() - cpu_s
        one, two = (searched(lab, workers=n, first=lab.records) for n in (1, 2))
        ratio = (read_s + two.seconds) / (read_s + one.seconds)
        yield (
            f"run {run + 1}: read and decoded in {read_s:.1f} s ({read_cpu_s:.1f} CPU s); 16 "
            f"trials by one worker {one.seconds:.1f} s ({one.cpu_s:.1f}), by two "
            f"{two.seconds:.1f} s ({two.cpu_s:.1f}); in all {ratio:.2f} of serial"
        )


def quality(data: Path, folder: Path) -> Iterator[str]:
    """Halving's share of the steps, and the place of its winner in the grid's order."""
    for what, settings in (("logistic", logistic()), ("kinds", kinds())):
        for name in STREAMS:
            lab = lab_of(data, name, settings, folder)
            whole = searched(lab, workers=2, first=lab.records).found
            halved = searched(lab, workers=2, first=FIRST).found
            order = [row.set for row in whole.rows]
            place = order.index(halved.rows[0].set) + 1
            best, won = (found.rows[0].metrics["Accuracy"].lifetime for found in (whole, halved))
            share = halved.records / whole.records
            yield (
                f"{name}, {what}: {share:.3f} of the steps; its winner is the grid's number "
                f"{place}: {won:.4f}, the best {best:.4f}"
            )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with elec2.csv.gz and the others")
    parser.add_argument("--runs", type=int, default=3, help="of the speed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for line in speed(asked.data, Path(folder), asked.runs):
            print(line, flush=True)
        for line in quality(asked.data, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
