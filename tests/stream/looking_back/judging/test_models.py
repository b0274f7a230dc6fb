"""Kept versions as models: what is trusted is loaded, and what cannot be is told."""

from pathlib import Path
from typing import Any

import pytest

from checkpoints.errors import CheckpointError
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.segments import pack
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import ModelFile, parse_model_file
from learner.trainer import Trainer
from learner.values import Event
from stream.commit.protocol import software
from stream.errors import ModelFileNotUnderstoodError
from stream.looking_back.judging.models import NotLoadedError, VersionModels
from tests.checkpoints.builders import VERIFIER, a_version, granted
from tests.learner.streams import binary, only_numbers
from tests.learner.taking import Taking

LOGISTIC = "river: [preprocessing.StandardScaler, linear_model.LogisticRegression]"
RECORDER = 'python: "tests.stream.recorder:Recorder"'
VW = 'vw: "--loss_function logistic --link logistic -b 10"'
TEXT = "name: {name}\ntask: binary\nlearner: {{{learner}}}\n{more}"
LATE = "late_labels: {horizon: 7d}\n"


def a_line(learner: str, folder: Path, more: str = "", **fields: Any) -> tuple[Any, Version, Any]:
    """A reader of a line with one version of 300 events, that, and the trainer."""
    model_file: ModelFile = parse_model_file(TEXT.format(name="m", learner=learner, more=more))
    trainer, taking = Trainer(model_file, folder), Taking(model_file)
    pairs = [({**x, "n": n}, y) for n, (x, y) in enumerate(only_numbers(binary(300)))]
    taking.all(trainer, [Event(features=x, label=y) for x, y in pairs])
    ref, data = pack(trainer.snapshot(version="v1").segments["model"])
    store, line = MemoryStore(), Line("m")
    token = granted(store, line).token
    store.put_segment(line, ref.sha256, data)
    given = {"software": software(), "model_file": model_file.sections(), **fields}
    version = a_version(line, segments={"model": ref}, **given)
    store.commit(line, token=token, version=version)
    return LineReader(store, VERIFIER, line), version, trainer


@pytest.mark.parametrize("learner", [LOGISTIC, VW])
@pytest.mark.parametrize("more", ["", LATE])
def test_a_version_answers_as_its_learner(learner: str, more: str, tmp_path: Path) -> None:
    """By its own model file, whatever sections that has."""
    reader, version, trainer = a_line(learner, tmp_path, more)

    model, probe = VersionModels(reader, (), tmp_path).load(version)

    assert probe is not None
    answer = model.answer_to(probe["x"])[0]
    assert answer == trainer._estimator.predict(probe["x"])[0]


def test_a_class_of_ones_own_is_loaded_where_it_is_trusted_here(tmp_path: Path) -> None:
    """What the version says that it trusts does not count."""
    reader, version, _ = a_line(RECORDER, tmp_path, "trust: [tests]\n")

    model, _ = VersionModels(reader, ("tests",), tmp_path).load(version)
    with pytest.raises(ModelFileNotUnderstoodError, match="name it with --model FILE"):
        VersionModels(reader, (), tmp_path).load(version)

    assert isinstance(model.predict({"n": 1, "a": 0.5, "b": 0.1, "c": 1.0}), dict)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"software": {"river": "0.1.0"}}, "learned by other software: river 0.1.0"),
        (
            {"model_file": {"name": "m", "task": "binary", "learner": {}}},
            "not understood",
        ),
    ],
)
def test_what_cannot_be_loaded_is_told(fields: dict[str, Any], told: str, tmp_path: Path) -> None:
    """Who can do without it goes on."""
    reader, version, _ = a_line(LOGISTIC, tmp_path, **fields)
    models = VersionModels(reader, (), tmp_path)

    with pytest.raises(NotLoadedError, match=told):
        models.tried(version)
    with pytest.raises((CheckpointError, ModelFileNotUnderstoodError)):
        models.load(version)
