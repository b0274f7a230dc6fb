"""The bodies hold what docs/reference/http.md names, from signed records alone."""

import json

import pytest

from checkpoints.errors import BadCommand, NotFound
from checkpoints.reading import views
from checkpoints.reading.reader import LineState
from checkpoints.records.calibration import calibration_of
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts
from tests.checkpoints.builders import a_control, a_version, pointer

LINE = Line("phishing")
NOW_MS = 1_700_000_060_000
COUNTS = Counts(learned=5, scored=4, refused=2, unscored=1, skipped=3, refused_by={"bad_label": 2})
HEAD = a_version(
    LINE,
    number=17,
    created_at_ms=NOW_MS - 1500,
    counts=COUNTS,
    metrics={"Accuracy": {"lifetime": 0.75, "rolling": float("nan"), "fading": None}},
    drift_total=2,
    model_file={"task": "binary", "name": "phishing"},
)
OLD = a_version(LINE, number=3, created_at_ms=NOW_MS - 60_000)


def state(*, learner=None, serving=HEAD, **orders) -> LineState:
    control = a_control(LINE, **orders) if orders else None
    return LineState(head=HEAD, control=control, serving=serving, learner=learner)


def beat(doing: str = "learning", *, age_ms: int = 100) -> dict[str, object]:
    return {"state": doing, "lag": 12, "at_ms": NOW_MS - age_ms, "control_seq": 0}


def model(found: LineState):
    body = views.model_view(found, now_ms=NOW_MS)
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    return body


def test_the_model_view_is_one_manifest():
    """All that the contract names, and the numbers of the head."""
    body = model(state(learner=beat()))

    assert {
        "name": "phishing",
        "task": "binary",
        "state": "learning",
        "version": "v17",
        "serving": "v17",
        "learned": 5,
        "scored": 4,
        "refused": 2,
        "metrics": {"Accuracy": 0.75},
        "offsets": {"events": {"0": 170}},
        "lag": 12,
        "skipped": 3,
        "forgotten": 0,
        "pending": 0,
        "labels": 0,
        "refused_by": {"bad_label": 2},
        "frozen": False,
        "pinned": None,
        "age_seconds": 1.5,
        "created_at": "2023-11-14T22:14:18.500Z",
        "drifts": 2,
    }.items() <= body.items()


def test_serving_is_what_answers_and_its_age_is_told():
    """Pinned, the head's numbers stay and the age is the pinned version's."""
    body = model(state(serving=OLD, command="pin", pin=pointer(OLD), tags={"good": pointer(OLD)}))

    assert (body["version"], body["serving"], body["pinned"]) == ("v17", "v3", "v3")
    assert (body["age_seconds"], body["tags"]) == (60.0, {"good": "v3"})
    assert views.model_view(state(), now_ms=NOW_MS, serving=OLD)["serving"] == "v3"
    assert model(state(serving=None))["serving"] is None


@pytest.mark.parametrize(
    ("learner", "orders", "told"),
    [
        (None, {}, "stopped"),
        (beat("learning"), {}, "learning"),
        (beat("idle", age_ms=5001), {}, "stopped"),
        (beat("idle", age_ms=-300), {}, "idle"),  # its clock is ahead of ours
        (beat("learning"), {"command": "freeze", "frozen": True}, "frozen"),
        (beat("frozen"), {"command": "freeze", "frozen": True}, "frozen"),
        (beat("failed"), {"command": "freeze", "frozen": True}, "failed"),
        (beat("starting"), {"command": "freeze", "frozen": True}, "starting"),
        (None, {"command": "freeze", "frozen": True}, "stopped"),
        ({"state": "idle"}, {}, "stopped"),
        ({"state": "idle", "at_ms": "soon"}, {}, "stopped"),
    ],
)
def test_the_state_is_the_live_learners(learner, orders, told):
    """Nothing heard for five seconds is stopped; frozen is said of a live one only."""
    assert views.learner_state(state(learner=learner, **orders), now_ms=NOW_MS) == told


def test_lag_is_unknown_without_a_learner():
    """Null, not the last thing that was heard."""
    assert model(state())["lag"] is None
    assert model(state(learner=beat(age_ms=6000)))["lag"] is None


def test_the_last_error_is_told_while_the_learner_lives():
    """Of a heartbeat nothing is sure: what is no text is left out."""
    failing = {**beat("failing"), "last_error": "no memory"}

    assert model(state(learner=failing))["state"] == "failing"
    assert model(state(learner=failing))["last_error"] == "no memory"
    assert model(state(learner={**failing, "last_error": 7}))["last_error"] is None
    assert model(state())["last_error"] is None


def test_metrics_have_three_windows_each():
    """NaN is null."""
    assert views.metrics_view(HEAD.manifest) == {
        "Accuracy": {"lifetime": 0.75, "rolling": None, "fading": None}
    }


def test_metrics_have_their_baselines_and_interval_beside_them():
    values = {"lifetime": 0.75, "no_change": 0.5, "majority": None, "low": 0.5, "high": 1.0}
    manifest = a_version(LINE, number=1, metrics={"Accuracy": values}).manifest

    assert views.metrics_view(manifest) == {"Accuracy": {**values, "rolling": None, "fading": None}}


def test_a_version_without_calibration_says_how_to_have_one():
    with pytest.raises(NotFound, match="list ECE or Brier under `metrics:`"):
        views.calibration_view(HEAD.manifest)


def test_calibration_is_the_manifests():
    bins = [{"from": 0.0, "to": 0.1, "count": 2, "predicted": 0.05, "observed": None}]
    found = {"bins": bins, "ece": 0.01, "brier": 0.2}
    manifest = a_version(LINE, number=1, calibration=calibration_of(found)).manifest

    assert views.calibration_view(manifest) == found


def test_a_version_says_whether_it_is_used():
    """Tags, pin and what is served come from the orders and the caller."""
    control = a_control(LINE, command="tag", pin=pointer(OLD), tags={"good": pointer(HEAD)})

    item = views.version_item(HEAD, control=control, serving={OLD.id})
    old = views.version_item(OLD, control=control, serving={OLD.id})

    assert (item["tags"], item["pinned"], item["serving"]) == (["good"], False, False)
    assert (old["tags"], old["pinned"], old["serving"]) == ([], True, True)
    assert set(item) == {
        "version", "id", "parent", "kind", "created_at", "learned", "scored", "refused",
        "metrics", "offsets", "bytes", "tags", "pinned", "serving", "kept",
    }  # fmt: skip
    assert item["version"] == "v17"
    assert item["kind"] == "commit"


def test_one_version_comes_with_its_manifest():
    """As it was signed."""
    body = views.version_view(HEAD, control=None)

    assert body["manifest"]["counts"]["learned"] == body["learned"] == 5
    assert json.loads(json.loads(HEAD.envelope)["body"]) == body["manifest"]


def test_an_audit_item_says_who_did_what_and_why():
    """From the signed record."""
    control = a_control(LINE, command="pin", to="v3", pin=pointer(OLD))

    assert views.audit_item(control) == {
        "id": control.record.command.id,
        "at": "2023-11-14T22:13:20.001Z",
        "who": "ann",
        "command": "pin",
        "reason": "because",
        "from": None,
        "to": "v3",
        "mode": None,
        "tag": None,
        "version": None,
        "outcome": "done",
    }


def test_drifts_page_by_page_while_new_ones_arrive():
    """The cursor counts from the first detection, so a page never repeats or misses one."""
    items = [{"index": n} for n in range(30, 0, -1)]
    first = views.drifts_view(segment(30, items), limit=10)
    later = segment(31, [{"index": 99}, *items])

    seen, cursor = list(first["items"]), first["next"]
    while cursor:
        following = views.drifts_view(later, limit=10, before=views.page_start(cursor))
        seen, cursor = seen + following["items"], following["next"]

    assert seen == items
    assert first["total"] == 30


def segment(total: int, items: list[dict[str, int]]) -> bytes:
    return json.dumps({"total": total, "items": items}).encode()


def test_a_page_says_where_the_next_begins():
    """Ask for one more than the limit: it tells whether there is a next page."""
    body = views.page([5, 4, 3], limit=2, view=str, place=int)

    assert body == {"items": ["5", "4"], "next": "4"}
    assert views.page([3], limit=2, view=str, place=int) == {"items": ["3"], "next": None}
    assert views.page([], limit=2, view=str, place=int) == {"items": [], "next": None}


@pytest.mark.parametrize("text", ["0", "-1", "1001", "x", "", "1e3", "٣", "9" * 30, "1.0"])
def test_a_limit_is_from_1_to_1000(text):
    """Anything else is the caller's mistake."""
    with pytest.raises(BadCommand, match="from 1 to 1000"):
        views.page_limit(text)


@pytest.mark.parametrize("cursor", ["", "abc", "-5", "0"])
def test_a_cursor_is_one_of_ours(cursor):
    """Opaque, but not anything."""
    with pytest.raises(BadCommand, match="cursor"):
        views.page_start(cursor)
