"""One walk: from a prediction through its log and its label to the commit that learned it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from checkpoints.records.signing import make_keys
from config.processes.child import free_port
from tests import web
from tests.api.running import until
from tests.collector import Collector, SentSpan, collecting

MODEL = """
name: {name}
task: binary
learner: {{river: [linear_model.LogisticRegression]}}
metrics: [Accuracy]
log: {{predictions: 1.0}}
late_labels: {{horizon: 7d, features: predictions}}
checkpoint: {{every_seconds: 0.2}}
"""
CALLER = ("4b" * 16, "f0" * 8)


def test_one_walk_leads_from_a_prediction_to_the_commit_that_learned_it(
    kafka_server: Any, valkey_server: Any, unique_name: str, tmp_path: Path
) -> None:
    """The caller traces its prediction; who sends the label knows nothing of that."""
    model = tmp_path / "model.yaml"
    model.write_text(MODEL.format(name=unique_name))
    make_keys(tmp_path / "keys")
    with collecting() as collector:
        environment = _environment(kafka_server.address, valkey_server.url, tmp_path, collector)
        url = f"http://127.0.0.1:{environment['WEIR_API__PORT']}"
        with (
            _weir("learn", "--model", model, "--new", "--create-topics", env=environment),
            _weir("serve", "--model", model, env=environment),
        ):
            _learn_one(f"{url}/v1/models/{unique_name}")
        _check_the_walk(unique_name, collector)


def _learn_one(url: str) -> None:
    """A prediction, and its label once a version waits for it; until that is learned."""
    until(lambda: _answers(url), limit_s=60)
    trace = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}
    body = {"features": {"a": 1.0}, "id": "walk-1"}
    assert web.post(f"{url}/predict", json=body, headers=trace).status_code == 200
    until(lambda: web.get(url).json()["offsets"][f"{url.rpartition('/')[2]}.predictions"]["0"] > 1)
    assert web.post(f"{url}/labels", json={"id": "walk-1", "label": True}).status_code == 202
    until(lambda: web.get(url).json()["learned"] == 1)


def _check_the_walk(name: str, collector: Collector) -> None:
    asked = collector.await_one("POST /v1/models/{model}/predict", weir_prediction_id="walk-1")
    logged = collector.await_one(f"process {name}.predictions")
    labelled = collector.await_one(f"process {name}.labels", weir_learned=1)
    before, commit = _commit_of(collector, logged), _commit_of(collector, labelled)

    assert (asked.trace_id, asked.parent_id) == CALLER
    assert asked.context in logged.links
    assert asked.context in labelled.links
    assert before.attributes["weir.learned"] == 0
    assert commit.attributes["weir.learned"] == 1
    assert commit.service == labelled.service == "weir-learner"


def _answers(url: str) -> bool:
    try:
        return web.post(f"{url}/predict", json={"features": {"a": 0.0}}).status_code == 200
    except httpx.TransportError:
        return False


def _commit_of(collector: Collector, batch: SentSpan) -> SentSpan:
    """The commit that is linked to this batch."""

    def found() -> SentSpan | None:
        commits = collector.named("commit")
        return next((each for each in commits if batch.context in each.links), None)

    span: SentSpan = until(found)
    return span


def _environment(kafka: str, redis: str, folder: Path, collector: Collector) -> dict[str, str]:
    keys = folder / "keys"
    return {
        **os.environ,
        "WEIR_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "WEIR_REDIS__URL": redis,
        "WEIR_SIGNING__LEARNER_KEY": str(keys / "learner.pem"),
        "WEIR_SIGNING__LEARNER_PUBLIC": str(keys / "learner.pub"),
        "WEIR_SIGNING__OPERATOR_PUBLIC": str(keys / "operator.pub"),
        "WEIR_API__PORT": str(free_port()),
        "WEIR_TRACES__ENDPOINT": collector.url,
        "WEIR_TRACES__SAMPLE": "0",
        "WEIR_LOG__LEVEL": "error",
        "WEIR_DATA_DIR": str(folder / "data"),
    }


@contextmanager
def _weir(*words: str | Path, env: dict[str, str]) -> Iterator[None]:
    """The program, ended in order afterwards, as which it sends its last spans."""
    program = Path(sys.executable).with_name("weir")
    process = subprocess.Popen([program, *words], env=env, cwd=Path(env["WEIR_DATA_DIR"]).parent)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
