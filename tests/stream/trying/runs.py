"""What tests of trials share: models, records made by hand, a source that breaks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from config.model_file import ModelFile, parse_model_file
from config.processes.stopping import Stop
from stream.errors import KafkaUnavailableError
from stream.send.csv_file import CsvColumns
from stream.trying.candidates import Candidate
from stream.trying.progress import TrialProgress
from stream.trying.side_by_side import Comparison, SideBySide
from stream.trying.sources import FileRecord, FileSource, Stretches, TrialSource, in_stretches

TOP = Path(__file__).parents[3]
RUN = "import weir; weir.main()"
LOGISTIC = """
name: logistic
task: binary
learner: {river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}
metrics: [Accuracy, LogLoss, F1]
"""
TREE = """
name: tree
task: binary
learner: {river: [tree.HoeffdingTreeClassifier]}
metrics: [Accuracy, F1]
"""


def candidate(text: str, **settings: Any) -> Candidate:
    """A model file's text, to be tried."""
    model_file = parse_model_file(text)
    return Candidate(path=f"{model_file.name}.yaml", model_file=model_file, settings=settings)


def stream(name: str, limit: int | None = None) -> FileSource:
    """One of River's own streams."""
    return FileSource(f"river:{name}", CsvColumns(), limit=limit)


def tried(source: TrialSource, *texts: str, **options: Any) -> Comparison:
    """These models on this source, to its end."""
    trials = SideBySide([*map(candidate, texts)], source, **options)
    return trials.run(Stop(), TrialProgress(source.name, source.total()))


class MadeSource:
    """Records of a test's own; after some of them the server is away.

    Args:
        events: Each as JSON, or bytes as they are.
        breaks_at: From which record on there is none; None: it does not break.
    """

    name = "made"
    file = None
    labels: str | None = None
    version = None

    def __init__(self, events: list[Any], *, breaks_at: int | None = None) -> None:
        values = [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in events]
        self._records = [FileRecord(value, n) for n, value in enumerate(values)]
        self._breaks_at = breaks_at

    def total(self) -> int:
        return len(self._records)

    def reading(self, _: ModelFile) -> str:
        return self.name

    def stretches(self, model_file: ModelFile) -> Stretches:
        return in_stretches(model_file.topics.events, 0, self._until_it_breaks())

    def _until_it_breaks(self) -> Iterator[FileRecord]:
        for record in self._records:
            if record.offset == self._breaks_at:
                raise KafkaUnavailableError("host:9092", "it is away")
            yield record


def begun(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`weir` in a process of its own, with `folder` as its directory."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{TOP}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(folder: Path, *words: str) -> tuple[int, str, str]:
    """Its exit code, and what it printed."""
    process = begun(folder, *words)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err
