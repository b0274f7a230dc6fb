"""`weir release`: what the publish gate holds back is served; what other orders make of it."""

import pytest

from checkpoints.operating.operator import Operator
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import committed, granted, history, pointer
from tests.checkpoints.gated import held_back
from tests.checkpoints.operators import LINE, Steady, an_operator, audit, command_line, order, state


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def store(steady) -> MemoryStore:
    return MemoryStore(clock=steady)


@pytest.fixture
def token(store) -> str:
    return granted(store, LINE, lease_s=1000).token


@pytest.fixture
def versions(store, token):
    """v1 to v3, and v4, which is held back for v3."""
    good = history(store, LINE, token, length=3)
    return [*good, held_back(store, LINE, token, good[2], good[2])]


@pytest.fixture
def operator(store, steady) -> Operator:
    return an_operator(store, steady)


def test_a_release_serves_the_head_and_goes_into_the_audit(store, operator, versions):
    """Nothing is learned anew, and no version made."""
    answer = operator.run(LINE, order("release", reason="the season has changed"))

    assert {**answer, "command_id": None} == {
        "command_id": None, "command": "release", "from": "v3", "to": "v4", "version": None,
        "serving": "v4", "forgotten": 0, "replayed": 0, "changed": True, "dry_run": False,
    }  # fmt: skip
    assert state(store).serving == versions[3]
    found = audit(store)[0]
    assert (found.released, found.command.outcome) == (pointer(versions[3]), "done")
    assert found.command.reason == "the season has changed"


def test_the_learner_goes_on_under_its_token(store, token, operator, versions):
    """It is not fenced: it reads what was released with the next order that it obeys."""
    operator.run(LINE, order("release"))

    committed(store, LINE, token, number=5, parent=versions[3])


def test_a_release_of_nothing_changes_nothing(store, operator, token):
    """Nor is anything let through that is held later."""
    versions = history(store, LINE, token, length=3)

    answer = operator.run(LINE, order("release"))

    assert (answer["changed"], answer["to"], answer["serving"]) == (False, None, "v3")
    held_back(store, LINE, token, versions[2], versions[2])
    assert state(store).serving == versions[2]
    assert not audit(store)[0].released


def test_a_dry_run_says_what_is_served(store, operator, versions):
    """And does nothing."""
    answer = operator.run(LINE, order("release", dry_run=True))

    assert (answer["from"], answer["to"], answer["serving"]) == ("v3", "v4", "v3")
    assert state(store).serving == versions[2]


def test_a_second_release_changes_nothing(store, operator, versions):
    """What was let through is held no more."""
    operator.run(LINE, order("release"))

    again = operator.run(LINE, order("release"))

    assert (again["changed"], again["serving"]) == (False, "v4")
    assert audit(store)[0].released == pointer(versions[3])  # a standing order is copied


def test_an_answer_that_is_repeated_is_the_same(operator, versions):
    """Also where what is served was not the head."""
    for name in ("freeze", "release"):
        first = operator.run(LINE, order(name), idempotency_key=name)
        assert operator.run(LINE, order(name), idempotency_key=name) == first
        assert first["serving"] == {"freeze": "v3", "release": "v4"}[name]


def test_every_order_says_what_is_served(store, operator, versions):
    """A pin goes before the gate, an unpin falls back on it, a rollback is let through."""
    assert operator.run(LINE, order("freeze"))["serving"] == "v3"
    assert operator.run(LINE, order("pin", "v4"))["serving"] == "v4"
    unpinned = operator.run(LINE, order("unpin"))
    assert (unpinned["from"], unpinned["serving"]) == ("v4", "v3")
    assert operator.run(LINE, order("tag", tag="good"))["to"] == "v3"

    back = operator.run(LINE, order("rollback", "v4"))

    assert (back["from"], back["serving"]) == ("v4", "v5")
    assert state(store).serving == state(store).head
    assert state(store).held is None


def test_what_is_relearned_may_take_over(store, operator, versions):
    """The head stays until it has caught up; what the gate holds back is let through besides."""
    operator.run(LINE, order("relearn", start="earliest"))
    before = audit(store)[0].rewind

    operator.run(LINE, order("release"))

    found = audit(store)[0]
    assert (before.may_take_over, found.rewind.may_take_over) == (False, True)
    assert (found.rewind.id, found.released) == (before.id, pointer(versions[3]))
    assert operator.run(LINE, order("release"))["changed"] is False


def test_the_command_line_says_it(store, versions):
    """Status and release."""
    run = command_line(store)
    _, status = run("status", "phishing")
    assert "v4, by rolling Accuracy: 0.5, the best of late 0.9, margin 0.05" in status

    done = run("release", "phishing", "--reason", "the labels were right")
    again = run("release", "phishing", "--reason", "the labels were right")

    assert done == (0, "phishing: release in force; serving v4\n")
    assert again == (0, "phishing: nothing is held: nothing changed; serving v4\n")
    assert "held" not in run("status", "phishing")[1]
