"""From a real broker to a file: every answer, with the label that came for it."""

import csv
import gzip
import io
import json
import sys
from datetime import datetime
from pathlib import Path

import pytest
from kafka import KafkaProducer

from config.model_file import parse_model_file
from config.settings import KafkaSettings
from stream.errors import ExportFailedError, ExportRefusedError, TopicMissingError
from stream.log_export.export import Period, export
from tests.stream.log_export.answers import (
    BEGAN_MS,
    MODEL,
    MakeTopics,
    answer,
    kinds,
    made,
    rfc3339,
    rows,
)

TYPED = """
features:
  amount: {type: float}
  count: {type: int}
  is new: {type: bool}
  Größe "x": {type: string}
  COUNT: {type: int}
  user.age: {type: int}
"""


def _utc(text: str) -> datetime:
    """As the file has it: UTC, which the type does not say."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


def by_id(path: Path) -> dict[str, list]:
    """The labels of each prediction id, in the order of the file."""
    found: dict[str, list] = {}
    for row in rows(path):
        found.setdefault(row["prediction_id"], []).append(row["label"])
    return found


def test_an_answer_is_a_row(make_topics: MakeTopics, tmp_path: Path) -> None:
    """Every field in its column, with the type that the page promises."""
    topics = make_topics()
    topics.answers(answer("a", key="customer-7"))
    topics.labels({"id": "a", "label": True}, at_ms=BEGAN_MS + 5000)
    path = tmp_path / "log.parquet"

    done = topics.export(path)

    assert rows(path) == [
        {
            "prediction_id": "a", "model": "orders", "version": "v17", "version_id": "4f1c",
            "learned": 1250, "predicted_at": _utc("2026-03-01T09:30:00.250Z"),
            "prediction": "false", "prediction_number": None,
            "probabilities": '{"true": 0.2, "false": 0.8}', "features": '{"amount": 99.0}',
            "key": "customer-7", "label": "true",
            "label_at": _utc(rfc3339(BEGAN_MS + 5000)),
            "topic": topics.model_file.topics.predictions, "partition": 0, "offset": 0,
        }
    ]  # fmt: skip
    assert list(kinds(path).values()) == [
        *["VARCHAR"] * 4, "BIGINT", "TIMESTAMP", "VARCHAR", "DOUBLE", *["VARCHAR"] * 4,
        "TIMESTAMP", "VARCHAR", "INTEGER", "BIGINT",
    ]  # fmt: skip
    assert (done.answers, done.labelled, done.bytes) == (1, 1, path.stat().st_size)
    assert list(tmp_path.iterdir()) == [path]


def test_the_first_label_that_would_be_learned_is_joined(
    make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Before its answer, after it, twice, in an event, none; one that does not fit is none."""
    topics = make_topics()
    topics.labels({"id": "before", "label": True}, at_ms=BEGAN_MS - 60_000)
    topics.answers(*map(answer, ["before", "after", "twice", "event", "none", "misfit"]))
    topics.labels(
        {"id": "after", "label": 1},
        {"id": "twice", "label": False},
        {"id": "twice", "label": True},
        {"id": "nobody", "label": True},
        {"id": "misfit", "label": "UP"},
        {"id": "misfit", "label": 0},
        b"no JSON",
        None,
        at_ms=BEGAN_MS + 1000,
    )
    topics.events(
        {"features": {"amount": 1}, "label": False},
        {"id": "event", "features": {"amount": 1}, "label": True},
        {"id": "none", "features": {"amount": 1}},
        {"id": "twice", "label": True},
        at_ms=BEGAN_MS + 2000,
    )

    done = topics.export(tmp_path / "log.parquet")

    assert by_id(tmp_path / "log.parquet") == {
        "before": ["true"], "after": ["true"], "twice": ["false"], "event": ["true"],
        "none": [None], "misfit": ["false"],
    }  # fmt: skip
    assert (done.answers, done.labelled, done.skipped) == (6, 5, 0)


def test_of_answers_with_one_id_the_first_has_the_label(
    make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Of several partitions the earliest; every row stays."""
    topics = make_topics(partitions=2)
    topics.answers(answer("a", version="v1"), at_ms=BEGAN_MS + 10, partition=0)
    topics.answers(answer("a", version="v2"), answer("a", version="v3"), partition=1)
    topics.labels({"id": "a", "label": True}, at_ms=BEGAN_MS + 100)
    path = tmp_path / "log.parquet"

    topics.export(path)

    assert {row["version"]: row["label"] for row in rows(path)} == {
        "v1": None, "v2": "true", "v3": None,
    }  # fmt: skip


def test_a_period_is_of_the_records_time(make_topics: MakeTopics, tmp_path: Path) -> None:
    """From included, to not; labels come later, and are read to the end."""
    topics = make_topics()
    topics.answers(*(answer(f"a{n}") for n in range(10)))
    topics.labels({"id": "a5", "label": True}, at_ms=BEGAN_MS + 1_800_000)
    path = tmp_path / "log.parquet"

    topics.export(path, since_ms=BEGAN_MS + 3, before_ms=BEGAN_MS + 7)
    assert by_id(path) == {"a3": [None], "a4": [None], "a5": ["true"], "a6": [None]}

    done = topics.export(path, since_ms=BEGAN_MS + 10)
    assert (rows(path), done.answers) == ([], 0)


def test_a_label_that_came_first_waits_up_to_the_horizon(
    make_topics: MakeTopics, tmp_path: Path
) -> None:
    """As the learner has it: so far back labels are read."""
    topics = make_topics(more="late_labels: {horizon: 1h, features: predictions}\n")
    topics.labels({"id": "a", "label": True}, at_ms=BEGAN_MS - 1_800_000)
    topics.answers(answer("a"))
    path = tmp_path / "log.parquet"

    topics.export(path, since_ms=BEGAN_MS)

    assert by_id(path) == {"a": ["true"]}


def test_listed_features_have_columns_of_their_type(
    make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Whatever their names; what does not fit is null there, and in the JSON as it was."""
    topics = make_topics(more=TYPED)
    topics.answers(
        answer("right", features={
            "amount": 3, "count": 2**62, "is new": True, 'Größe "x"': "groß", "COUNT": 7,
            "user": {"age": 41},
        }),
        answer("wrong", features={
            "amount": "3", "count": 2**64, "is new": 1, 'Größe "x"': 1.5, "user.age": 42,
        }),
        answer("none", features=None),
    )  # fmt: skip
    path = tmp_path / "log.parquet"

    topics.export(path)

    names = [f"feature_{name}" for name in ("amount", "count", "is new", 'Größe "x"', "COUNT_2",
                                            "user.age")]  # fmt: skip
    right, wrong, none = ([row[name] for name in names] for row in rows(path))
    assert [kinds(path)[name] for name in names] == [
        "DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR", "BIGINT", "BIGINT",
    ]  # fmt: skip
    assert right == [3.0, 2**62, True, "groß", 7, 41]
    assert wrong == [None, None, None, None, None, 42]
    assert none == [None] * 6
    assert json.loads(rows(path)[1]["features"])["count"] == 2**64


def test_predictions_of_any_kind_fit_one_column(make_topics: MakeTopics, tmp_path: Path) -> None:
    """As text; numbers as numbers besides."""
    topics = make_topics()
    given = ["UP", 3, 0.5, 2**70, True, None, {"a": 1}, '日本 \u0000 "q"', "1.5"]
    topics.answers(*(answer(f"p{n}", prediction=each) for n, each in enumerate(given)))
    topics.answers(json.dumps(answer("big", prediction="X")).replace('"X"', "1e400").encode(),
                   at_ms=BEGAN_MS + 100)  # fmt: skip
    path = tmp_path / "log.parquet"

    topics.export(path)

    found = [(row["prediction"], row["prediction_number"]) for row in rows(path)]
    assert found == [
        ("UP", None), ("3", 3.0), ("0.5", 0.5), (str(2**70), float(2**70)), ("true", None),
        (None, None), ('{"a": 1}', None), ('日本 \u0000 "q"', None), ("1.5", None),
        ("1e400", None),
    ]  # fmt: skip


def test_what_is_no_answer_is_counted(
    make_topics: MakeTopics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Foreign JSON, no JSON, nothing, a negative count, a time without a zone; and told."""
    topics = make_topics()
    topics.answers(
        {"hello": 1}, b"\xff\x00", None, [], answer("a", learned=-1), answer("b", learned=2**63),
        answer("c", predicted_at="2026-03-01T09:30:00"), answer("d"),
    )  # fmt: skip
    path = tmp_path / "log.parquet"

    done = topics.export(path)

    assert (done.answers, done.skipped, list(by_id(path))) == (1, 7, ["d"])
    assert f"{topics.model_file.topics.predictions}: 7 records are no answers" in (
        capsys.readouterr().err
    )


def test_only_committed_answers_are_exported(make_topics: MakeTopics, tmp_path: Path) -> None:
    """Of transactions; their marks are no records, at the end of the topic neither."""
    topics = make_topics()
    producer = KafkaProducer(
        bootstrap_servers=topics.kafka.bootstrap_servers, transactional_id=topics.model_file.name
    )
    producer.init_transactions()
    for name in ("aborted", "committed"):
        producer.begin_transaction()
        producer.send(topics.model_file.topics.predictions, json.dumps(answer(name)).encode())
        producer.flush()
        (producer.abort_transaction if name == "aborted" else producer.commit_transaction)()
    producer.close()
    path = tmp_path / "log.parquet"

    topics.export(path)

    assert list(by_id(path)) == ["committed"]


def test_many_answers(make_topics: MakeTopics, tmp_path: Path) -> None:
    """More than a chunk holds, in the order of time; every third has its label."""
    topics = make_topics(partitions=3)
    count = 25_000
    for partition in range(3):
        numbers = range(partition, count, 3)
        topics.answers(*(answer(f"a{n}", learned=n) for n in numbers), partition=partition)
    topics.labels(*({"id": f"a{n}", "label": n % 2 == 0} for n in range(0, count, 3)))
    path = tmp_path / "log.parquet"

    done = topics.export(path)

    found = rows(path)
    assert (done.answers, done.labelled) == (count, len(range(0, count, 3)))
    assert {row["learned"] for row in found} == set(range(count))
    assert all(
        row["label"] == (None if row["learned"] % 3 else str(row["learned"] % 2 == 0).lower())
        for row in found
    )


def test_csv_and_ndjson_have_the_same_columns(make_topics: MakeTopics, tmp_path: Path) -> None:
    """Times as RFC 3339; JSON within NDJSON is JSON."""
    topics = make_topics(more="features: {amount: {type: float}}\n")
    topics.answers(answer('a,"é"\n', prediction="x"), answer("b", features=None))
    topics.labels({"id": "b", "label": True})
    for name in ("log.csv", "log.csv.gz", "log.ndjson", "log.parquet"):
        topics.export(tmp_path / name)

    text = (tmp_path / "log.csv").read_bytes()
    assert gzip.decompress((tmp_path / "log.csv.gz").read_bytes()) == text
    first, second = csv.DictReader(io.StringIO(text.decode(), newline=""))
    assert list(first) == list(kinds(tmp_path / "log.parquet"))
    assert (first["prediction_id"], first["feature_amount"]) == ('a,"é"\n', "99.0")
    assert (second["label_at"], second["features"]) == (rfc3339(BEGAN_MS), "")
    lines = [json.loads(line) for line in (tmp_path / "log.ndjson").read_text().splitlines()]
    assert list(lines[0]) == list(first)
    assert lines[0]["features"] == {"amount": 99.0}
    assert lines[1]["features"] is None
    assert lines[1]["predicted_at"] == "2026-03-01T09:30:00.250Z"


def test_an_answer_of_many_megabytes(make_topics: MakeTopics, tmp_path: Path) -> None:
    """As large as the topic takes."""
    topics = make_topics()
    large = "x" * (12 << 20)
    producer = KafkaProducer(
        bootstrap_servers=topics.kafka.bootstrap_servers, max_request_size=16 << 20
    )
    value = json.dumps(answer("a", features={"text": large})).encode()
    producer.send(topics.model_file.topics.predictions, value)
    producer.close()
    path = tmp_path / "log.parquet"

    topics.export(path)

    assert json.loads(rows(path)[0]["features"]) == {"text": large}


def test_a_path_is_taken_as_it_is(make_topics: MakeTopics, tmp_path: Path) -> None:
    """Also where it looks like a pattern, or ends a text of SQL, or is that of a chunk."""
    topics = make_topics()
    topics.answers(answer("a"))
    folder = tmp_path / "it's [a] {b} ?*"
    folder.mkdir()

    topics.export(folder / "answers-000000001.parquet")

    (found,) = folder.iterdir()
    found.rename(tmp_path / "log.parquet")
    assert by_id(tmp_path / "log.parquet") == {"a": [None]}


# --- what goes wrong


def test_a_file_is_kept_when_an_export_fails(
    make_topics: MakeTopics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is interrupted; and nothing else is left."""
    topics = make_topics()
    topics.answers(answer("a"))
    path = tmp_path / "log.parquet"
    path.write_text("as it was")
    for query, error in (("SELECT nonsense", ExportFailedError), (None, KeyboardInterrupt)):

        def asked(*_: object, query: str | None = query, **__: object) -> str:
            if query is None:
                raise KeyboardInterrupt
            return query

        monkeypatch.setattr("stream.log_export.export.export_query", asked)
        with pytest.raises(error):
            topics.export(path)

        assert path.read_text() == "as it was"
        assert list(tmp_path.iterdir()) == [path]


def test_a_missing_topic_is_named(kafka_server, unique_name: str, tmp_path: Path) -> None:
    """Exit 3."""
    kafka = KafkaSettings(bootstrap_servers=kafka_server.address)
    model_file = parse_model_file(MODEL.format(name=unique_name))

    with pytest.raises(TopicMissingError, match=f"{unique_name}.predictions") as caught:
        export(kafka, model_file, tmp_path / "log.parquet", Period())

    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_labels_that_have_no_topic_are_none(
    kafka_server, make_topic, unique_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model whose labels never come late needs none."""
    make_topic(suffix="predictions")
    topics = made(kafka_server.address, f"{unique_name}.x")
    topics = topics._replace(model_file=parse_model_file(MODEL.format(name=unique_name)))
    topics.answers(answer("a"))

    topics.export(tmp_path / "log.parquet")

    assert by_id(tmp_path / "log.parquet") == {"a": [None]}
    assert f"topic {unique_name}.labels does not exist" in capsys.readouterr().err


def test_an_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, before anything is read."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1")

    with pytest.raises(ExportRefusedError, match=r"uv sync --inexact --extra log"):
        export(kafka, parse_model_file(MODEL.format(name="m")), tmp_path / "a.csv", Period())
