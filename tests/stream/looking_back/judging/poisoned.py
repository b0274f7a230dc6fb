"""A row of versions that learned a poisoned stretch, and how each does on good events."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.served_model import ServedModel
from learner.trainer import Trainer
from learner.values import Event
from stream.looking_back.judging.change_point import Losses
from stream.looking_back.judging.judged import Jury
from tests.learner.streams import Pair, model_file
from tests.learner.taking import Taking

SCALED = "preprocessing.StandardScaler"
LEARNERS: dict[str, dict[str, Any]] = {
    "logistic regression": {"river": [SCALED, "linear_model.LogisticRegression"]},
    "tree": {"river": ["tree.HoeffdingTreeClassifier"]},
    "forest": {"river": [{"forest.ARFClassifier": {"n_models": 10, "seed": 42}}]},
}


def flipped(pair: Pair) -> Pair:
    """The label is the other one."""
    return pair[0], not pair[1]


def thousandfold(pair: Pair) -> Pair:
    """Every number is a thousand times what it was."""
    x, y = pair
    return {name: v * 1000 if type(v) in (int, float) else v for name, v in x.items()}, y


POISONS = {"flipped": flipped, "thousandfold": thousandfold}


def poisoned(pairs: Sequence[Pair], poison: str, stretch: range) -> list[Pair]:
    """The stream, its events of this stretch poisoned."""
    spoil = POISONS[poison]
    return [spoil(pair) if place in stretch else pair for place, pair in enumerate(pairs)]


def events(pairs: Iterable[Pair]) -> list[Event]:
    """As they come from the log."""
    return [Event(features=x, label=y) for x, y in pairs]


def row_of(
    learner: dict[str, Any],
    pairs: Sequence[Pair],
    probe: Sequence[Pair],
    *,
    every: int,
    task: str = "binary",
) -> list[Losses]:
    """The losses of the versions that are made every so many events."""  # fmt: skip
    file = model_file(task, learner)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        trainer, taking = Trainer(file, scratch), Taking(file)
        jury = Jury(file, events(probe), file.metrics)
        row = []
        for first in range(0, len(pairs), every):
            taking.all(trainer, events(pairs[first : first + every]), first=first)
            row.append(jury.judge(_version(file, trainer, scratch)).losses)
    return row


def _version(file: ModelFile, trainer: Trainer, scratch: Path) -> ServedModel:
    payload = loads(trainer.snapshot(version="v1").segments["model"], ())
    return ServedModel(file, payload, scratch)
