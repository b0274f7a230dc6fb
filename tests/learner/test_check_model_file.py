"""The mistakes of a model file: those of the text and those of the names, all at once."""

import pytest

from config.errors import ModelFileError
from learner.check_model_file import checked_model_file


def mistakes(tmp_path, text: str) -> list[tuple[int, str]]:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ModelFileError) as refusal:
        checked_model_file(path)
    return [(problem.line, problem.key) for problem in refusal.value.problems]


def test_mistakes_of_every_kind_are_told_at_once(tmp_path):
    """In the order of the lines, each once."""
    text = """\
name: m
task: binary
metrcs: [Accuracy]
metrics: [Accuracy, Acuracy, F2]
learner:
  river:
    - preprocessing.StandardScalr
    - linear_model.LogisticRegression: {lr: 0.1}
drift:
  - {detector: ADWIN}
  - {detector: ADWN}
  - {detector: ADWIN, dlta: 2}
"""
    assert mistakes(tmp_path, text) == [
        (3, "metrcs"),
        (4, "metrics[1]"),
        (4, "metrics[2]"),
        (7, "learner.river[0]"),
        (8, "learner.river[1].linear_model.LogisticRegression.lr"),
        (11, "drift[1].detector"),
        (12, "drift[2].dlta"),
    ]


def test_what_stands_for_a_wrong_learner_is_not_complained_of(tmp_path):
    """The rest is checked all the same."""
    text = "task: binary\nlearner: {rivr: [a]}\nmetrics: [F2, LogLoss]\n"
    assert mistakes(tmp_path, text) == [
        (1, "name"),
        (2, "learner.rivr"),
        (3, "metrics[0]"),
    ]


def test_without_a_task_the_names_are_not_checked(tmp_path):
    """Which metrics suit depends on it."""
    text = "name: m\ntask: binry\nlearner: {river: [no.Name]}\nmetrics: [F2]\n"
    assert mistakes(tmp_path, text) == [(2, "task")]


@pytest.mark.parametrize(
    ("learner", "keys"),
    [
        ("river: [preprocessing.StandardScaler]", ["task"]),
        ("vw: --loss_function hinge", ["metrics[1]"]),
    ],
)
def test_how_the_parts_fit_is_told_when_each_is_right(tmp_path, learner, keys):
    """A pipeline without a classifier; a score of probabilities without any."""
    text = f"name: m\ntask: binary\nlearner: {{{learner}}}\nmetrics: [Accuracy, LogLoss]\n"
    assert [key for _, key in mistakes(tmp_path, text)] == keys
