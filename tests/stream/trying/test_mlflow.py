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
data: {from: "river:Bananas"}
space: {learner.river.LogisticRegression.l2: [0.0, 0.1, 0.5]}
method: halving
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
        "tags": above.data.tags,
        "scores": above.data.metrics,
        "below": {run.info.run_name: {"params": run.data.params, "scores": run.data.metrics,
                                      "took_ms": run.info.end_time - run.info.start_time}
                  for run in runs if run.info.run_id != above.info.run_id},
        "files": sorted(each.path for each in client.list_artifacts(above.info.run_id)),
        "steps": {name: [each.step for each in points] for name, points in rolling.items()},
        "last": {name: points[-1].value for name, points in rolling.items()},
    }
    won = [each for each in found[experiment.name]["files"] if each == "best.yaml"]
    if won:
        where = client.download_artifacts(above.info.run_id, won[0])
        found[experiment.name]["won"] = open(where).read()
print(json.dumps(found))
"""
pytestmark = pytest.mark.timeout(300)


def test_trials_and_searches_are_logged_and_a_lost_server_costs_none(starts_servers, tmp_path):
    """What is logged are the rows that are printed."""
    (tmp_path / "logistic.yaml").write_text(MODEL)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    tries = [WEIR, "try", "logistic.yaml", "--from", "river:Phishing", "--json", "--set",
             "learner.river.LogisticRegression.l2=0.0,0.1", "--mlflow", "tried"]  # fmt: skip
    searches = [WEIR, "search", "experiment.yaml", "-o", "best.yaml", "--json", "--mlflow",
                "searched"]  # fmt: skip
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
    assert found["searched"]["files"] == ["best.yaml", "experiment.yaml", "logistic.yaml", *tables]
    for name, done in (("tried", tried), ("searched", searched)):
        rows = json.loads(done.stdout)["rows"]
        wanted = sorted(row["metrics"]["Accuracy"]["rolling"] for row in rows)
        assert sorted(found[name]["last"].values()) == wanted
        learned = sorted(row["learned"] for row in rows)
        assert sorted(steps[-1] for steps in found[name]["steps"].values()) == learned
        for steps in found[name]["steps"].values():
            assert steps == sorted(set(steps))
            assert len(steps) >= 12, "scores on the way, from each rung"
        told = f"logged in MLflow at {tracking}: experiment {name}, {len(rows) + 1} runs"
        assert told in done.stderr
        _says_what_was_best(found[name], rows)
    assert found["searched"]["tags"]["mlflow.source.name"].startswith("weir search experiment.yaml")
    assert found["searched"]["won"] == (tmp_path / "best.yaml").read_text()
    assert len({row["learned"] for row in json.loads(searched.stdout)["rows"]}) > 1, "two rungs"
    scores = [set(below["scores"]) for below in found["tried"]["below"].values()]
    of = {f"Accuracy.difference.{of}" for of in ("mean", "low", "high")}
    assert sorted(len(each & of) for each in scores) == [0, 3], "of the second to the first"
    said = f"MLflow at {tracking} does not answer (connection refused): is it running?"
    assert f"warning: not all is logged in MLflow: {said}\n" in lost.stderr
    assert "Retrying" not in lost.stderr
    assert lost.returncode == 0
    assert _scores(lost) == _scores(tried)


def _says_what_was_best(found: dict, rows: list) -> None:
    """On the page of the run above; and below it what each was, beside its baselines."""
    best = max(rows, key=lambda row: (row["learned"], row["metrics"]["Accuracy"]["lifetime"]))
    assert found["scores"]["Accuracy.lifetime"] == best["metrics"]["Accuracy"]["lifetime"]
    assert found["below"][found["tags"]["weir.best"]]["scores"].items() >= found["scores"].items()
    assert found["tags"]["mlflow.user"]
    for below in found["below"].values():
        assert below["params"]["model"] == "logistic"
        assert {"Accuracy.majority", "Accuracy.no_change"} <= below["scores"].keys()
        assert below["took_ms"] > 0


@pytest.mark.parametrize(
    "words",
    [
        ("try", "logistic.yaml", "--from", "river:Phishing", "--mlflow", "e"),
        ("search", "experiment.yaml", "--mlflow", "e"),
        ("export", "logistic", "v1", "-o", "logistic.weir", "--mlflow", "e"),
    ],
)
def test_without_the_name_of_a_server_nothing_is_begun(tmp_path, words):
    """MLflow itself would write a database into the current folder."""
    (tmp_path / "logistic.yaml").write_text(MODEL)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    before = sorted(tmp_path.iterdir())

    done = mlflow_servers.run([WEIR, *words], cwd=tmp_path, MLFLOW_TRACKING_URI="")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("weir: no MLflow server is named: export MLFLOW_TRACKING_URI=")
    assert "mlflow server --backend-store-uri" in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def _scores(done) -> list:
    return [row["metrics"] for row in json.loads(done.stdout)["rows"]]
