"""Trials in MLflow: a run for all, one a row below it; and rows whatever becomes of its server."""

import json

import pytest

from tests.api.registry import mlflow_servers

WEIR = mlflow_servers.PROGRAMS / "weir"
MODEL = """
name: logistic
task: binary
learner: {river: [preprocessing.StandardScaler, {linear_model.LogisticRegression: {l2: 0.0}}]}
metrics: [Accuracy, LogLoss]
"""
EXPERIMENT = """
model: logistic.yaml
data: {from: "river:Phishing"}
space: {learner.river.LogisticRegression.l2: [0.0, 0.1, 0.5]}
method: grid
metric: Accuracy
workers: 1
"""
READ = """
import json
from mlflow import MlflowClient

client = MlflowClient()
found = {}
for experiment in client.search_experiments(filter_string="name != 'Default'"):
    runs = client.search_runs([experiment.experiment_id])
    (above,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    rolling = {
        run.info.run_name: client.get_metric_history(run.info.run_id, "Accuracy.rolling")
        for run in runs if run.data.tags.get("mlflow.parentRunId") == above.info.run_id
    }
    found[experiment.name] = {
        "above": above.info.run_name,
        "files": sorted(each.path for each in client.list_artifacts(above.info.run_id)),
        "steps": {name: [each.step for each in points] for name, points in rolling.items()},
        "last": {name: points[-1].value for name, points in rolling.items()},
    }
print(json.dumps(found))
"""
pytestmark = pytest.mark.timeout(300)


def test_trials_and_searches_are_logged_and_a_lost_server_costs_none(starts_servers, tmp_path):
    """What is logged are the rows that are printed."""
    (tmp_path / "logistic.yaml").write_text(MODEL)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    tries = [WEIR, "try", "logistic.yaml", "--from", "river:Phishing", "--json", "--set",
             "learner.river.LogisticRegression.l2=0.0,0.1", "--mlflow", "tried"]  # fmt: skip
    searches = [WEIR, "search", "experiment.yaml", "--json", "--mlflow", "searched"]
    with mlflow_servers.server(tmp_path) as (tracking, kill):
        given = {"MLFLOW_TRACKING_URI": tracking}
        tried = mlflow_servers.run(tries, cwd=tmp_path, **given)
        searched = mlflow_servers.run(searches, cwd=tmp_path, **given)
        assert (tried.returncode, searched.returncode) == (0, 0), tried.stderr + searched.stderr
        read = mlflow_servers.run(
            [mlflow_servers.PROGRAMS / "python", "-c", READ], cwd=tmp_path, **given
        )
        found = json.loads(read.stdout)
        kill()
        lost = mlflow_servers.run(tries, cwd=tmp_path, **given)

    assert found["tried"]["above"] == "weir try river:Phishing"
    assert found["searched"]["above"] == "weir search experiment.yaml"
    tables = ["rows.csv", "rows.json", "table.txt"]
    assert found["tried"]["files"] == ["logistic.yaml", *tables]
    assert found["searched"]["files"] == ["experiment.yaml", "logistic.yaml", *tables]
    for name, done in (("tried", tried), ("searched", searched)):
        rows = json.loads(done.stdout)["rows"]
        wanted = sorted(row["metrics"]["Accuracy"]["rolling"] for row in rows)
        assert sorted(found[name]["last"].values()) == wanted
        for steps in found[name]["steps"].values():
            assert steps == sorted(set(steps))
            assert steps[-1] == 1250
    assert "warning: not all is logged in MLflow" in lost.stderr
    assert f"MLflow at {tracking}: " in lost.stderr
    assert "name its server in MLFLOW_TRACKING_URI" in lost.stderr
    assert lost.returncode == 0
    assert _scores(lost) == _scores(tried)


def _scores(done) -> list:
    return [row["metrics"] for row in json.loads(done.stdout)["rows"]]
