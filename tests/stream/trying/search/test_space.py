"""What is drawn lies in its range, and what no process can take is told before any begins."""

from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from stream.trying.search.experiment import load_experiment
from stream.trying.search.space import DrawRange, draws
from tests.stream.trying.runs import LOGISTIC, ended

EXPERIMENT = """
model: logistic.yaml
data: {from: "river:Phishing", limit: 300}
method: random
trials: 6
space:
  learner.river.LogisticRegression.l2: CHOICES
"""


@pytest.mark.parametrize(
    "given",
    [
        {"uniform": [0.99991, 0.99999]},
        {"log": [0.99991, 0.99999]},
        {"uniform": [-1e-9, 1e-9]},
        {"uniform": [1e9, 1e9 + 1]},
        {"uniform": [123456.0, 123457.0]},
        {"log": [5e-324, 1.7e308]},
        {"uniform": [0.0, 1.0]},
        {"whole": [-(2**63), 2**63 - 1]},
    ],
    ids=str,
)
def test_draws_lie_in_their_range_and_as_many_as_asked(given: dict[str, Any]) -> None:
    """However narrow, or wide, it is."""
    low, high = next(iter(given.values()))

    drawn = [each["a"] for each in draws({"a": DrawRange(**given)}, 200, seed=3)]

    assert len({*drawn}) == 200
    assert all(low <= value <= high for value in drawn)


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ("{uniform: [-1.7e+308, 1.7e+308]}", "is wider than numbers reach: [-1.7e+308, 1.7e+308]"),
        (f"{{whole: [1, {10**400}]}}", "whole numbers lie between -2^63 and 2^63 - 1, which 10000"),
        (f"{{whole: [1, {10**30}]}}", "whole numbers lie between -2^63 and 2^63 - 1, which 10000"),
        (f"[0, {{a: [{2**64}]}}]", "whole numbers lie between -2^63 and 2^63 - 1, which 18446"),
    ],
)
def test_numbers_that_no_trial_can_take_are_told_with_their_line(
    tmp_path: Path, choices: str, told: str
) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT.replace("CHOICES", choices))

    with pytest.raises(ConfigError) as raised:
        load_experiment(path)

    (problem,) = raised.value.problems
    assert problem.message.startswith(told)
    assert (problem.line, problem.key) == (7, "space.learner.river.LogisticRegression.l2")


def test_fewer_draws_than_asked_are_told(tmp_path: Path) -> None:
    """There are no more."""
    (tmp_path / "logistic.yaml").write_text(LOGISTIC)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT.replace("CHOICES", "{whole: [0, 2]}"))

    code, _, err = ended(tmp_path, "search", "experiment.yaml")

    assert code == 0, err
    assert "weir: trials: 6: there are only 3 different draws, and so 3 trials" in err
