"""The winner's file is the base file, but for the values."""

import pytest

from config.text.yaml_lines import read_text
from stream.trying.search.winner import WinnerError, winner_text
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
    """The value would change elsewhere, too."""
    base = "name: &n m\ntopics: {events: *n}\n"

    with pytest.raises(WinnerError, match=r"by hand: topics\.events: other"):
        winner_text(base, {"topics.events": "other"}, "", file="m.yaml")
