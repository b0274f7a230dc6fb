"""Scores from version to version, and two models at the same place."""

import pytest

from checkpoints.errors import BadCommand, CheckpointCorrupt
from checkpoints.reading.reader import Damaged
from checkpoints.reading.score_views import (
    best_of,
    compared,
    nearest_pair,
    score_columns,
    scored_versions_page,
    scores_view,
)
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts
from tests.checkpoints.builders import a_version

ONE, OTHER = Line("one"), Line("other")


def version(number, *, line=ONE, rolling=0.5, scored=5_000, at=None, score="Accuracy", **fields):
    """A version that has read `at` records."""
    given = {
        "counts": Counts(learned=scored, scored=scored),
        "metrics": {score: {"lifetime": 0.5, "rolling": rolling, "majority": 0.4}},
        "offsets": {"events": {"0": number * 100 if at is None else at, "1": 0}},
        **fields,
    }
    return a_version(line, number=number, **given)


def newest_first(*versions):
    return list(versions)[::-1]


def page_of(found, **more):
    return scored_versions_page(found, control=None, best=None, **{"limit": 100, **more})["items"]


def test_the_change_is_that_of_the_rolling_value_to_the_version_before():
    """The oldest one kept has none before it, and the last of a page has: it is fetched."""
    found = newest_first(version(1, rolling=0.5), version(2, rolling=0.75), version(4, rolling=0.5))

    assert [it["scores"]["Accuracy"]["change"] for it in page_of(found)] == [-0.25, 0.25, None]
    assert [it["scores"]["Accuracy"]["change"] for it in page_of(found, limit=2)] == [-0.25, 0.25]


def test_a_score_that_was_not_there_before_has_no_change():
    """Nor one without a value, nor after a version that cannot be read."""
    one, two = version(1, score="MAE"), version(3, rolling=None)
    damaged = Damaged(number=2, id="x", problem=CheckpointCorrupt("v2", "cut"))

    found = page_of([version(4), damaged, two, one])

    assert [it["scores"] for it in found] == [
        {"Accuracy": {"lifetime": 0.5, "rolling": 0.5, "change": None}},
        {"Accuracy": {"lifetime": 0.5, "rolling": None, "change": None}},
        {"MAE": {"lifetime": 0.5, "rolling": 0.5, "change": None}},
    ]


def test_the_best_has_a_full_window_and_is_the_newest_of_equals():
    """Three lucky events at the beginning are no merit."""
    lucky = version(1, rolling=1.0, scored=3)
    found = newest_first(lucky, version(2, rolling=0.9), version(3, rolling=0.9), version(4))

    assert best_of(found) == found[1].id
    assert best_of([lucky]) is None
    assert best_of([]) is None


def test_the_best_error_is_the_smallest():
    """By the first score of the newest version."""
    found = newest_first(*(version(n, rolling=r, score="MAE") for n, r in ((1, 3.0), (2, 2.0))))

    assert best_of(found) == found[0].id


def test_the_window_is_that_of_the_model_file():
    """A full one may be short."""
    short = version(1, rolling=1.0, scored=50, model_file={"scores": {"rolling": 50}})

    assert best_of([short]) == short.id


def test_scores_are_listed_oldest_first_with_all_that_is_known():
    """For a table, a file, a picture."""
    kept = [version(1), version(2)]
    body = scores_view("one", kept, best=kept[1].id)

    assert [(it["version"], it["best"]) for it in body["items"]] == [("v1", False), ("v2", True)]
    assert body["items"][0]["metrics"]["Accuracy"]["majority"] == 0.4
    assert score_columns(body["items"]) == [
        ("Accuracy", "lifetime"), ("Accuracy", "rolling"), ("Accuracy", "majority"),
    ]  # fmt: skip


def test_models_are_compared_where_both_had_read_as_much():
    """The one that is ahead goes back to where the other is."""
    ahead = newest_first(*(version(n, at=at) for n, at in enumerate((100, 900, 1000, 2000), 1)))
    behind = newest_first(*(version(n, line=OTHER, at=at) for n, at in ((1, 400), (2, 1010))))

    pair = nearest_pair(ahead, behind)

    assert (pair.one.number, pair.other.number, pair.apart) == (3, 2, -10)


def test_near_the_end_the_nearest_versions_are_taken():
    """Not those of the beginning, where both had read nothing."""
    one = newest_first(*(version(n, at=at) for n, at in ((1, 0), (2, 950), (3, 990))))
    other = newest_first(
        *(version(n, line=OTHER, at=at) for n, at in ((1, 0), (2, 950), (3, 1000)))
    )

    pair = nearest_pair(one, other)

    assert (pair.one.number, pair.other.number, pair.apart) == (2, 2, 0)


def test_models_of_different_events_are_not_compared():
    """It says which they read."""
    other = version(1, line=OTHER, offsets={"clicks": {"0": 5}}, begins={"clicks": {"0": 0}})

    with pytest.raises(BadCommand, match="one reads events, other clicks; models are compared"):
        nearest_pair([version(1)], [other])


def test_a_comparison_says_which_is_better_and_by_how_much():
    """Of an error the smaller one."""
    metrics = {"MAE": {"lifetime": 2.0, "rolling": 1.0}, "R2": {"lifetime": 0.5, "rolling": None}}
    better = {"MAE": {"lifetime": 1.5, "rolling": 1.0}, "RMSE": {"lifetime": 1.0, "rolling": 1.0}}
    one = version(1, metrics=metrics)
    other = version(1, line=OTHER, metrics=better, begins={"events": {"0": 7}})

    body = compared(nearest_pair([one], [other]))

    assert body["began_alike"] is False
    assert body["metrics"]["MAE"] == {
        "lifetime": {"values": [2.0, 1.5], "difference": 0.5, "better": "other"},
        "rolling": {"values": [1.0, 1.0], "difference": 0.0, "better": None},
    }
    assert body["metrics"]["R2"]["rolling"]["better"] is None
    assert body["metrics"]["RMSE"]["lifetime"]["values"] == [None, 1.0]
