"""Experiment files: every mistake is told with its line, before anything is tried."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from stream.trying.search.cli import tried_by
from stream.trying.search.experiment import load_experiment
from tests.stream.trying.runs import LOGISTIC

EXPERIMENT = """
model: logistic.yaml
data: {from: "river:Phishing"}
space: {learner.river.LogisticRegression.l2: [0.0, 0.1, 1.0]}
"""


@pytest.mark.parametrize(
    ("experiment", "told"),
    [
        ("{}", "experiment.yaml:1: model: is missing"),
        (
            EXPERIMENT + "metod: grid",
            'metod: is not a key that is known here (did you mean "method"?)',
        ),
        (
            EXPERIMENT + "metric: MAE",
            "experiment.yaml:5: metric: MAE is none of the model file's metrics (Accuracy, LogLoss",
        ),
        (EXPERIMENT + "first: 100", "first: must be 2000 or more, not 100"),
        (EXPERIMENT + "keep: 0.2", "keep: must be 0.333333 or more, not 0.2"),
        (EXPERIMENT + "trials: 10", "method grid tries every combination: leave `trials` out"),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{log: [0.1, 1.0]}"),
            "a range is drawn from: say how often, as in  method: random, trials: 20",
        ),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{log: [0.1, 1.0]}") + "trials: 5",
            "a range is drawn from: say how often, as in  method: random, trials: 20",
        ),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{log: [0.1, 1.0]}") + "method: halving",
            "a range is drawn from: say how often, as in  trials: 20",
        ),
        (EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{lg: [0.1, 1.0]}"), "lg"),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "[]"),
            "4: space.learner.river.LogisticRegression.l2: must not be empty",
        ),
        (
            EXPERIMENT.replace("{learner.river.LogisticRegression.l2: [0.0, 0.1, 1.0]}", "{}"),
            "4: space: must not be empty",
        ),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "0.1"),
            "l2: must be a list of values, or a range to draw from, as in  {uniform: [0, 1]}",
        ),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{log: [0, 1.0]}"),
            "space.learner.river.LogisticRegression.l2: log needs numbers above 0",
        ),
        (
            EXPERIMENT.replace("LogisticRegression.l2", "LogisticRegressin.l2"),
            "experiment.yaml:4: space.learner.river.LogisticRegressin.l2: in ",
        ),
        (
            EXPERIMENT.replace("l2: [", "l2: [0.3], lerner.river: ["),
            "experiment.yaml:4: space.lerner.river: in ",
        ),
        (
            EXPERIMENT.replace("[0.0, 0.1, 1.0]", str([*range(1_001)])),
            "experiment.yaml:4: space.learner.river.LogisticRegression.l2: makes more than 1,000",
        ),
        (
            EXPERIMENT.replace("LogisticRegression.l2", "LogisticRegression.l3"),
            "(with learner.river.LogisticRegression.l3=0.0)",
        ),
        (EXPERIMENT.replace("from: ", "form: "), "data.form: is not a key that is known"),
        (
            EXPERIMENT.replace('from: "river:Phishing"', "label: y"),
            "needs either `from`, or `kafka: true`",
        ),
        (EXPERIMENT.replace("logistic.yaml", "none.yaml"), "none.yaml there is no such file"),
        (EXPERIMENT.replace("logistic.yaml", "none.yaml"), "experiment.yaml:2: model: "),
    ],
)
def test_a_mistake_in_the_experiment_is_told_with_its_line(
    tmp_path: Path, experiment: str, told: str
) -> None:
    """All of them before anything is tried."""
    path = tmp_path / "experiment.yaml"
    path.write_text(experiment)
    (tmp_path / "logistic.yaml").write_text(LOGISTIC)

    with pytest.raises(ConfigError) as raised:
        tried_by(load_experiment(path), path)

    assert told in str(raised.value)
    keys = [each.key for each in raised.value.problems]
    assert len(keys) == len({*keys}), "of one place one mistake is told"


@pytest.mark.parametrize("columns", ['"x, y"', "[x, y]"])
def test_columns_are_a_list_as_yaml_or_the_command_line_has_one(
    tmp_path: Path, columns: str
) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT.replace('"river:Phishing"', f"a.csv, columns: {columns}"))

    assert load_experiment(path).data.csv().features == ("x", "y")
