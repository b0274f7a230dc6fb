"""The queries of the how-to answer what they say, on a file that was exported."""

import re
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.stream.log_export.answers import BEGAN_MS, MakeTopics, answer, rfc3339

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "export-the-log.md"
_QUERY = re.compile(r"^## ([^\n]*)\n(?:(?!^## ).)*?^```sql\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUERIES = dict(_QUERY.findall(PAGE.read_text()))
HOUR_MS = BEGAN_MS // 3_600_000 * 3_600_000


def asked(query: str, path: Path) -> list[tuple]:
    """What a query of the page answers, of a file of the test's own."""
    with closing(duckdb.connect()) as database:
        return database.execute(query.replace("answers.parquet", str(path))).fetchall()


@pytest.fixture
def exported(make_topics: MakeTopics, tmp_path: Path) -> Path:
    """Ten answers of two versions in two hours; of nine the label has come."""
    topics = make_topics()
    for n in range(10):
        is_late = n >= 6
        at_ms = HOUR_MS - (0 if is_late else 3_600_000) + n
        fields = {
            "version": "v2" if is_late else "v1", "learned": 200 if is_late else 100,
            "predicted_at": rfc3339(at_ms), "prediction": n % 2 == 0,
            "probabilities": {"true": 0.75 if n % 2 == 0 else 1.0, "false": 0.25},
        }  # fmt: skip
        topics.answers(answer(f"a{n}", **fields), at_ms=at_ms)
        if n < 9:
            topics.labels({"id": f"a{n}", "label": 1}, at_ms=BEGAN_MS)
    topics.export(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def test_accuracy_by_version(exported: Path) -> None:
    """Answers without a label are counted, and not judged."""
    assert asked(QUERIES["Accuracy by version"], exported) == [
        ("v1", 6, 6, 0.5), ("v2", 4, 3, pytest.approx(2 / 3)),
    ]  # fmt: skip


def test_accuracy_by_hour(exported: Path) -> None:
    """With how long labels took."""
    hour = datetime.fromisoformat(rfc3339(HOUR_MS)).replace(tzinfo=None)
    delay = timedelta(milliseconds=BEGAN_MS - HOUR_MS)

    assert asked(QUERIES["Accuracy by hour"], exported) == [
        (hour - timedelta(hours=1), 6, 6, 0.5, delay + timedelta(hours=1)),
        (hour, 4, 3, pytest.approx(2 / 3), delay),
    ]


def test_calibration(exported: Path) -> None:
    """A chance of one is in the last bin."""
    assert asked(QUERIES["Calibration"], exported) == [(0.7, 5, 0.75, 1.0), (0.9, 4, 1.0, 1.0)]
