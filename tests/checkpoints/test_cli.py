"""What operators read of their orders."""

import json

import pytest

from checkpoints.memory_store import MemoryStore
from tests.checkpoints.builders import granted, history
from tests.checkpoints.operators import LINE, command_line

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


def test_a_rollback_says_that_it_removes_the_pin(weir):
    """So does its dry run; the way back names the pin too."""
    weir("pin", MODEL, "v1", *WHY)

    assert weir(*BACK, "--dry-run")[1].splitlines() == [
        "phishing: nothing was done; v1 is serving",
        "v3 would be the head; 20 learned events would be forgotten",
        "the pin of v1 would be removed",
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
