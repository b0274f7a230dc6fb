"""The history over HTTP: what the learner kept, as many points as are asked for."""

from collections.abc import Iterator
from typing import Any

import pytest

from checkpoints.reading.reader import LineReader
from tests.api.running import KEYS, Running, phishing, running, until

PATH = "/v1/models/phishing/history"


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """Two versions, of 200 and 1,100 events."""
    with running() as found:
        found.learning.learn(phishing(900, start=200))
        version = found.learning.commit()
        until(lambda: found.serves(version))
        yield found


def test_its_points_are_the_rows_that_the_learner_kept(api: Running) -> None:
    body = api.get(PATH).json()
    rows = list(api.learning.trainer.history.rows())

    assert body["version"] == "v2"
    assert body["learned"] == [row["learned"] for row in rows]
    assert body["at"] == ["2023-11-14T22:13:20.000Z"] * len(rows)
    assert list(body["metrics"]) == ["Accuracy", "LogLoss", "Brier", "ECE"]
    for name, told in body["metrics"].items():
        for window, values in told.items():
            assert values == [row[f"{name} {window}"] for row in rows]


def test_points_begin_where_they_are_asked_for_and_are_as_many(api: Running) -> None:
    whole = api.get(PATH).json()["learned"]

    assert whole == [*range(100, 901, 100), 1012]
    assert api.get(f"{PATH}?from=450").json()["learned"] == [500, 600, 700, 800, 900, 1012]
    assert api.get(f"{PATH}?points=3").json()["learned"] == [200, 600, 1012]
    assert api.get(f"{PATH}?from=2023-11-14T22:13:20Z").json()["learned"] == whole
    later: dict[str, Any] = api.get(f"{PATH}?from=2030-01-01T00:00:00Z").json()
    assert (later["learned"], later["metrics"]) == ([], {})


@pytest.mark.parametrize("query", ["points=0", "points=1001", "points=x", "from=noon", "from=-1"])
def test_what_is_no_point_is_refused(api: Running, query: str) -> None:
    answer = api.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
        422,
        "/" + query.partition("=")[0],
    )


def test_after_a_rollback_it_is_that_of_the_version_gone_back_to(api: Running) -> None:
    api.learning.beat(control_seq=10_000)
    api.post("/v1/models/phishing/rollback", {"to": "v1", "mode": "forget", "reason": "tried"})
    until(lambda: api.get(PATH).json()["version"] == "v3")

    assert api.get(PATH).json()["learned"] == [100, 200]
    state = LineReader(api.store, KEYS.verifier, api.learning.line).state()
    assert state.head is not None
    assert state.head.manifest.counts.learned == 200
