"""A command returns when those who are alive obey it, and says who does not."""

import pytest

from checkpoints.commands import Operator
from checkpoints.errors import NotInForce
from checkpoints.memory_store import MemoryStore
from tests.checkpoints.builders import granted, history
from tests.checkpoints.operators import LINE, Steady, an_operator, order, state


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def store(steady) -> MemoryStore:
    return MemoryStore(clock=steady)


@pytest.fixture
def versions(store):
    """v1 to v5; the learner that made them holds the line."""
    return history(store, LINE, granted(store, LINE).token, length=5)


@pytest.fixture
def operator(store, steady) -> Operator:
    return an_operator(store, steady)


def beat(store, role: str, seq: int, *, doing: str = "learning") -> None:
    payload = {"state": doing, "control_seq": seq}
    store.beat(LINE, role=role, name="one", payload=payload, ttl_s=3)


@pytest.mark.parametrize("command", ["freeze", "thaw"])
def test_freeze_and_thaw_wait_for_the_live_learner(store, steady, operator, versions, command):
    """It returns when the learner says that it obeys, not before."""
    beat(store, "learner", 0)

    def meanwhile() -> None:
        beat(store, "learner", 1 if steady.now_s > 0.5 else 0)

    steady.meanwhile = meanwhile
    operator.run(LINE, order(command))

    assert 0.5 < steady.now_s < 0.6


def test_every_command_waits_for_live_api_processes(store, steady, operator, versions):
    """When it returns, the next prediction follows it."""
    beat(store, "api", 0)
    beat(store, "learner", 0)  # a pin needs no learner
    steady.meanwhile = lambda: beat(store, "api", int(steady.now_s > 0.2))

    operator.run(LINE, order("pin", "v2"))

    assert 0.2 < steady.now_s < 0.3


def test_nobody_alive_holds_nothing_up(store, steady, operator, versions):
    """The orders stand in the store; whoever starts will obey."""
    operator.run(LINE, order("freeze"))
    operator.run(LINE, order("pin", "v2"))

    assert steady.now_s == 0


@pytest.mark.parametrize("payload", [{"control_seq": "soon"}, {"state": "failed"}, {"state": 3}])
def test_a_beat_that_says_nonsense_or_failure(store, steady, operator, versions, payload):
    """Beats are unsigned; a failed learner does nothing, so nothing is waited for but real lag."""
    store.beat(LINE, role="learner", name="one", payload=payload, ttl_s=100)
    if payload.get("state") == 3:
        with pytest.raises(NotInForce):
            operator.run(LINE, order("freeze"))
    else:
        operator.run(LINE, order("freeze"))


def test_one_that_dies_while_waited_for_is_waited_for_no_longer(store, steady, operator, versions):
    """Its heartbeat runs out after three seconds."""
    beat(store, "api", 0)

    operator.run(LINE, order("pin", "v2"))

    assert 2.9 < steady.now_s < 3.2


def test_one_that_lives_and_does_not_obey_is_told(store, steady, operator, versions):
    """Exit 5: it is ordered, and who does not follow is named."""
    steady.meanwhile = lambda: beat(store, "learner", 0)
    beat(store, "learner", 0)

    with pytest.raises(NotInForce, match=r"freeze is ordered.*learner one") as refusal:
        operator.run(LINE, order("freeze"))
    assert refusal.value.exit_code == 5
    assert state(store).is_frozen
