"""A process whose model file is not the one that a version was learned by answers as it says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from api.serving.follow import Following
from api.serving.served import ServedLine
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from tests.api.running import Learning, by_line
from tests.checkpoints.builders import VERIFIER

STEPS = "[preprocessing.StandardScaler, linear_model.LogisticRegression]"
LEARNED = f"""
name: m
task: binary
labels: [DOWN, UP]
learner: {{river: {STEPS}}}
features: {{a: {{type: float, min: 0, max: 10}}}}
"""
OWN = """
name: m
task: binary
learner: {python: "benchmarks.ballast:of_16_mb"}
trust: [benchmarks]
"""
EVENTS = [({"a": n % 10}, "UP" if n % 2 else "DOWN") for n in range(20)]


def served_by(tmp_path: Path, learned: str, now: str, events: Any = EVENTS) -> ServedLine:
    """What `now` serves of a version that was learned by `learned`, in loader and worker."""
    store, told = MemoryStore(), []
    learning = Learning(parse_model_file(learned), store, tmp_path)
    learning.learn(events)
    learning.commit()
    model_file = parse_model_file(now)
    following = Following(
        by_line(model_file), store, VERIFIER,
        on_load=lambda _model, outcome: told.append(outcome), scratch=tmp_path,
    )  # fmt: skip
    following.look(hinted=True)
    while following.load(lambda: None):
        following.look(hinted=True)
    line = following.lines["m"]
    served = ServedLine(line.line, model_file, [line.loaded] if line.loaded else [])
    served.take(line.standing(is_store_away=False), tmp_path)
    return served


@pytest.mark.parametrize(
    ("section", "now"),
    [
        (
            "task",
            LEARNED.replace("binary", "multiclass").replace(STEPS, "[naive_bayes.GaussianNB]"),
        ),
        ("labels", LEARNED.replace("[DOWN, UP]", "[low, high]")),
        ("learner", LEARNED.replace("LogisticRegression", "PAClassifier")),
        ("learner", f"{OWN}labels: [DOWN, UP]"),
        ("features", LEARNED.replace("max: 10", "max: 1")),
        ("limits", f"{LEARNED}limits: {{value: 1}}"),
    ],
)
def test_it_answers_as_it_was_learned_whatever_has_changed(
    tmp_path: Path, section: str, now: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its labels, bounds and learner are the version's; the log says what is otherwise."""
    caplog.set_level(logging.WARNING)
    same = served_by(tmp_path, LEARNED, LEARNED)
    assert same.loaded is not None
    assert "another model file" not in caplog.text

    changed = served_by(tmp_path, LEARNED, now)

    assert changed.loaded is not None, changed.load_problem
    for features in ({"a": 7}, {"a": 11}):
        assert changed.loaded.model.predict(features) == same.loaded.model.predict(features)
    assert "v1 was learned by another model file and answers as it was learned" in caplog.text
    assert f"{section} was" in caplog.text


def test_one_that_waits_for_labels_answers_as_it_was_learned(tmp_path: Path) -> None:
    """A version has its horizon in seconds, where a model file has a text."""
    late = f"{LEARNED}late_labels: {{horizon: 30d}}\n"

    changed = served_by(tmp_path, late, f"{late}limits: {{value: 1}}")

    assert changed.loaded is not None, changed.load_problem
    assert changed.loaded.model.predict({"a": 7})


@pytest.mark.parametrize("trust", ["", "trust: [shop]"])
def test_what_may_be_loaded_is_the_readers_own_to_say(tmp_path: Path, trust: str) -> None:
    """A version says which code it was learned by, and is not believed in that."""
    events = [({"a": n % 10}, bool(n % 2)) for n in range(20)]
    learned = f"name: m\ntask: binary\nlearner: {{river: {STEPS}}}\n{trust}"

    refused = served_by(tmp_path, OWN, learned, events)

    assert refused.loaded is None
    assert "trust: [benchmarks]" in str(refused.load_problem) or "benchmarks" in str(
        refused.load_problem
    )
