"""Tasks: one object each, and the model file's words for the same ones."""

from typing import Any, get_args

import pytest

from config.model_file import TaskName, parse_model_file
from learner.scores.scores import Scores, suited_names
from learner.tasks import TASKS

LEARNERS = {"regression": "linear_model.LinearRegression"}


def test_each_task_of_the_model_file_is_one_of_the_learners():
    assert set(TASKS) == set(get_args(TaskName))


@pytest.mark.parametrize("task", TASKS)
def test_the_metric_that_a_model_file_takes_unasked_suits_its_task(task: TaskName):
    learner = LEARNERS.get(task, "dummy.NoChangeClassifier")
    file = parse_model_file(f"{{name: m, task: {task}, learner: {{river: [{learner}]}}}}")
    assert set(file.metrics) <= set(suited_names(task))
    assert Scores(file.metrics, task, file.scores).report().keys() == set(file.metrics)


@pytest.mark.parametrize(
    ("task", "answer", "number", "prediction"),
    [
        ("binary", 1, 1, True),
        ("binary", 2, 2, None),
        ("binary", "UP", None, None),
        ("multiclass", 2.0, 2.0, 2),
        ("multiclass", "UP", None, "UP"),
        ("multiclass", 0.5, 0.5, None),
        ("regression", 0.5, 0.5, 0.5),
        ("regression", "UP", None, None),
    ],
)
def test_what_is_a_prediction_is_the_tasks_to_say(
    task: TaskName, answer: Any, number: Any, prediction: Any
):
    found = TASKS[task].prediction(answer, number)
    assert (type(found), found) == (type(prediction), prediction)
