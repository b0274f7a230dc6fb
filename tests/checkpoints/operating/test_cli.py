"""What operators read of their orders."""

import json
import re
import time

import pytest

from checkpoints.reading.views import timestamp
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import committed, granted, history
from tests.checkpoints.operators import LINE, command_line, state

MODEL = LINE.model
WHY = ("--reason", "because")
BACK = ("rollback", MODEL, "v3", "--mode", "forget", *WHY)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    history(store, LINE, granted(store, LINE).token, length=5)
    return store


@pytest.fixture
def weir(store):
    return command_line(store)


SINCE = "2023-11-14T22:13:20"


def test_a_rollback_says_that_it_removes_the_pin(weir):
    """So does its dry run; the way back names the pin too."""
    weir("pin", MODEL, "v1", *WHY)

    assert weir(*BACK, "--dry-run")[1].splitlines() == [
        "phishing: nothing was done; v1 is serving",
        "v3 would be the head; 20 learned events would be forgotten",
        "the pin of v1 would be removed",
        f"2 versions and 20 records lie between, {SINCE}.003Z to {SINCE}.005Z",
        "Accuracy: 0.5 then, 0.5 now",
    ]
    assert weir(*BACK)[1].splitlines() == [
        "phishing: rollback in force; serving v6",
        "v3 is the head as v6; 20 learned events forgotten",
        "the pin of v1 is removed",
        "to undo it: weir rollback phishing v5 --mode forget --reason …",
        "then: weir pin phishing v1 --reason …",
    ]
    assert "forgot 20; removed the pin of v1" in weir("audit", MODEL)[1]
    assert "pin of" not in weir(*BACK)[1]


def test_a_tag_is_told_by_its_name(weir):
    """Where it is now and where it was; in the audit as well."""
    tag = ("tag", MODEL, "v1", "--tag", "stable", *WHY)
    moved = ("tag", MODEL, "v2", "--tag", "stable", *WHY)

    assert weir(*tag)[1] == "phishing: tag in force; stable is now v1; serving v5\n"
    assert weir(*moved, "--dry-run")[1].splitlines()[1:] == ["stable would be v2 (is v1)"]
    assert weir(*moved)[1] == "phishing: tag in force; stable is now v2 (was v1); serving v5\n"
    assert json.loads(weir(*tag, "--json")[1])["tag"] == "stable"
    assert weir("audit", MODEL)[1].count("stable") == 3
    assert json.loads(weir("audit", MODEL, "--json")[1])["items"][0]["tag"] == "stable"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("unpin", MODEL), "it was not pinned"),
        (("thaw", MODEL), "it was not frozen"),
        (("freeze", MODEL), "it is frozen already"),
        (("pin", MODEL, "v2"), "v2 is pinned already"),
        (("tag", MODEL, "v2", "--tag", "good"), "good is v2 already"),
    ],
)
def test_an_order_that_stood_already_is_told_so(weir, words, said):
    """With and without a dry run; and the audit has it."""
    if not said.startswith("it was"):
        weir(*words, *WHY)

    dry = weir(*words, *WHY, "--dry-run")[1].splitlines()
    assert dry[1:] == [f"{said}: nothing would change"]
    assert weir(*words, *WHY)[1].startswith(f"phishing: {said}: nothing changed; serving v")
    assert "nothing changed" in weir("audit", MODEL)[1]
    assert json.loads(weir(*words, *WHY, "--json")[1])["changed"] is False


@pytest.mark.parametrize(
    "words",
    [("status", "phishin"), ("verify", "phishin"), ("unpin", "phishin", *WHY),
     ("rollback", "phishin", "v1", "--mode", "forget", *WHY)],
)  # fmt: skip
def test_a_model_that_is_not_there_is_told_with_those_that_are(weir, store, words):
    """The nearest first, at most five; exit 3."""
    for name in "abcdef":
        other = Line(f"other-{name}")
        committed(store, other, granted(store, other).token, number=1)

    code, said = weir(*words)

    assert code == 3
    assert said.startswith(
        "weir: phishin: this store holds no version of it; it holds phishing, other-"
    )
    assert " and 2 more; a new model is begun by `weir dev --model FILE`" in said


def test_a_model_whose_learner_failed_before_its_first_version_is_told_so():
    """The model file is there, and so is its learner: neither has to be begun."""
    store = MemoryStore()
    beat = {"state": "failed", "last_error": "shop:build cannot be imported", "at_ms": 0}
    store.beat(Line(MODEL), role="learner", name="h", payload=beat, ttl_s=9.0)
    for words in (("status", MODEL), ("versions", MODEL), ("pin", MODEL, "v1", *WHY)):
        code, said = command_line(store)(*words)

        assert code == 3
        assert said.strip() == (
            f"weir: {MODEL}: this store holds no version of it; its learner has failed, and will "
            "not begin again: shop:build cannot be imported"
        )


def test_a_store_without_any_model_is_told_so():
    """Then it is more likely to be the wrong store."""
    code, said = command_line(MemoryStore())("status", MODEL)

    assert code == 3
    assert "it holds no model at all: check WEIR_REDIS__URL, or --data-dir" in said


@pytest.mark.parametrize(
    "words",
    [("show", MODEL, "stabel"), ("pin", MODEL, "stabel", *WHY), ("verify", MODEL, "stabel")],
)
def test_a_tag_that_is_not_there_is_told_with_those_that_are(weir, words):
    """The nearest first, and the pin; exit 3."""
    code, said = weir(*words)
    assert (code, "no version has the tag 'stabel'; there are no tags;" in said) == (3, True)

    for version, name in (("v1", "best"), ("v2", "stable")):
        weir("tag", MODEL, version, "--tag", name, *WHY)
    weir("pin", MODEL, "v4", *WHY)

    assert "the tags are stable (v2), best (v1); v4 is pinned;" in weir(*words)[1]


@pytest.mark.parametrize("name", ["17", "v0", "a b"])
def test_what_is_neither_a_version_nor_a_tag_is_a_usage_error(weir, name):
    """Exit 2."""
    code, said = weir("show", MODEL, name)

    assert code == 2
    assert "write v and its number, as in v17" in said


def test_status_has_each_score_beside_its_baselines(store, weir):
    """A mean of numbers or a majority of classes; a score that has none stands alone."""
    metrics = {
        "Accuracy": {"lifetime": 0.8373, "no_change": 0.85330, "majority": 0.5, "low": 0.8},
        "MAE": {"lifetime": 2.5, "no_change": None, "mean": 3.25},
        "LogLoss": {"lifetime": 0.25, "no_change": None, "majority": None},
        "ROCAUC": {"lifetime": None, "no_change": None, "majority": None},
    }
    token, parent = granted(store, LINE).token, state(store).head
    committed(store, LINE, token, number=6, parent=parent, metrics=metrics)

    said = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in weir("status", MODEL)[1].splitlines()
    }

    assert said["Accuracy"] == "0.8373  (no_change 0.8533, majority 0.5)"
    assert said["MAE"] == "2.5  (mean 3.25)"
    assert (said["LogLoss"], said["ROCAUC"]) == ("0.25", "-")


def test_status_says_why_events_were_refused(store, weir):
    """The commonest reason first; and how many predictions were NaN or infinite."""
    assert "refused     0\n" in weir("status", MODEL)[1]
    reasons = {"not_json": 3, "bad_label": 1202}
    counts = Counts(refused=1205, refused_by=reasons, learned=9, nonfinite=7)
    token, parent = granted(store, LINE).token, state(store).head
    committed(store, LINE, token, number=6, parent=parent, counts=counts)

    said = weir("status", MODEL)[1]
    assert "refused     1205 (bad_label 1,202, not_json 3)\n" in said
    assert "not finite  7\n" in said


def test_a_model_is_removed_with_a_reason_once_nobody_learns_it(store, weir):
    """What will be gone is said before; what stays in Kafka, too."""
    held = weir("remove", MODEL, *WHY)
    assert held[0] == 4
    assert "held by learner host-1" in held[1]
    store.release(LINE, holder="host-1", token=granted(store, LINE).token)
    assert weir("remove", MODEL)[0] == 2

    dry = weir("remove", MODEL, *WHY, "--dry-run")[1]
    assert dry.startswith("would be removed: 5 versions of phishing, ")
    assert "topics and dead letters in Kafka stay" in dry
    assert state(store).head is not None

    said = json.loads(weir("remove", MODEL, *WHY, "--json")[1])
    assert (said["versions"], said["head"], said["dry_run"]) == (5, "v5", False)
    assert "kafka_group" in said
    assert state(store).head is None
    assert weir("status", MODEL)[0] == weir("remove", MODEL, *WHY)[0] == 3


def test_a_model_is_not_removed_without_a_reason_that_says_anything(store, weir):
    """It is all that is kept of the model."""
    store.release(LINE, holder="host-1", token=granted(store, LINE).token)

    assert weir("remove", MODEL, "--reason", " ")[0] == 2
    assert state(store).head is not None


def test_what_served_at_a_time_is_shown_with_the_order(weir):
    """By the body of the route; the versions of the tests are of 2023, a pin stands now."""
    weir("pin", MODEL, "v2", *WHY)

    body = json.loads(weir("show", MODEL, "--at", "2023-11-14T22:13:20.004Z", "--json")[1])
    code, said = weir("show", MODEL, "--at", timestamp(time.time_ns() // 1_000_000))

    assert (body["version"], body["kept"], body["pinned"]) == ("v4", True, False)
    assert [each["version"] for each in body["items"]] == ["v4"]
    assert code == 0
    assert "v2 was pinned" in said
    assert "pin v2 by ann" in said
    assert "because" in said
    assert re.search(r"^kept +yes$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--at", "2100-01-01T00:00:00Z"), "is still to come; name a time in the past"),
        ((), "show needs one of the two"),
        (("v1", "--at", "2023-11-14T22:13:20Z"), "show needs one of the two"),
        (("--at", "2023-11-14"), "has no time zone"),
        (("--at", "yesterday"), "is no time"),
        (("--at", "0001-01-01T00:00:00Z"), "is no time of the years 1970 to 9999"),
    ],
)
def test_show_takes_a_version_or_a_time(weir, words, told):
    """A usage error else."""
    code, said = weir("show", MODEL, *words)

    assert code == 2
    assert told in said
