"""What is told of trials to who keeps them."""

import csv
import json
from typing import Any

import pytest

from config.runs import TrialRun
from stream.trying.beside.ranks import best_of
from stream.trying.rows import (
    Point,
    RowScore,
    ScoreDifference,
    TrialRow,
    as_csv,
    as_json,
    json_text,
    run_of_all,
    runs_of,
)


def row(name: str, lifetime: float | None, **other: Any) -> TrialRow:
    """A row with two scores, of which more is better and less is."""
    scores = {
        score: RowScore(lifetime=lifetime, rolling=0.7, fading=None, baseline=0.4, majority=0.4)
        for score in ("Accuracy", "LogLoss")
    }
    told: dict[str, Any] = {
        "model": name, "file": f"{name}.yaml", "set": {}, "learned": 300, "scored": 300,
        "refused": 0, "refused_by": {}, "nonfinite": 0, "pending": 0, "expired": 0, "drifts": 0,
        "metrics": scores, "events_per_second": 9.0, "bytes": 1,
    }  # fmt: skip
    return TrialRow(**{**told, **other})


def whole(rows: list[TrialRow], best: int | None) -> TrialRun:
    labels = [each.model for each in rows]
    return run_of_all("weir try", rows, labels, ["table"], best=best, params={}, files={"a": "b"})


def test_what_is_not_finite_is_null_in_json_and_empty_in_csv() -> None:
    """No parser but Python's own reads NaN or Infinity."""
    inf, nan = float("inf"), float("nan")
    away = ScoreDifference(mean=nan, low=-inf, high=None, events=3)
    score = RowScore(lifetime=inf, rolling=nan, fading=-inf, baseline=0.5, difference=away)
    rows = [row("a", 0.5, metrics={"MAE": score})]

    found = json.loads(json_text(as_json(rows)), parse_constant=pytest.fail)["rows"][0]
    (line,) = csv.DictReader(as_csv(rows).splitlines())
    logged = whole(rows, None).artefacts["rows.json"]

    told = found["metrics"]["MAE"]
    assert [told[key] for key in ("lifetime", "rolling", "fading", "baseline")] == [
        *[None] * 3, 0.5,
    ]  # fmt: skip
    assert told["difference"] == {"mean": None, "low": None, "high": None, "events": 3}
    assert not {"nan", "inf", "-inf"} & {*line.values()}
    assert json.loads(logged, parse_constant=pytest.fail)["rows"] == [found]


def test_the_best_gave_predictions_as_often_as_the_others() -> None:
    """One that did for a few events alone is none, however well it did."""
    rows = [row("a", 0.5), row("b", 0.9, scored=3, nonfinite=297), row("c", 0.4)]

    assert best_of(rows, "Accuracy") == 0
    assert best_of(rows[1:2], "Accuracy") is None


def test_the_best_is_that_with_the_best_score_over_the_life() -> None:
    """Of equal ones the first; none that failed, none without a score."""
    rows = [row("a", 0.5), row("b", 0.9), row("c", 0.9), row("d", None)]

    assert best_of(rows, "Accuracy") == 1
    assert best_of(rows, "LogLoss") == 0
    assert best_of([row("d", None), row("e", 0.9, failed="it raised")], "Accuracy") is None
    assert best_of(rows, "F1") is None


def test_the_run_of_all_has_the_scores_of_the_best_and_their_time() -> None:
    rows = [row("a", 0.5, began_ms=20, ended_ms=30), row("b", 0.9, began_ms=10, ended_ms=25)]

    above = whole(rows, 1)

    assert (above.began_ms, above.ended_ms) == (10, 30)
    assert above.tags == {"weir.best": "b"}
    assert above.metrics["Accuracy.lifetime"] == [(300, 0.9)]
    assert above.metrics["Accuracy.majority"] == [(300, 0.4)]
    assert above.artefacts.keys() == {"rows.json", "rows.csv", "table.txt", "a"}
    nothing = whole([row("d", None)], None)
    assert (nothing.metrics, nothing.tags, nothing.began_ms) == ({}, {}, None)


def test_steps_rise_also_while_nothing_is_learned() -> None:
    """Records that are refused, or wait for their label, are no events learned."""
    points = [(100, 0.1), (200, 0.2), (200, 0.3), (300, 0.4), (300, 0.5)]
    curve = [Point(events=at, rolling={"Accuracy": value}) for at, value in points]

    (run,) = runs_of([row("a", 0.5, curve=curve)], ["a"])

    assert run.metrics["Accuracy.rolling"] == [(100, 0.1), (200, 0.3), (300, 0.7)]


def test_a_run_has_what_its_row_has() -> None:
    """The difference to the first, and when it was; a row that is printed has no times."""
    second = row("b", 0.9, began_ms=10, ended_ms=25)
    away = ScoreDifference(mean=0.4, low=0.3, high=None, events=300)
    second.metrics["Accuracy"] = RowScore(
        lifetime=0.9, rolling=0.7, fading=None, baseline=None, difference=away
    )

    (run,) = runs_of([second], ["b"])

    assert run.params == {"model": "b"}
    found = {of: run.metrics[f"Accuracy.difference.{of}"] for of in ("mean", "low", "high")}
    assert found == {"mean": [(300, 0.4)], "low": [(300, 0.3)], "high": [(300, None)]}
    assert run.metrics["Accuracy.majority"] == [(300, None)], "which is not logged"
    assert (run.began_ms, run.ended_ms) == (10, 25)
    assert not {"curve", "began_ms", "ended_ms"} & as_json([second])["rows"][0].keys()
