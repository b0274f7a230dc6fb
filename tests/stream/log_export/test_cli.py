"""`weir log export` as it is typed: what it prints, and what it ends with."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints.dev_server import ValkeyServer
from checkpoints.records import signing
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.model_file import parse_model_file
from config.text.extras import install_command
from stream.log_export.cli import SECTIONS
from stream.model_file_of import model_file_of
from tests.checkpoints.builders import LEARNER, OPERATOR, a_manifest, committed, granted
from tests.stream.log_export.answers import (
    BEGAN_MS,
    MODEL,
    MakeTopics,
    ModelTopics,
    answer,
    rfc3339,
    rows,
)

RUN = "import weir; weir.main()"


def begun(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """`weir log export` in a process of its own, with `folder` as its directory."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, "log", "export", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{Path(__file__).parents[3]}", **variables},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(folder: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    """Its exit code, and what it printed."""
    process = begun(folder, *words, **variables)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def topics(make_topics: MakeTopics) -> ModelTopics:
    """Three answers a second apart, and a label; what follows is no answer."""
    made = make_topics(more="features: {amount: {type: float}}\n")
    for number in range(3):
        made.answers(answer(f"a{number}"), at_ms=BEGAN_MS + 1000 * number)
    made.answers({"no": "answer"}, at_ms=BEGAN_MS + 5000)
    made.labels({"id": "a1", "label": True}, at_ms=BEGAN_MS + 9000)
    return made


@pytest.fixture
def model_path(topics: ModelTopics, tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    text = MODEL.format(name=topics.model_file.name) + "features: {amount: {type: float}}\n"
    path.write_text(text)
    return path


def test_the_model_file_is_the_heads(
    topics: ModelTopics, valkey_server: ValkeyServer, tmp_path: Path
) -> None:
    """By the name alone: topics and features are those that the model was learned with."""
    line = Line(topics.model_file.name)
    with closing(RedisStore(RedisConnection(valkey_server.url))) as store:
        token = granted(store, line).token
        committed(store, line, token, number=1, model_file=topics.model_file.sections())
    key, public = tmp_path / "operator.pem", tmp_path / "learner.pub"
    key.write_bytes(signing._private_pem(OPERATOR._private))
    key.chmod(0o600)
    signing._write_public(public, LEARNER.public)

    code, out, err = ended(
        tmp_path, line.model, "-o", "log.parquet",
        WEIR_KAFKA__BOOTSTRAP_SERVERS=str(topics.kafka.bootstrap_servers),
        WEIR_REDIS__URL=valkey_server.url, WEIR_SIGNING__OPERATOR_KEY=str(key),
        WEIR_SIGNING__LEARNER_PUBLIC=str(public),
    )  # fmt: skip

    found = rows(tmp_path / "log.parquet")
    assert code == 0, err
    assert json.loads(out) == {
        "file": "log.parquet", "answers": 3, "labelled": 1, "skipped": 1,
        "bytes": (tmp_path / "log.parquet").stat().st_size,
    }  # fmt: skip
    assert [(row["feature_amount"], row["label"]) for row in found] == [
        (99.0, None), (99.0, "true"), (99.0, None),
    ]  # fmt: skip


def test_a_model_file_needs_no_store(topics: ModelTopics, model_path: Path, tmp_path: Path) -> None:
    """Times as `weir learn --from` reads them."""
    code, out, err = ended(
        tmp_path, topics.model_file.name, "--model", str(model_path), "-o", "log.csv",
        "--from", rfc3339(BEGAN_MS + 1000), "--to", rfc3339(BEGAN_MS + 2000),
        WEIR_KAFKA__BOOTSTRAP_SERVERS=str(topics.kafka.bootstrap_servers),
    )  # fmt: skip

    assert code == 0, err
    assert json.loads(out) == {
        "file": "log.csv", "answers": 1, "labelled": 1,
        "bytes": (tmp_path / "log.csv").stat().st_size,
    }  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_leaves_nothing(
    topics: ModelTopics, model_path: Path, tmp_path: Path, number: int
) -> None:
    """Whoever stops it finds the folder as it was."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "log.parquet").write_text("as it was")
    process = begun(
        tmp_path, topics.model_file.name, "--model", str(model_path), "-o", "log/log.parquet",
        WEIR_KAFKA__BOOTSTRAP_SERVERS=str(topics.kafka.bootstrap_servers),
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not list((tmp_path / "log").glob(".weir-log-*/*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.005)

    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out) == (130, ""), err
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["log.parquet"]
    assert (tmp_path / "log" / "log.parquet").read_text() == "as it was"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "log.txt"), "end in .parquet, .csv, .csv.gz, .ndjson"),
        (("-o", "log.csv", "--from", "2026-11-20"), "has no time zone"),
        (("-o", "log.csv", "--to", "yesterday"), "is no time"),
        (
            ("-o", "log.csv", "--from", "2026-11-20T12:00Z", "--to", "2026-11-20T12:00Z"),
            "must be after --from",
        ),
        (("-o", "log.csv", "--model", "model.yaml"), "model.yaml is of another, not of m"),
    ],
)
def test_a_mistake_is_a_usage_error(
    kafka_server, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """Exit 2, and nothing is there."""
    name = "another" if "--model" in words else "m"
    (tmp_path / "model.yaml").write_text(MODEL.format(name=name))

    code, out, err = ended(
        tmp_path, "m", *words, WEIR_KAFKA__BOOTSTRAP_SERVERS=kafka_server.address
    )

    assert (code, out) == (2, "")
    assert told in " ".join(err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["model.yaml"]


def test_an_extra_that_is_missing_is_told_first(tmp_path: Path) -> None:
    """Before any server is looked for."""
    (tmp_path / "duckdb").mkdir()
    (tmp_path / "duckdb" / "__init__.py").write_text('raise ImportError("there is none")\n')

    code, _, err = ended(tmp_path, "m", "-o", "log.parquet")

    assert code == 2
    assert install_command("log") in err


def test_kafka_away_is_told(tmp_path: Path) -> None:
    """Exit 5, with its address."""
    (tmp_path / "model.yaml").write_text(MODEL.format(name="m"))

    code, _, err = ended(
        tmp_path, "m", "-o", "log.csv", "--model", "model.yaml",
        WEIR_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1",
    )  # fmt: skip

    assert code == 5
    assert "Kafka at 127.0.0.1:1 does not answer" in err


MODELS = sorted((Path(__file__).parents[3] / "config" / "models").glob("*.yaml"))
LATE = "late_labels: {horizon: 7d, features: both}\nlimits: {record: 2MiB, labels: 7}\n"


@pytest.mark.parametrize("text", [path.read_text() for path in MODELS] + [
    MODEL.format(name="m") + LATE + "features: {a: {type: int, min: 0}}\n"
])  # fmt: skip
def test_a_versions_model_file_says_how_its_log_is_read(text: str) -> None:
    """All that counts here comes back from the manifest as it was."""
    model_file = parse_model_file(text)
    manifest = a_manifest(Line(model_file.name), model_file=model_file.sections())

    found = model_file_of(manifest, SECTIONS).sections()

    assert {name: found[name] for name in SECTIONS} == {
        name: model_file.sections()[name] for name in SECTIONS
    }
