"""A head that the publish gate holds back: what is served, what is shown, what goes before it."""

import pytest

from checkpoints.errors import NoSuchVersion
from checkpoints.reading.reader import LineReader
from checkpoints.reading.views import model_view
from checkpoints.records.gate import HeldBack
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import (
    VERIFIER,
    a_control,
    committed,
    damage,
    granted,
    history,
    pointer,
)
from tests.checkpoints.gated import SINCE_MS, held_back, held_for
from tests.checkpoints.operators import LINE


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def token(store) -> str:
    return granted(store, LINE).token


@pytest.fixture
def versions(store, token):
    """v1 to v3, and v4, which is held back for v3."""
    good = history(store, LINE, token, length=3)
    return [*good, held_back(store, LINE, token, good[2], good[2])]


@pytest.fixture
def reader(store) -> LineReader:
    return LineReader(store, VERIFIER, LINE)


def ordered(store, control) -> None:
    assert store.command(LINE, control=control).outcome.stands


def test_the_last_good_version_is_served_until_one_is_let_through(store, token, reader, versions):
    """By its id; the head is the head all the same."""
    state = reader.checked()
    assert (state.head, state.serving) == (versions[3], versions[2])
    assert state.held == HeldBack(good=pointer(versions[2]), since_ms=SINCE_MS)

    still = held_back(store, LINE, token, versions[3], versions[2])
    assert reader.checked().serving == versions[2]

    within = committed(store, LINE, token, number=6, parent=still)
    assert reader.checked().serving == within
    assert reader.checked().held is None


def test_a_pin_goes_before_the_gate(store, reader, versions):
    """Also of the head itself."""
    pin = a_control(LINE, command="pin", pin=pointer(versions[3]), to="v4")
    ordered(store, pin)
    assert reader.checked().serving == versions[3]

    ordered(store, a_control(LINE, pin, command="unpin", pin=None))
    assert reader.checked().serving == versions[2]


def test_what_is_released_is_served_and_what_is_held_for_it_is_not(store, token, reader, versions):
    """A release voids what stands, and not what comes to be held later."""
    ordered(store, a_control(LINE, command="release", released=pointer(versions[3])))
    assert (reader.checked().serving, reader.checked().held) == (versions[3], None)

    unaware = held_back(store, LINE, token, versions[3], versions[2])
    assert reader.checked().serving == unaware

    held_back(store, LINE, token, unaware, unaware)
    assert reader.checked().serving == unaware


def test_a_good_version_that_cannot_be_read_leaves_what_was_served(store, token, reader, versions):
    """And is told; a reader that begins has nothing to serve."""
    assert reader.checked().serving == versions[2]
    damage(store, versions[2], b"")
    held_back(store, LINE, token, versions[3], versions[2])

    assert reader.state().serving == versions[2]
    begun = LineReader(store, VERIFIER, LINE).state()
    assert begun.serving is None
    assert isinstance(begun.pin_problem, NoSuchVersion)


def test_the_view_says_what_holds_it_and_by_which_values(reader, versions):
    """Null where nothing does."""
    body = model_view(reader.checked(), now_ms=0)

    assert (body["version"], body["serving"]) == ("v4", "v3")
    assert body["held"] == {
        "version": "v4", "good": "v3", "score": "Accuracy", "value": 0.5, "best": 0.9,
        "margin": 0.05, "since": "2023-11-14T22:13:20.000Z",
    }  # fmt: skip
    assert held_for(versions[2]).held == reader.checked().held


def test_the_view_of_a_head_that_is_served_holds_nothing(store, token):
    """As of every model without a gate."""
    history(store, LINE, token, length=2)

    assert model_view(LineReader(store, VERIFIER, LINE).checked(), now_ms=0)["held"] is None
