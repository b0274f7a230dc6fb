"""A trial that gave hardly any prediction is no winner, however good the few were."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stream.trying.runs import ended

NANNY = """
import math

from river import base


class Mean(base.Regressor):
    def __init__(self, until):
        self.until, self.sum, self.n = until, 0.0, 0

    def learn_one(self, x, y):
        self.n, self.sum = self.n + 1, self.sum + y

    def predict_one(self, x):
        if self.n >= self.until:
            return math.nan
        return self.sum / self.n if self.n else 0.0


def good(): return Mean(1_000_000)
def nearly(): return Mean(1_990)
def late(): return Mean(1_900)
def quits(): return Mean(3)
"""
MODEL = """
name: mean
task: regression
learner: {python: "nanny:good"}
trust: [nanny]
metrics: [MAE, RMSE]
"""


def searched(
    folder: Path, learners: str, rows: int = 2_000, more: str = ""
) -> tuple[int, Any, str]:
    """What becomes of these learners, in a stream whose first labels are small ones."""
    (folder / "nanny").with_suffix(".py").write_text(NANNY)
    (folder / "mean.yaml").write_text(MODEL)
    labels = [0.01 * n if n < 4 else float(n % 17) for n in range(rows)]
    (folder / "rows.csv").write_text("a,y\n" + "".join(f"1,{y}\n" for y in labels))
    (folder / "experiment.yaml").write_text(
        "model: mean.yaml\ndata: {from: rows.csv, label: y}\n"
        f"space: {{learner.python: [{learners}]}}\n{more}"
    )
    words = ("search", "experiment.yaml", "-o", "won.yaml", "--csv", "won.csv")
    code, out, err = ended(folder, *words, "--json")
    return code, json.loads(out, parse_constant=pytest.fail), err


def learners_of(found: Any) -> list[str]:
    return [row["set"]["learner.python"].removeprefix("nanny:") for row in found["rows"]]


def test_few_predictions_win_nothing_and_that_is_told(tmp_path: Path) -> None:
    """Behind those that can win; ten of two thousand are forgiven."""
    learners = '"nanny:quits", "nanny:late", "nanny:nearly", "nanny:good"'

    code, found, err = searched(tmp_path, learners)
    _, table, _ = ended(tmp_path, "search", "experiment.yaml")

    assert code == 0, err
    assert learners_of(found)[2:] == ["quits", "late"]
    assert found["winner"]["learner.python"] in ("nanny:nearly", "nanny:good")
    assert found["unfit"] == [
        {"row": 2, "why": "1,997 predictions were not finite"},
        {"row": 3, "why": "100 predictions were not finite"},
    ]
    assert 'python="nanny:quits": 1,997 predictions were not finite: it cannot win' in table


def test_where_none_can_win_there_is_no_winner(tmp_path: Path) -> None:
    """The exit code is 1, and no file is written."""
    code, found, err = searched(tmp_path, '"nanny:quits", "nanny:late"')

    assert (code, found["winner"]) == (1, None)
    assert "no trial can win: there is no winner" in err
    assert not (tmp_path / "won.yaml").exists()


def test_one_that_cannot_win_is_let_go_first(tmp_path: Path) -> None:
    """At a rung of halving the rolling scores of the last few would let it go on."""
    learners = '"nanny:late", "nanny:quits", "nanny:good"'

    code, found, err = searched(tmp_path, learners, 4_000, "method: halving\n")

    assert code == 0, err
    assert learners_of(found)[0] == "good"
    assert [row["learned"] for row in found["rows"]] == [4_000, 4_000, 2_000]
    assert {each["row"] for each in found["unfit"]} == {1, 2}


def test_what_no_hold_out_scores_is_not_counted_in_it(tmp_path: Path) -> None:
    """Neither predictions that were NaN before it, nor those that were scored."""
    searched(tmp_path, '"nanny:late"')

    words = ("try", "mean.yaml", "--from", "rows.csv", "--label", "y", "--json")
    setting = ("--set", "learner.python=nanny:late", "--scores-from", "1950")
    code, out, err = ended(tmp_path, *words, *setting)

    assert code == 0, err
    (row,) = json.loads(out)["rows"]
    assert (row["learned"], row["scored"], row["nonfinite"]) == (2_000, 0, 50)
