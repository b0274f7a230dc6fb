"""Paths into a model file: as messages about it call its keys, or shorter."""

import pytest

from config.text.yaml_lines import read_text
from stream.trying.value_paths import PathError, grid, read_choices, resolved, with_settings

CONTENT = read_text(
    """
name: m
learner:
  river:
  - preprocessing.StandardScaler
  - forest.ARFClassifier:
      n_models: 3
      model: {linear_model.PARegressor: {C: 1.0}}
      drift_detector: drift.ADWIN
  - linear_model.LogisticRegression: {optimizer: {optim.SGD: [0.1]}}
drift: [{on: error, detector: ADWIN}]
features: {a.b: {type: int}}
""",
    file="m.yaml",
).value
FOREST = ("learner", "river", 1, "forest.ARFClassifier")
LAST = ("learner", "river", 2, "linear_model.LogisticRegression")


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("name", ("name",)),
        ("learner.river[2].linear_model.LogisticRegression.l2", (*LAST, "l2")),
        ("learner.river.linear_model.LogisticRegression.l2", (*LAST, "l2")),
        ("learner.river.LogisticRegression.l2", (*LAST, "l2")),
        (
            "learner.river.LogisticRegression.optimizer.optim.SGD[0]",
            (*LAST, "optimizer", "optim.SGD", 0),
        ),
        ("learner.river.LogisticRegression", LAST[:3]),
        (
            "learner.river.StandardScaler.with_std",
            ("learner", "river", 0, "preprocessing.StandardScaler", "with_std"),
        ),
        (
            "learner.river[1].forest.ARFClassifier.model.linear_model.PARegressor.C",
            (
                "learner",
                "river",
                1,
                "forest.ARFClassifier",
                "model",
                "linear_model.PARegressor",
                "C",
            ),
        ),
        (
            "learner.river.ARFClassifier.model.PARegressor.C",
            (*FOREST, "model", "linear_model.PARegressor", "C"),
        ),
        (
            "learner.river.ARFClassifier.drift_detector.ADWIN.delta",
            (*FOREST, "drift_detector", "drift.ADWIN", "delta"),
        ),
        ("drift[0].detector", ("drift", 0, "detector")),
        ("metrics", ("metrics",)),
    ],
)
def test_a_path_leads_where_it_says(path: str, keys: tuple) -> None:
    """In full, or by the name of a component; the last key may be a new one."""
    assert resolved(CONTENT, path) == keys
    changed = with_settings(CONTENT, {path: "new"})
    for key in keys:
        changed = changed[key]
    assert changed == "new"


def test_one_place_is_set_once_however_it_is_written() -> None:
    """The first of two values would be told in the row, and the second one learned with."""
    short, full = "learner.river.LogisticRegression.l2", f"learner.river[2].{LAST[3]}.l2"

    with pytest.raises(PathError, match=f"is the place of {short}: list its values together"):
        with_settings(CONTENT, {short: 0.1, full: 0.2})


def test_what_was_given_is_not_changed() -> None:
    """Of one content many are made."""
    before = repr(CONTENT)

    with_settings(CONTENT, {"learner.river.StandardScaler.with_std": False, "name": "other"})

    assert repr(CONTENT) == before


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("learner.river.LogisticRegresion.l2", 'did you mean "linear_model.LogisticRegression"'),
        ("learner.river[7].l2", r"\[7\] is none of its 3 places, from \[0\] on"),
        ("learner.river[x]", r"\[x\] is none"),
        ("lerner.vw", 'there is no .lerner.vw. .did you mean "learner"'),
        ("name.first", "'first' is looked for where 'm' stands"),
        ("drift.detector", "there is no 'detector'"),
        ("features.b.type", "there is no 'b.type'"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_what_stands_there(path: str, told: str) -> None:
    with pytest.raises(PathError, match=told):
        with_settings(CONTENT, {path: 1})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("learner.vw", "write PATH=VALUE"),
        ("=1", "write PATH=VALUE"),
        ("a= ", "write PATH=VALUE"),
        ("a=[1", "is not YAML"),
    ],
)
def test_values_are_yaml(text: str, told: str) -> None:
    with pytest.raises(PathError, match=told):
        read_choices(text)


def test_a_grid_is_bounded_and_each_path_is_given_once() -> None:
    """Thousands of models are a mistake, and a second list would be ignored."""
    with pytest.raises(PathError, match="more than 1,000 combinations"):
        grid([("a", [*range(40)]), ("b", [*range(40)])])
    with pytest.raises(PathError, match="given twice"):
        grid([("a", [1]), ("a", [2])])
    assert grid([]) == [{}]
