"""What a score makes of one event: where it has that, its lifetime value is the mean of it."""

import random
from typing import Any

import pytest

from config.model.better import is_bigger_better
from config.model.parts import ScoreWindows
from learner.scores.scores import Scores

WORTH = {"true": {"true": 5.0, "false": -1.0}, "false": {"true": -20.0, "false": 0.0}}
OF_CLASSES = ("Accuracy", "LogLoss", "Brier", "Value")
OF_NUMBERS = ("MAE", "MSE", "MAPE", "SMAPE")


def fed(names: tuple[str, ...], task: Any, scored: list[Any]) -> Scores:
    scores = Scores(names, task, ScoreWindows(), value=WORTH)
    for each in scored:
        scores.update(*each)
    return scores


def classes() -> list[Any]:
    """Truths, predictions and probabilities, drawn."""
    rng = random.Random(1)
    chances = [rng.random() for _ in range(700)]
    return [(rng.random() < p, p > 0.6, {True: p, False: 1 - p}) for p in chances]


def numbers() -> list[Any]:
    rng = random.Random(2)
    return [(y, y + rng.gauss(0, 1), None) for y in (rng.uniform(1, 9) for _ in range(700))]


@pytest.mark.parametrize(
    ("names", "task", "scored"),
    [(OF_CLASSES, "binary", classes()), (OF_NUMBERS, "regression", numbers())],
    ids=["classes", "numbers"],
)
def test_a_score_is_the_mean_of_its_losses(
    names: tuple[str, ...], task: Any, scored: list[Any]
) -> None:
    """As it is shown: in percent, or worth."""
    scores = fed(names, task, scored)

    losses = scores.event_losses()

    assert tuple(losses) == names
    for name, loss in losses.items():
        found = [loss.of(*each) for each in scored]
        assert sum(found) / len(found) == pytest.approx(scores.report()[name]["lifetime"])
        assert all(loss.bounds[0] <= each <= loss.bounds[1] for each in found)


def test_others_have_none() -> None:
    """A root is no mean, nor is a measure of a whole table."""
    assert Scores(("RMSE", "RMSLE", "R2"), "regression", ScoreWindows()).event_losses() == {}
    named = ("F1", "ROCAUC", "KappaT", "ECE", "MCC")
    assert Scores(named, "binary", ScoreWindows()).event_losses() == {}


@pytest.mark.parametrize(
    ("name", "is_better"),
    [("Accuracy", True), ("ROCAUC", True), ("R2", True), ("KappaM", True), ("Value", True),
     ("MAE", False), ("LogLoss", False), ("Brier", False), ("ECE", False), ("VWLoss", False)],
)  # fmt: skip
def test_which_of_two_values_is_the_better(name: str, is_better: bool) -> None:
    """River's own word, and ours for our own."""
    assert is_bigger_better(name) is is_better


def test_rolling_is_what_the_report_has() -> None:
    """For a part of its price."""
    scores = fed(OF_CLASSES, "binary", classes())

    assert scores.rolling() == {n: told["rolling"] for n, told in scores.report().items()}
