"""A model file that was kept in a version is the one that it was."""

import json

import pytest

from config.errors import ModelFileError
from config.model.of_sections import model_file_of
from config.model_file import parse_model_file

FULL = """
name: orders
task: binary
labels: [DOWN, UP]
learner: {river: [preprocessing.StandardScaler, {linear_model.LogisticRegression: {l2: 0.1}}]}
features: {price: {type: float, min: 0}, colour: {type: string}}
strict: true
missing: [NA]
metrics: [Accuracy, Value]
value: {UP: {UP: 5, DOWN: -1}, DOWN: {UP: -20, DOWN: 0}}
slices: [colour, {feature: price, bins: [10, 20]}]
drift: [{on: error, detector: ADWIN, delta: 0.002}]
limits: {value: 1.0e+9, record: 64KiB}
topics: {events: a.events, labels: b.labels}
checkpoint: {every_seconds: 5, max_bytes: 1MiB, keep: {last: 3}}
late_labels: {horizon: HORIZON, default: DOWN}
log: {predictions: 0.5, features: false}
trust: [shop]
"""


@pytest.mark.parametrize("horizon", ["0.5s", "90s", "36h", "7d", "36500d"])
def test_every_section_comes_back_as_it_was(horizon):
    """Through JSON, as a manifest keeps it; a span of time is text in a file, and seconds there."""
    was = parse_model_file(FULL.replace("HORIZON", horizon)).sections()

    found = model_file_of(json.loads(json.dumps(was)), where="orders v3")

    assert found.sections() == was


def test_sections_that_are_not_asked_for_may_be_of_another_release():
    kept = {"name": "m", "task": "binary", "learner": {"vw": ""}, "invented": {"later": 1}}

    assert model_file_of(kept, where="m v3", only=("name", "task", "learner")).name == "m"
    with pytest.raises(ModelFileError, match="m v3: invented: is not a key that is known here"):
        model_file_of(kept, where="m v3")


def test_whose_code_may_be_loaded_is_the_callers_to_say():
    kept = {"name": "m", "task": "binary", "learner": {"python": "shop.models:build"},
            "trust": ["shop"]}  # fmt: skip

    with pytest.raises(ModelFileError, match=r"m v3: trust: must list the module of the learner"):
        model_file_of(kept, where="m v3", trust=())
    assert model_file_of(kept, where="m v3", trust=("shop.models",)).trust == ("shop.models",)
