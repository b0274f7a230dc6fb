"""The command line on a line with damage: it lists, it names, it mends."""

import json

import pytest

from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import (
    a_control,
    committed,
    damage,
    damage_segment,
    granted,
    history,
    point_control,
    point_head,
)
from tests.checkpoints.operators import LINE, command_line

MODEL = LINE.model


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def versions(store):
    return history(store, LINE, granted(store, LINE).token, length=5)


@pytest.fixture
def weir(store):
    return command_line(store)


def test_verify_reports_every_bad_version(weir, store, versions):
    """Manifest or payload, head or not; exit 6."""
    assert weir("verify", MODEL, "--json") == (0, '{"verified": 5, "problems": {}}\n')
    damage(store, versions[4])
    damage(store, versions[0], b"")
    damage_segment(store, versions[2], "model")

    code, said = weir("verify", MODEL, "--json")
    body = json.loads(said)
    assert (code, body["verified"]) == (6, 2)
    assert list(body["problems"]) == ["v5", "v3", "v1"]

    code, said = weir("verify", MODEL)
    assert code == 6
    assert [line.partition(":")[0] for line in said.splitlines()[:-1]] == ["v5", "v3", "v1"]
    assert said.splitlines()[-1] == "2 of 5 versions verify"


def test_verify_looks_at_one_version_alone(weir, store, versions):
    """A sound one verifies whatever else is damaged."""
    damage(store, versions[4])

    assert weir("verify", MODEL, "v3")[0] == 0
    code, said = weir("verify", MODEL, "v5", "--json")
    assert (code, list(json.loads(said)["problems"])) == (6, ["v5"])
    assert weir("verify", MODEL, "v9")[0] == 3


def test_verify_checks_the_chain_of_parents(weir, store, versions):
    """Two branches, both signed: a store has lost commits, or was put back."""
    store._books(LINE).head = versions[3].id
    committed(store, LINE, granted(store, LINE).token, number=6, parent=versions[3])

    code, said = weir("verify", MODEL, "--json")

    assert code == 6
    assert json.loads(said)["problems"] == {"v6": "its parent is v4, and v5 stands between them"}


def test_verify_names_a_head_and_an_order_that_were_put_back(weir, store, versions):
    """All versions are whole, and the line is not."""
    control = a_control(LINE, command="freeze", frozen=True, last_version=5)
    store.command(LINE, control=control)
    point_head(store, versions[2])
    assert list(json.loads(weir("verify", MODEL, "--json")[1])["problems"]) == ["head"]
    point_head(store, versions[4])
    point_control(store, LINE, None)

    code, said = weir("verify", MODEL, "--json")

    assert (code, list(json.loads(said)["problems"])) == (6, ["control"])


def test_a_rollback_of_a_damaged_head_leaves_a_chain_that_verifies(weir, store, versions):
    """But for the damaged one."""
    damage(store, versions[4])
    code, said = weir("rollback", MODEL, "v3", "--mode", "forget", "--reason", "it is damaged")

    assert code == 0
    assert "v5 cannot be read" in said
    assert "the place in the log is that of v4" in said
    assert "to undo it" not in said
    assert list(json.loads(weir("verify", MODEL, "--json")[1])["problems"]) == ["v5"]


def test_versions_lists_the_others_and_names_the_damaged(weir, store, versions):
    """The head too; exit 0, for the list is what was asked for."""
    damage(store, versions[4])
    damage(store, versions[1], b"")

    code, said = weir("versions", MODEL, "--json")
    body = json.loads(said)
    assert code == 0
    assert [item["version"] for item in body["items"]] == ["v4", "v3", "v1"]
    assert [each["version"] for each in body["damaged"]] == ["v5", "v2"]
    assert body["next"] is None

    code, said = weir("versions", MODEL, "--limit", "2", "--json")
    body = json.loads(said)
    assert ([item["version"] for item in body["items"]], body["next"]) == (["v4"], "4")

    code, said = weir("versions", MODEL)
    assert code == 0
    assert "v2 is damaged: " in said
    assert weir("show", MODEL, "v3")[0] == weir("audit", MODEL)[0] == 0
    assert weir("versions", "another")[0] == 3
