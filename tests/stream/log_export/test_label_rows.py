"""From records to labels, as the answers of the same model are written."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from config.model_file import parse_model_file
from stream.log_export.label_rows import label_reader

RIVER = "learner: {river: [linear_model.LogisticRegression]}"
VW = "learner: {vw: --loss_function logistic}\ntopics: {format: vw}"


def read(model: str, value: Any, topic: str = "m.labels") -> str | None:
    """The label that a record has for a model."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    record = SimpleNamespace(topic=topic, partition=0, offset=1, timestamp=2, value=raw, headers=())
    row = label_reader(parse_model_file(f"name: m\n{model}"))(record)
    return None if row is None else row["label"]


@pytest.mark.parametrize(
    ("model", "label", "written"),
    [
        (f"task: binary\n{RIVER}", True, "true"),
        (f"task: binary\n{RIVER}", 0, "false"),
        (f"task: binary\n{RIVER}", "yes", None),
        (f"task: binary\nlabels: [DOWN, UP]\n{RIVER}", "UP", "UP"),
        (f"task: binary\nlabels: [DOWN, UP]\n{RIVER}", True, None),
        (f"task: multiclass\n{RIVER}", 3, "3"),
        (f"task: multiclass\n{RIVER}", "größer", "größer"),
        (f"task: regression\n{RIVER}", 3, "3.0"),
        (f"task: regression\n{RIVER}", 1e15, None),
        (f"task: regression\n{RIVER}", True, None),
    ],
)
def test_a_label_is_written_as_an_answer_is(model: str, label: Any, written: str | None) -> None:
    """None where the task does not admit it."""
    assert read(model, {"id": "a", "label": label}) == written


def test_vowpal_wabbits_lines_have_labels() -> None:
    """The tag is the id; labels that come late are JSON there, too."""
    model = f"task: binary\n{VW}"

    assert read(model, b"1 'a | x:1", "m.events") == "true"
    assert read(model, b"-1 'a | x:1", "m.events") == "false"
    assert read(model, b"'a | x:1", "m.events") is None
    assert read(model, b"1 | x:1", "m.events") is None


def test_features_are_no_label() -> None:
    """Nor is a label without an id; with features it belongs to the events topic."""
    model = f"task: binary\n{RIVER}"
    event = {"id": "a", "features": {"x": 1}, "label": True}

    assert read(model, event, "m.events") == "true"
    assert read(model, event) is None
    assert read(model, {**event, "label": None}, "m.events") is None
    assert read(model, {"features": {"x": 1}, "label": True}, "m.events") is None
