"""What waits: found by its id, bounded in pieces, the same after a restart, whatever was taken."""

import random

import pytest

from learner.join.chunks import ROWS_MAX
from learner.join.pending import Pending, key_of
from learner.join.rows import Waiting


def waiting(n, time=None, x=None):
    return Waiting(
        f"e-{n}", n if time is None else time, x or {"n": float(n)}, None, n % 2 == 0, None
    )


def restored(pending, key=key_of):
    """Through its bytes."""
    if pending.has_unsealed:
        pending.seal()
    other = Pending(key)
    other.restore(pending.state(), pending.segments())
    return other


VALUES = [
    {"a": 1, "b": 1.0, "c": "é", "d": True, "e": None},
    {"nested": {"a": 1, "b": "x"}, "big": 2**70, "small": -(2**64)},
    {},
    "|f a:1 b:2",
    {f"name {n}": n for n in range(300)},
]


ANSWERS = [
    (True, {False: 0.25, True: 0.75}),
    (None, None),
    (7, {7: 1.0}),
    ("UP", {"UP": 0.5, "DOWN": 0.5}),
    (float("inf"), None),
]


@pytest.mark.parametrize("x", VALUES)
@pytest.mark.parametrize("predicted", ANSWERS)
def test_an_event_comes_back_as_it_was(x, predicted):
    """Type by type: 1 is no 1.0 and no True; its features in their order."""
    pending = Pending()
    given = Waiting("é", -1, x, 0.5, *predicted)
    pending.add(given)

    for each in (pending, restored(pending)):
        found = each.pop("é")

        assert found == given
        assert repr(found) == repr(given)
        assert (len(each), each.pop("é")) == (0, None)


def test_any_number_of_layouts_is_kept():
    """The table of names has a bound; beyond it an event keeps its own."""
    pending = Pending()
    for n in range(1500):
        pending.add(waiting(n, x={f"f{n}": n}))

    for each in (restored(pending), pending):
        assert [each.pop(f"e-{n}").x for n in range(1500)] == [{f"f{n}": n} for n in range(1500)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("key", [key_of, lambda text: key_of(text) % 50])
def test_it_is_a_dictionary_in_the_order_of_arrival(seed, key):
    """Against a plain one; also where many ids share a key; restarted now and then."""
    rng, plain, pending = random.Random(seed), {}, Pending(key)
    for n in range(3000):
        what = rng.random()
        if what < 0.5:
            each = waiting(n, time=rng.randrange(10_000))
            plain[each.id] = each
            pending.add(each)
        elif what < 0.9 and plain:
            name = rng.choice(list(plain))
            assert pending.get(name) == plain[name]
            assert pending.pop(name) == plain.pop(name)
        elif what < 0.93 and plain:
            assert pending.pop_first() == plain.pop(next(iter(plain)))
        elif what < 0.96 and plain:
            oldest = min(each.timestamp for each in plain.values())
            assert (pending.oldest_ms, pending.has_before(oldest)) == (oldest, False)
            found = pending.pop_before(oldest + 1)
            assert plain.pop(found.id).timestamp == oldest
        elif what < 0.98:
            pending.seal()
        else:
            pending = restored(pending, key)
        assert len(pending) == len(plain)
    assert "never" not in pending
    assert all(name in pending for name in plain)


def test_what_is_written_stays_in_few_pieces_and_little_is_written_twice():
    """A version every hundred events, labels in any order: the pieces' number and bytes."""
    rng, pending, written, total, most = random.Random(1), Pending(), set(), 0, 0
    ids = []
    for n in range(40_000):
        pending.add(waiting(n))
        ids.append(f"e-{n}")
        if n > 20_000:
            at = rng.randrange(len(ids))
            ids[at], ids[-1] = ids[-1], ids[at]
            pending.pop(ids.pop())
        if n % 100 == 0:
            pending.seal()
            new = pending.segments(written)
            written = set(pending.names)
            total += sum(map(len, new.values()))
            most = max(most, len(written))
    whole = sum(map(len, pending.segments().values()))

    assert len(pending) == len(ids)
    assert most <= 2 * 40_000 / ROWS_MAX + 20
    assert total < 15 * whole
