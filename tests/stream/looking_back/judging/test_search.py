"""Which versions are judged: few, each once, and the break is the one that all would show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.looking_back.judging.change_point import find_break
from stream.looking_back.judging.search import search


def a_row(count, break_at, back_at, seed=0):
    rng = np.random.default_rng(seed)
    return [
        np.clip(rng.normal(0.2 + 0.4 * (break_at <= place < back_at), 0.01, 60), 0, 1)
        for place in range(count)
    ]


class Judge:
    """Hands out losses, and keeps what it was asked."""

    def __init__(self, row, lost=()):
        self._row, self._lost = row, frozenset(lost)
        self.asked = []

    def __call__(self, place):
        self.asked.append(place)
        return None if place in self._lost else self._row[place]


@given(st.integers(2, 200), st.data())
def test_it_finds_the_break_that_all_of_them_show(count, data):
    break_at = data.draw(st.integers(1, count - 1))
    back_at = data.draw(st.integers(break_at + 1, count))
    since = data.draw(st.integers(0, break_at - 1))
    row = a_row(count, break_at, back_at)
    judge = Judge(row)

    done = search(count, since, judge, most=count)

    assert find_break(row, since).bad == break_at
    assert done.places[done.found.bad] == break_at
    assert done.places[done.found.good] == break_at - 1
    assert len(judge.asked) == len(set(judge.asked))


def test_a_break_that_lasts_is_found_with_few():
    judge = Judge(a_row(1000, 777, 1000))

    done = search(1000, 0, judge, most=300)

    assert done.places[done.found.bad] == 777
    assert len(judge.asked) < 80


def test_what_cannot_be_loaded_is_passed_over():
    """The first bad one that can be is named, with the last good one before it."""
    judge = Judge(a_row(20, 10, 20), lost=[9, 10, 11])

    done = search(20, 0, judge, most=20)

    assert (done.places[done.found.good], done.places[done.found.bad]) == (8, 12)


@pytest.mark.parametrize("most", [1, 10, 50])
def test_no_more_are_judged_than_may_be(most):
    judge = Judge(a_row(400, 999, 999))

    assert search(400, 0, judge, most=most).found is None
    assert len(judge.asked) == most
