"""A row of versions that learned a poisoned stretch, and how each does on good events."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts, Version
from checkpoints.unpickle import loads
from learner.served_model import ServedModel
from learner.trainer import Snapshot, Trainer
from learner.values import Event
from stream.looking_back.judging.change_point import Losses
from stream.looking_back.judging.judged import Jury
from tests.checkpoints.builders import a_version
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


class Row(NamedTuple):
    """Versions, oldest first, and the losses of each on the probe."""

    versions: list[Version]
    losses: list[Losses]


def row_of(
    learner: dict[str, Any],
    pairs: Sequence[Pair],
    probe: Sequence[Pair],
    *,
    every: int,
    task: str = "binary",
) -> Row:
    """The versions that are made every so many events."""
    file = model_file(task, learner)
    row = Row([], [])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        trainer, taking = Trainer(file, scratch), Taking(file)
        jury = Jury(file, events(probe), file.metrics)
        for first in range(0, len(pairs), every):
            taking.all(trainer, events(pairs[first : first + every]), first=first)
            snapshot = trainer.snapshot(version="v1")
            payload = loads(snapshot.segments["model"], ())
            row.losses.append(jury.judge(ServedModel(file, payload, scratch)).losses)
            row.versions.append(_version(len(row.versions) + 1, first + every, snapshot))
    return row


def _version(number: int, read: int, snapshot: Snapshot) -> Version:
    return a_version(
        Line("model"),
        number=number,
        counts=Counts(learned=snapshot.learned, scored=snapshot.scored),
        metrics=snapshot.metrics,
        offsets={"events": {"0": read}},
    )
