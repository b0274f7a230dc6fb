"""What the history of scores costs learning: `python -m benchmarks.history`.

The CPU that its rows take, as a share of all that a trainer takes to admit, predict, score and
learn Phishing again and again by logistic regression, the quickest learner; with one score,
with three, and with ten and three slices.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.data import shipped
from benchmarks.parity import CLASSIFIERS
from benchmarks.scores import ALL, ALONE, batches_of
from config.model_file import ModelFile
from learner.history.recording import Recording
from learner.trainer import Trainer

_EVENTS, _ROUNDS = 400_000, 3
_THREE = {"metrics": ["Accuracy", "ROCAUC", "LogLoss"]}
_SCORED = {"Accuracy": ALONE, "three scores": _THREE, "ten scores, three slices": ALL}


def share(scored: Any, batches: Any) -> float:
    """Of the CPU, what the rows of the history take."""
    model = {"name": "history", "task": "binary"}
    learner = {"learner": {"river": CLASSIFIERS["logistic regression"]}}
    trainer = Trainer(ModelFile.model_validate({**model, **learner, **scored}))
    row, spent = Recording._row, 0.0  # noqa: SLF001

    def timed(recording: Recording, timestamp_ms: int) -> dict[str, float | None]:
        nonlocal spent
        began = time.process_time()
        made = row(recording, timestamp_ms)
        spent += time.process_time() - began
        return made

    with _made_by(timed):
        began = time.process_time()
        for batch in batches:
            trainer.take(batch)
        return spent / (time.process_time() - began)


@contextmanager
def _made_by(row: Callable[..., Any]) -> Iterator[None]:
    """Rows are made so within the body."""
    before = Recording._row  # noqa: SLF001
    Recording._row = row  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        Recording._row = before  # type: ignore[method-assign]  # noqa: SLF001


def main() -> None:
    """Print the medians."""
    batches = batches_of(shipped("Phishing"), _EVENTS)
    for name, scored in _SCORED.items():
        found = [share(scored, batches) for _ in range(_ROUNDS)]
        print(
            f"{name:<26} {statistics.median(found):.4f} of the CPU "
            f"({min(found):.4f} to {max(found):.4f})   (load {os.getloadavg()[0]:.1f})"
        )


if __name__ == "__main__":
    main()
