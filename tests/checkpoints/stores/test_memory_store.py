"""The in-memory store keeps the contract; what only a settable clock can show."""

from __future__ import annotations

import pytest

from checkpoints.records.line import Line
from checkpoints.stores.heads import REPEATS_S, Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.presence import BEAT_SHOWN_S, BEAT_TTL_S
from checkpoints.stores.records import ORPHAN_S
from tests.checkpoints.builders import a_control, a_version, granted, put
from tests.checkpoints.stores.store_contract import NOTHING, StoreContract


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
def line() -> Line:
    return Line("phishing")


class TestMemoryStore(StoreContract):
    """Every test of the contract."""


def test_a_lease_that_ran_out_is_free(store: MemoryStore, line: Line, clock: Clock) -> None:
    granted(store, line, holder="first", lease_s=5)
    clock.now_s += 5
    granted(store, line, holder="second")


def test_an_orphan_segment_goes_away(store: MemoryStore, line: Line, clock: Clock) -> None:
    token = granted(store, line).token
    put(store, line, b"weights")
    clock.now_s += ORPHAN_S
    assert store.commit(line, token=token, version=a_version(line)) is Outcome.TORN


def test_a_segment_put_again_lives_longer(store: MemoryStore, line: Line, clock: Clock) -> None:
    token = granted(store, line).token
    put(store, line, b"weights")
    clock.now_s += ORPHAN_S - 1
    put(store, line, b"weights")
    clock.now_s += ORPHAN_S - 1
    assert store.commit(line, token=token, version=a_version(line)) is Outcome.OK


def test_a_beat_ends(store: MemoryStore, line: Line, clock: Clock) -> None:
    store.beat(line, role="learner", name="a", payload={}, ttl_s=2, serving="a" * 64)
    clock.now_s += 2
    assert store.poll([line])[line] == NOTHING
    assert (store.beats(line, "learner"), store.in_use(line)) == ({}, frozenset())


def test_a_silent_learner_is_not_shown_and_still_waited_for(
    store: MemoryStore, line: Line, clock: Clock
) -> None:
    store.beat(line, role="learner", name="a", payload={"n": 1}, ttl_s=BEAT_TTL_S)
    clock.now_s += BEAT_SHOWN_S
    assert store.poll([line])[line] == NOTHING
    assert store.beats(line, "learner") == {"a": {"n": 1}}


def test_an_idempotency_key_is_forgotten_after_a_day(
    store: MemoryStore, line: Line, clock: Clock
) -> None:
    first = a_control(line)
    store.command(line, control=first, idempotency_key="key")
    clock.now_s += REPEATS_S
    again = a_control(line, first)
    assert store.command(line, control=again, idempotency_key="key").outcome is Outcome.OK
