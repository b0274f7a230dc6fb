"""A command returns when those who are alive obey it, and says who does not."""

import pytest

from checkpoints.errors import NotInForce, StoreUnavailable
from checkpoints.operating.operator import Operator
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.presence import BEAT_TTL_S
from tests.checkpoints.builders import granted, history
from tests.checkpoints.operators import LINE, NOW_MS, Steady, an_operator, order, state


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


def beat(store, role: str, seq: int, *, doing: str = "learning", at_ms: int = NOW_MS) -> None:
    payload = {"state": doing, "control_seq": seq, "at_ms": at_ms}
    store.beat(LINE, role=role, name="one", payload=payload, ttl_s=BEAT_TTL_S)


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


class CannotFence(MemoryStore):
    """A store that goes away in the middle of a command."""

    def fence(self, line, *, by):
        raise StoreUnavailable("redis://nowhere", doing="fence", cause="it is away")


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
    """Its heartbeat runs out while the order still waits."""
    beat(store, "api", 0)

    operator.run(LINE, order("pin", "v2"))

    assert BEAT_TTL_S - 0.1 < steady.now_s < BEAT_TTL_S + 0.2


def test_one_that_stands_still_for_a_while_is_waited_for(store, steady, operator, versions):
    """Silent for longer than a beat or two, it is not taken for dead."""
    beat(store, "api", 0)

    def wake() -> None:
        if steady.now_s > 6.0:
            beat(store, "api", int(steady.now_s > 6.5))

    steady.meanwhile = wake
    operator.run(LINE, order("pin", "v2"))

    assert 6.5 < steady.now_s < 6.6


def test_who_is_waited_for_is_told_and_since_when_it_is_silent(store, steady, versions):
    """Once it takes longer than usual; the time is that of its newest beat."""
    told = []
    beat(store, "api", 0, at_ms=NOW_MS - 4000)

    an_operator(store, steady, on_wait=told.append).run(LINE, order("pin", "v2"))

    assert told == ["phishing: waiting for api one (silent since 2023-11-14T22:13:16.000Z)"]


def token_count(store) -> int:
    return int(granted(store, LINE).token.partition(":")[0])


def test_a_freeze_that_no_learner_says_to_obey_fences_the_line(store, operator, versions):
    """A learner that seemed dead may wake: what it commits then is refused."""
    before = token_count(store)
    operator.run(LINE, order("freeze"), idempotency_key="k")
    assert token_count(store) == before + 2

    operator.run(LINE, order("thaw"))
    operator.run(LINE, order("pin", "v2"))
    assert token_count(store) == before + 3


def test_a_freeze_that_the_learner_obeys_fences_nobody(store, steady, operator, versions):
    before = token_count(store)
    beat(store, "learner", 0)
    steady.meanwhile = lambda: beat(store, "learner", 1)

    operator.run(LINE, order("freeze"))

    assert token_count(store) == before + 1


def test_a_freeze_that_cannot_fence_is_not_in_force(steady):
    """Exit 5, and it holds: the one that seems dead will obey when it looks."""
    store = CannotFence(clock=steady)
    history(store, LINE, granted(store, LINE).token, length=1)

    with pytest.raises(NotInForce, match="the store"):
        an_operator(store, steady).run(LINE, order("freeze"))
    assert state(store).is_frozen


def test_one_that_lives_and_does_not_obey_is_told(store, steady, operator, versions):
    """Exit 5: it is ordered, and who does not follow is named."""
    steady.meanwhile = lambda: beat(store, "learner", 0)
    beat(store, "learner", 0)

    with pytest.raises(NotInForce, match=r"freeze is ordered.*learner one") as refusal:
        operator.run(LINE, order("freeze"))
    assert refusal.value.exit_code == 5
    assert state(store).is_frozen
