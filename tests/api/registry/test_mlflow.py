"""A version in MLflow answers as the API does, and trials are logged.

By a real MLflow server on SQLite, and as `docs/how-to/mlflow.md` says it.
"""

import json
import re
import zipfile
from pathlib import Path

import pytest

from api.registry.own_wheel import own_wheel
from checkpoints.records.signing import _private_pem, _write_public
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests import web
from tests.api.registry import mlflow_servers
from tests.api.running import phishing, running
from tests.checkpoints.builders import LEARNER, OPERATOR

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "mlflow.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [(kind, text) for kind, text in _BLOCK.findall(PAGE.read_text()) if kind != "text"]
MODEL = """
name: {name}
task: binary
features: {{https: {{type: float}}}}
learner:
  river: [preprocessing.StandardScaler, {{tree.HoeffdingTreeClassifier: {{grace_period: 20}}}}]
metrics: [Accuracy, LogLoss]
"""
# Of MLflow's own programs, four begin here, each of which loads MLflow for seconds.
pytestmark = pytest.mark.timeout(300)
REFUSED = {"dataframe_records": [{"https": "x"}]}
# What the page shows of a refused row, of another feature.
REFUSAL = json.loads(re.search(r'^{"error_code".*$', PAGE.read_text(), re.MULTILINE)[0])
ROW = {"price": 120.5, "items": 1, "express": 0}

# In a process of its own: loads a model by its address, and answers the rows of a file; then has a
# byte of the exported version changed where MLflow keeps it, and loads it again.
LOAD = """
import json, sys
from pathlib import Path
import mlflow

rows = json.load(open("rows.json"))
print(json.dumps(mlflow.pyfunc.load_model(sys.argv[1]).predict(rows)))
(file,) = Path("artifacts").rglob("*.weir")
whole = bytearray(file.read_bytes())
file.rename("kept.weir")
whole[len(whole) // 2] ^= 1
file.write_bytes(whole)
try:
    mlflow.pyfunc.load_model(sys.argv[1])
except Exception as error:
    print(f"{type(error).__name__}: {error}")
Path("kept.weir").replace(file)
"""


@pytest.fixture(scope="module")
def mlflow_server(starts_servers, tmp_path_factory):
    """A server's folder and address: one for all, since each takes seconds to begin."""
    folder = tmp_path_factory.mktemp("mlflow")
    with mlflow_servers.server(folder) as (tracking, _):
        yield folder, tracking


@pytest.fixture
def returns(valkey_server, unique_name, tmp_path):
    """A model that has learned 800 events: its name, 1,000 rows, what the API answers to them,
    and how commands find the store.
    """
    store = RedisStore(RedisConnection(valkey_server.url))
    key, public = tmp_path / "operator.pem", tmp_path / "learner.pub"
    key.write_bytes(_private_pem(OPERATOR._private))
    key.chmod(0o600)
    _write_public(public, LEARNER.public)
    rows = [x for x, _ in phishing(1000)]
    with running(MODEL.format(name=unique_name), learned=800, store=store) as api:
        asked = api.post(f"/v1/models/{unique_name}/predict", {"instances": rows})
    store.close()
    found = {
        "WEIR_REDIS__URL": valkey_server.url,
        "WEIR_SIGNING__OPERATOR_KEY": str(key),
        "WEIR_SIGNING__LEARNER_PUBLIC": str(public),
    }
    return unique_name, rows, asked.json()["predictions"], found


def without_the_moment(answer: dict) -> dict:
    return {name: each for name, each in answer.items()
            if name not in ("prediction_id", "age_seconds")}  # fmt: skip


def test_a_version_is_registered_loaded_and_served_as_the_page_says(returns, mlflow_server):
    """1,000 rows to the last bit, by a fresh process and through `mlflow models serve`, which know
    no hash seed; and not at all once a byte is changed.
    """
    name, rows, asked, settings = returns
    folder, tracking = mlflow_server
    wanted = json.dumps([without_the_moment(each) for each in asked])
    (_, server), (_, export), (_, load), (_, serve), (_, curl) = BLOCKS[:5]
    assert server.split()[:3] == ["mlflow", "server", "--backend-store-uri"]
    words = export.replace("returns v2", f"{name} v1").replace("--mlflow returns",
            f"--mlflow {name}").replace("http://127.0.0.1:5000", tracking)  # fmt: skip
    reserved = words.replace("champion", "latest")
    refused = mlflow_servers.run(["bash", "-ec", reserved], cwd=folder, **settings)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "MLflow takes no such name: 'latest' alias name" in refused.stderr
    done = mlflow_servers.run(["bash", "-ec", words], cwd=folder, **settings)
    assert done.returncode == 0, done.stderr
    assert "model signature" not in done.stderr, "none is wanted"
    told = json.loads(done.stdout)["mlflow"]
    what = (told["name"], told["version"], told["alias"])
    assert what == (name, "1", "champion"), "what was refused has left nothing"
    assert told["tracking"] == tracking
    _says_what_it_is(tracking, told, json.loads(done.stdout))
    assert f'load_model("{told["uri"].replace(name, "returns")}")' in load

    (folder / "rows.json").write_text(json.dumps(rows))
    loads = [mlflow_servers.PROGRAMS / "python", "-c", LOAD, told["uri"]]
    fresh = mlflow_servers.run(loads, cwd=folder, MLFLOW_TRACKING_URI=tracking)
    assert fresh.returncode == 0, fresh.stderr
    found, refused = fresh.stdout.splitlines()
    assert found == wanted
    assert refused.startswith("FileRefused: ")

    assert f"--model-uri {told['uri'].replace(name, 'returns')} --env-manager local" in serve
    body = re.search(r"-d '(.*)'", curl)[1]
    assert json.loads(body) == {"dataframe_records": [ROW]}
    with mlflow_servers.serving(told["uri"], tracking, folder) as url:
        given = {"dataframe_records": rows}
        answer = web.post(f"{url}/invocations", json=given, timeout=60)
        refusal = web.post(f"{url}/invocations", json=REFUSED, timeout=60)
    assert json.dumps(answer.json()["predictions"]) == wanted
    assert refusal.status_code == 400
    told = refusal.json()["message"].replace("https", "price")
    assert {**refusal.json(), "message": told} == REFUSAL


def _says_what_it_is(tracking: str, told: dict, body: dict) -> None:
    """The page of the registered version, and its run's."""
    api = f"{tracking}/api/2.0/mlflow"
    key = {"name": told["name"], "version": told["version"]}
    page = web.get(f"{api}/model-versions/get", params=key, timeout=20).json()["model_version"]
    tags = {each["key"]: each["value"] for each in page["tags"]}
    wanted = {f"weir.{of}": str(body[of]) for of in ("model", "version", "id", "signer", "learned")}
    assert wanted.items() <= tags.items()
    assert page["description"].startswith(f"Weir's model {body['model']} as of v1: 800 events")
    assert body["signer"] in page["description"]
    found = web.get(f"{api}/runs/get", params={"run_id": told["run_id"]}, timeout=20).json()["run"]
    run_tags = {each["key"]: each["value"] for each in found["data"]["tags"]}
    assert wanted.items() <= run_tags.items()
    assert run_tags["mlflow.source.name"].startswith(f"weir export {body['model']} v1 --mlflow")
    assert found["data"].get("params", []) == [], "nothing is trusted, and that is not said"


# Logs trials; what is said of it.
LOG = """
import json, sys
from api.registry.mlflow_door import log_runs
from config.runs import TrialRun

series = {"Accuracy.rolling": [(200, 0.75), (100, 0.5), (300, None)], "events": [(300, 1e9)]}
files = {"m.yaml": "a: 1"}
runs = [
    TrialRun(name=f"lr {rate}", params={"river[1].lr": rate}, metrics=series, artefacts=files,
             began_ms=1_000_000, ended_ms=1_060_000)
    for rate in ("0.1", "0.01")
]
said = []
log_runs("search", TrialRun(name="search 1", tags={"weir.best": "lr 0.1"}), runs,
         say=said.append)
print(json.dumps(said))
"""
READ = """
import json
from mlflow import MlflowClient

client = MlflowClient()
of = client.get_experiment_by_name("search").experiment_id
runs = {run.info.run_name: run for run in client.search_runs([of])}
child = runs["lr 0.1"]
history = client.get_metric_history(child.info.run_id, "Accuracy.rolling")
print(json.dumps({
    "names": sorted(runs),
    "is_child": child.data.tags["mlflow.parentRunId"] == runs["search 1"].info.run_id,
    "params": child.data.params,
    "history": [(each.step, each.value) for each in history],
    "files": [each.path for each in client.list_artifacts(child.info.run_id)],
    "states": sorted({run.info.status for run in runs.values()}),
    "at": [child.info.start_time, child.info.end_time, history[0].timestamp],
    "by": sorted(tag for tag in child.data.tags if tag in ("mlflow.user", "mlflow.source.name")),
}))
"""


def test_trials_are_logged_as_a_run_and_its_children(mlflow_server):
    """Steps rise, and what has no value is left out."""
    folder, tracking = mlflow_server
    given = {"PYTHONPATH": str(PAGE.parents[2]), "MLFLOW_TRACKING_URI": tracking}
    done, read = (
        mlflow_servers.run([mlflow_servers.PROGRAMS / "python", "-c", code], cwd=folder, **given)
        for code in (LOG, READ)
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [f"logged in MLflow at {tracking}: experiment search, 3 runs"]
    assert json.loads(read.stdout) == {
        "names": ["lr 0.01", "lr 0.1", "search 1"],
        "is_child": True,
        "params": {"river.1.lr": "0.1"},
        "history": [[100, 0.5], [200, 0.75]],
        "files": ["m.yaml"],
        "states": ["FINISHED"],
        "at": [1_000_000, 1_060_000, 1_060_000],
        "by": ["mlflow.source.name", "mlflow.user"],
    }


def test_our_wheel_is_whole(tmp_path):
    """What pip reads of it, and every room; made twice it is the same."""
    wheel = own_wheel(tmp_path)
    again = tmp_path / "again"
    again.mkdir()

    assert own_wheel(again).read_bytes() == wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
        listed = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
        (metadata,) = (archive.read(name) for name in names if name.endswith("/METADATA"))
    assert listed == names
    assert {"weir.py", "api/offline/load.py", "config/models/drift.yaml",
            "checkpoints/stores/in_redis/lua/commit.lua"} <= names  # fmt: skip
    assert not [name for name in names if name.endswith(".pyc")]
    assert b"\nName: weir\n" in metadata
    needed = [line for line in metadata.decode().splitlines() if line.startswith("Requires-Dist:")]
    extras = {line.split()[1].partition("==")[0]: line for line in needed if "extra ==" in line}
    assert "mlflow" in extras, "installed with no extra asked for"
