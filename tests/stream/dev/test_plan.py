"""`weir dev` with several models, of which one cannot be learned; and with its Redis away."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from checkpoints.dev_server import ValkeyServer
from checkpoints.opening import store_at
from checkpoints.records.line import Line
from config.model_file import parse_model_file
from config.processes.child import READY_CHECK_MAX_S, free_port
from config.settings import load_settings
from stream.dev.plan import plan
from stream.kafka import client as kafka_client
from tests import web
from tests.config.processes.waiting import is_running, until
from tests.servers import SharedKafka

MODEL = "name: {name}\ntask: binary\nlearner: {{river: [linear_model.{learner}]}}\n"
DRAIN_WAIT_S = 6.0  # thrice as long as everything must stand still before it ends
PROGRAM = Path(sys.executable).with_name("weir")


@dataclass
class Dev:
    """A running `weir dev`: its process, and what it wrote."""

    process: "subprocess.Popen[bytes]"
    directory: Path

    @property
    def said(self) -> str:
        return (self.directory / "said").read_text()

    @property
    def file(self) -> Mapping[str, Any]:
        return json.loads((self.directory / "dev.json").read_text())

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        return (self.directory / "dev.json").exists()

    def model(self, name: str) -> Any:
        return web.get(f"{self.file['api']}/v1/models/{name}").json()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@dataclass
class Rig:
    """Two models of a test's own, in servers that stand."""

    kafka: str
    redis: str
    directory: Path
    good: str
    bad: str

    def write(self, name: str, learner: str = "LogisticRegression") -> Path:
        path = self.directory / f"{name}.yaml"
        path.write_text(MODEL.format(name=name, learner=learner))
        return path

    @contextlib.contextmanager
    def dev(self, *options: str) -> Iterator[Dev]:
        models = [part for n in (self.good, self.bad) for part in ("--model", f"{n}.yaml")]
        command = [str(PROGRAM), "dev", *models, *options]
        with (
            (self.directory / "said").open("wb") as said,
            subprocess.Popen(
                [*command, "--port", "0", "--data-dir", str(self.directory)],
                cwd=self.directory,
                env={
                    **os.environ,
                    "WEIR_KAFKA__BOOTSTRAP_SERVERS": self.kafka,
                    "WEIR_REDIS__URL": self.redis,
                },
                stdout=subprocess.PIPE,
                stderr=said,
            ) as process,
        ):
            try:
                yield Dev(process, self.directory)
            finally:
                process.kill()

    def forget(self, name: str) -> None:
        """Leave what a learner leaves whose store was emptied: its learner ends with code 4."""
        kafka = load_settings({"kafka": {"bootstrap_servers": self.kafka}}, environ={}).kafka
        model = parse_model_file((self.directory / f"{name}.yaml").read_text())
        kafka_client.create_topics(kafka, model, partitions=1)
        kafka_client.mirrored(kafka, name)  # waits for a broker that has just started
        offsets = {TopicPartition(model.topics.events, 0): OffsetAndMetadata(0, "", -1)}
        with closing(kafka_client.admin(kafka)) as client:
            client.alter_group_offsets(kafka_client.group_id(name), offsets)

    @contextlib.contextmanager
    def transaction(self, name: str, count: int, *, is_committed: bool = True) -> Iterator[None]:
        """Publish in a transaction, which ends after the body."""
        options = {"bootstrap_servers": self.kafka, "transactional_id": name}
        with closing(KafkaProducer(**options)) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            for number in range(count):
                event = {"features": {"a": number}, "label": number % 2 == 0}
                producer.send(f"{name}.events", json.dumps(event).encode())
            producer.flush()
            yield
            if is_committed:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

    def publish(self, name: str, count: int) -> None:
        with closing(KafkaProducer(bootstrap_servers=self.kafka)) as producer:
            for number in range(count):
                event = {"features": {"a": number}, "label": number % 2 == 0}
                producer.send(f"{name}.events", json.dumps(event).encode())
            producer.flush()


def rig(tmp_path: Path, kafka: SharedKafka, valkey: ValkeyServer, name: str) -> Rig:
    return Rig(kafka.address, valkey.url, tmp_path, f"good-{name[-8:]}", f"bad-{name[-8:]}")


@pytest.mark.timeout(240)
def test_a_learner_that_cannot_begin_keeps_nobody_from_learning(
    tmp_path: Path, kafka_server: SharedKafka, valkey_server: ValkeyServer, unique_name: str
) -> None:
    """All else gets ready without it, is drained without it, and its code is passed on."""
    at = rig(tmp_path, kafka_server, valkey_server, unique_name)
    at.write(at.good)
    at.write(at.bad)
    at.forget(at.bad)

    with at.dev("--exit-after-drain") as dev:
        until(dev.is_ready, what="ready", limit_s=120)
        assert dev.file["pids"].keys() == {
            "api", "learners", f"learner:{at.good}", f"source:{at.good}",
        }  # fmt: skip
        assert all(map(is_running, dev.file["pids"].values()))
        at.publish(at.good, 10)
        assert dev.process.wait(60) == 4
        assert dev.process.stdout is not None
        printed = dev.process.stdout.read().decode()

    (line,) = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert (line["name"], line["learned"]) == (at.good, 10)
    assert f"NOT LEARNING  {at.bad}" in printed
    for model in (at.good, at.bad):
        assert f"weir status {model} --data-dir ." in printed
    (why,) = [line for line in dev.said.splitlines() if "a restart cannot mend" in line]
    assert why.startswith(f"weir | learner:{at.bad} ended with code 4")


@pytest.mark.timeout(240)
def test_a_learner_that_cannot_go_on_is_stopped_alone(
    tmp_path: Path, kafka_server: SharedKafka, valkey_server: ValkeyServer, unique_name: str
) -> None:
    """Its model's state says so; SIGTERM ends the rest with code 0."""
    at = rig(tmp_path, kafka_server, valkey_server, unique_name)
    at.write(at.good)
    at.write(at.bad)
    with at.dev() as dev:
        until(dev.is_ready, what="ready", limit_s=120)
        assert f"learner:{at.bad}" in dev.file["pids"]
        at.publish(at.bad, 10)  # of what has learned nothing the model file may change
        until(lambda: dev.model(at.bad)["learned"] == 10, what="learned", limit_s=60)
        assert dev.stop() == 0

    at.write(at.bad, learner="PAClassifier")
    with at.dev() as dev:
        until(dev.is_ready, what="ready again", limit_s=120)
        until(lambda: dev.model(at.bad)["state"] == "failed", what="failed")
        until(lambda: dev.model(at.good)["state"] == "idle", what="idle")
        asked = {"features": {"a": 1}}
        answer = web.post(f"{dev.file['api']}/v1/models/{at.bad}/predict", json=asked).json()
        assert answer["learned"] == 10, "it goes on serving what it has"
        assert dev.file["pids"].keys() == {
            "api", "learners", f"learner:{at.good}", f"source:{at.good}",
        }  # fmt: skip
        assert dev.stop() == 0


@pytest.mark.timeout(240)
def test_a_log_that_ends_with_a_transaction_is_drained(
    tmp_path: Path, kafka_server: SharedKafka, valkey_server: ValkeyServer, unique_name: str
) -> None:
    """Committed or aborted; while one is open, its records may still have to be learned."""
    at = rig(tmp_path, kafka_server, valkey_server, unique_name)
    at.write(at.good)
    at.write(at.bad)

    with at.dev("--exit-after-drain") as dev:
        until(dev.is_ready, what="ready", limit_s=120)
        with at.transaction(at.bad, 10):
            pass
        with at.transaction(at.bad, 7, is_committed=False):
            pass
        with at.transaction(at.good, 10):
            time.sleep(DRAIN_WAIT_S)
            assert dev.process.poll() is None, dev.said
        assert dev.process.wait(60) == 0
        assert dev.process.stdout is not None
        printed = dev.process.stdout.read().decode()

    found = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [(each["name"], each["learned"]) for each in found] == [(at.good, 10), (at.bad, 10)]


def test_a_redis_that_is_silent_does_not_hold_up_the_ready_check(tmp_path: Path) -> None:
    """It is asked again soon; meanwhile the answer is no."""
    model = parse_model_file(MODEL.format(name="m", learner="LogisticRegression"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = {
            "data_dir": tmp_path,
            "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
            "redis": {"url": f"redis://127.0.0.1:{silent.getsockname()[1]}/0"},
        }
        found = plan(
            load_settings(given, environ={}),
            {Line(model.name): tmp_path / "m.yaml"},
            program=("weir",),
            port=0,
            kafka_port=0,
            demo=None,
            store_at=store_at,
        )
        (learner,) = [spec for spec in found.specs if spec.name == "learner:m"]

        began = time.monotonic()
        assert not learner.is_ready()
        assert time.monotonic() - began < 4 * READY_CHECK_MAX_S


@pytest.mark.timeout(240)
def test_a_demo_that_was_stopped_while_it_sent_sends_the_rest(
    starts_servers: None, tmp_path: Path
) -> None:
    """Each event once: Ctrl-C in the middle, a second start, and a third that has nothing left."""
    with demo(tmp_path) as dev:
        until(dev.is_ready, what="ready", limit_s=90)
        until(
            lambda: re.search(r" [2-9]\d\d acknowledged", dev.said) is not None,
            what="200",
            limit_s=90,
        )
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(30) == 130

    for told in ("events are in phishing.events already, the rest is sent", "nothing is sent"):
        with demo(tmp_path, "--exit-after-drain") as dev:
            assert dev.process.wait(120) == 0, dev.said
            assert dev.process.stdout is not None
            *_, status = dev.process.stdout.read().decode().splitlines()
        assert told in dev.said
        assert (json.loads(status)["learned"], json.loads(status)["refused"]) == (1250, 0)
    assert f"to start over, stop weir dev and remove {tmp_path}" in dev.said


@contextlib.contextmanager
def demo(directory: Path, *options: str) -> Iterator[Dev]:
    """A demo with servers of its own."""
    command = [str(PROGRAM), "dev", "--demo", "phishing", "--port", "0", "--kafka-port", "0"]
    with (
        (directory / "said").open("wb") as said,
        subprocess.Popen(
            [*command, "--data-dir", str(directory), *options],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        try:
            yield Dev(process, directory)
        finally:
            process.terminate()
            process.wait(30)
