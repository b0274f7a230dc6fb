"""Whether a greater value of a score is a better one: of every score that a model file may list."""

import math

import pytest

from config.model.better import is_bigger_better
from config.model.parts import ScoreWindows
from config.model_file import TaskName
from learner.scores.rows import SCORES
from learner.scores.scores import Scores, suited_names
from learner.tasks import TASKS

# Where a perfect predictor has the smaller value; of all others it has the greater.
SMALLER_IS_BETTER = {
    "binary": {"LogLoss", "CrossEntropy", "Brier", "ECE", "VWLoss"},
    "multiclass": {"CrossEntropy", "Brier", "ECE", "VWLoss"},
    "regression": {"MAE", "MSE", "RMSE", "RMSLE", "MAPE", "SMAPE", "VWLoss"},
}


@pytest.mark.parametrize("task", TASKS)
def test_every_score_says_which_way_is_better(task: TaskName) -> None:
    names = [*suited_names(task), *(n for n, each in SCORES.items() if task in each.tasks)]

    assert {n for n in names if not is_bigger_better(n)} == SMALLER_IS_BETTER[task] & set(names)


@pytest.mark.parametrize("task", TASKS)
def test_a_right_predictor_has_the_better_value_of_a_wrong_one(task: TaskName) -> None:
    """What the score says of itself is what it does; those that read nothing of labels aside."""
    truths = [1.0, 2.0, 3.0, 4.0] * 50 if task == "regression" else [True, False] * 100
    for name in suited_names(task):
        right, wrong = (_value(name, task, truths, is_right=each) for each in (True, False))
        if None in (right, wrong) or math.isclose(right, wrong):
            continue
        assert (right > wrong) == is_bigger_better(name), name


def _value(name: str, task: TaskName, truths: list, *, is_right: bool) -> float | None:
    scores = Scores([name], task, ScoreWindows())
    for y in truths:
        if task == "regression":
            scores.update(y, y if is_right else 5.0 - y, None)
        else:
            said = y if is_right else not y
            scores.update(y, said, {said: 0.9, not said: 0.1})
    return scores.report()[name]["rolling"]
