"""The winner's file is the base file, but for the values."""

import pytest

from config.text.yaml_lines import read_text
from stream.trying.search.winner import winner_text
from stream.trying.value_paths import with_settings

BASE = """\
# what we know of it
name: m          # its topics are named after it
task: binary
learner:
  river:
    - preprocessing.StandardScaler
    # tuned by hand
    - linear_model.LogisticRegression:
        optimizer: {optim.SGD: [0.1]}   # slow
    - {linear_model.PARegressor: {}}
metrics: [Accuracy]
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"learner.river.LogisticRegression.optimizer.optim.SGD[0]": 0.5},
        {"learner.river.LogisticRegression.optimizer": {"optim.Adam": {"lr": 0.01}}},
        {"learner.river.LogisticRegression.l2": 0.25, "metrics[0]": "F1"},
        {"learner.river.StandardScaler.with_std": False},
        {"learner.river.PARegressor.C": 0.1},
        {"learner.river.LogisticRegression": "linear_model.Perceptron"},
        {"learner": {"vw": "--loss_function logistic: yes"}},
        {"drift": [{"on": "error", "detector": "ADWIN"}], "name": "no"},
        {"learner.river[0]": "preprocessing.MinMaxScaler", "name": "12"},
    ],
    ids=str,
)
def test_values_stand_in_their_places(settings: dict) -> None:
    """In flow or in block, in the place of others or new; comments elsewhere stay."""
    text = winner_text(BASE, settings, "Found.\nBy chance.", file="m.yaml")

    content = read_text(BASE, file="m.yaml").value
    assert read_text(text, file="won.yaml").value == with_settings(content, settings)
    assert text.startswith("# Found.\n# By chance.\n# what we know of it\n")
    assert "# its topics are named after it" in text
    assert text.endswith("\n")


def test_a_long_comment_is_folded() -> None:
    """To lines that are read at a glance."""
    text = winner_text("name: m\n", {}, "word " * 60, file="m.yaml")

    assert max(map(len, text.splitlines())) <= 100
    assert text.count("word") == 60


def test_an_alias_is_not_written_over() -> None:
    """The value would change elsewhere, too: all is written anew, and that is said."""
    base = "# mine\nname: &n m\ntopics: {events: *n}\n"

    text = winner_text(base, {"topics.events": "other"}, "Found.", file="m.yaml")

    assert read_text(text, file="").value == {"name": "m", "topics": {"events": "other"}}
    assert text.startswith("# Found.\n# Written anew, without the comments of m.yaml: ")
    assert "mine" not in text


HEAD = "name: m  # mine\nlearner:\n  river:\n    - linear_model.LogisticRegression"
L2 = "learner.river.LogisticRegression.l2"
L1 = "learner.river.LogisticRegression.l1"


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        (
            "name: m  # mine\nlearner:\n  vw: >-\n    --l2 0.1\n    -b 18\n\nx: 1\n",
            {"learner.vw": "-b 9"},
        ),
        ("name: m  # mine\nlearner:\n  vw: |\n    --l2 0.1\n", {"learner.vw": "# --l2: 0.2"}),
        (f"{HEAD}\nslices:  # two\n- a\n- b\nx: 1\n", {"slices": ["c"]}),
        (f"{HEAD}\nslices:\n- a\n- b\n", {"slices[1]": "c"}),
        (f"{HEAD}\nscores:\n", {"scores": {"rolling": 3}}),
        (f"{HEAD}\nscores: # none\nx: 1\n", {"scores": {"rolling": 3}}),
        (f"{HEAD}: &a\n        l2: 0.5\nx: 1\n", {L1: 0.1}),
        (f"{HEAD}: &a {{l2: 0.5}}\nx: 1\n", {L1: 0.1, L2: 0.2}),
        (f"{HEAD}:\n        # strong\n        l2: 0.5\nx: 1\n", {L2: {"a": [1]}}),
        (f"---\n{HEAD}\n...\n", {L2: 1, "scores": {"rolling": 3}}),
        (f"{HEAD}\nscores:\n  ? rolling\n  : 100\n", {"scores.rolling": 5, "scores.fading": 0.5}),
    ],
    ids=repr,
)
def test_the_layout_of_the_base_is_kept_whatever_it_is(base: str, settings: dict) -> None:
    """Block scalars, lists at their key's column, keys with nothing behind, anchors."""
    text = winner_text(base, settings, "Found.", file="m.yaml")

    content = read_text(base, file="m.yaml").value
    assert read_text(text, file="won.yaml").value == with_settings(content, settings)
    assert "# mine\n" in text
    assert "anew" not in text


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        (f"{HEAD}:\n        l2: &x 0.5\n        l1: *x\n", {L2: 0.1}),
        ("a: &m {b: 1}\nc: *m\nd: [on, '1e3', {'x y': [[1], {}]}, \"\\x7f\"]\n", {"c.b": 2}),
        ("a: &m {b: 1}\nc: *m\ntrue: {1: 'no', f: 1.0e-9}\n", {"c.b": "é\U0001f600: #\x85"}),
    ],
    ids=repr,
)
def test_what_cannot_be_edited_is_written_anew(base: str, settings: dict) -> None:
    """Each value as it was, and of its kind."""
    text = winner_text(base, settings, "Found.", file="m.yaml")

    content = read_text(base, file="m.yaml").value
    written = read_text(text, file="won.yaml").value
    assert repr(written) == repr(with_settings(content, settings))
    assert "Written anew" in text
