"""Which workers a crew forks and retires, by the rules alone."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.processes.generations import Asked, Generations

DOINGS = ("commit", "order", "answer", "die", "wait")


@dataclass(eq=False)
class Hand:
    """A worker that exists on paper."""

    generation: int
    answers: bool = False
    is_retired: bool = False


class Crew:
    """Does what it is told at once; `retired` workers stay until they are let go."""

    def __init__(self, size: int) -> None:
        self.generations = Generations(size)
        self.hands: list[Hand] = []
        self.newest = self.ordered = 0
        self.has_more = True
        self.now = 0.0

    @property
    def at_work(self) -> list[Hand]:
        return [hand for hand in self.hands if not hand.is_retired]

    def turn(self, after_s: float = 0.01) -> None:
        self.now += after_s
        asked = Asked(self.newest, self.ordered, self.has_more)
        turn = self.generations.turn(asked, self.hands, self.now)
        for hand in turn.retire:
            hand.is_retired = True
        self.hands += [Hand(self.newest) for _ in range(turn.missing)]

    def do(self, what: str) -> None:
        if what in ("commit", "order"):
            self.newest += 1
        if what == "order":
            self.ordered = self.newest
        silent = [hand for hand in self.hands if not hand.answers]
        if what == "answer" and silent:
            silent[0].answers = True
        if what == "die" and self.hands:
            self.hands.pop(0)
        self.turn(0.3 if what == "wait" else 0.01)

    def answer(self) -> None:
        for hand in self.hands:
            hand.answers = True


@given(size=st.integers(1, 3), doings=st.lists(st.sampled_from(DOINGS), max_size=60))
def test_whatever_happens_the_newest_comes_to_answer_and_no_more_than_two_are_kept(
    size: int, doings: list[str]
) -> None:
    crew = Crew(size)
    for what in doings:
        answering = sum(hand.answers for hand in crew.at_work)
        crew.do(what)
        assert len(crew.at_work) <= 2 * size
        assert crew.generations.made < 0 or len(crew.at_work) >= size - 1
        assert what != "commit" or answering < size or any(hand.answers for hand in crew.at_work)

    crew.has_more = False
    for _ in range(4):
        crew.answer()
        crew.turn()
    assert [hand.generation for hand in crew.at_work] == [crew.newest] * size


@pytest.mark.parametrize("what", ["commit", "order"])
def test_what_comes_faster_than_workers_begin_does_not_keep_them_from_it(what: str) -> None:
    crew, made = Crew(1), set()
    for number in range(400):
        crew.do(what)
        if number % 20 == 19:  # a worker takes as long as twenty loads
            crew.answer()
        made.add(crew.generations.made)

    assert len(made) >= 10
    assert crew.newest - crew.generations.made <= 60


def test_loads_that_follow_each_other_become_one_generation() -> None:
    crew = Crew(2)
    crew.turn()
    for _ in range(20):
        crew.answer()
        crew.do("commit")
    assert crew.generations.making == 0

    crew.has_more = False
    crew.turn()
    assert crew.generations.making == 20


def test_an_order_does_not_wait_for_what_was_begun_before_it() -> None:
    crew = Crew(2)
    crew.has_more = False
    crew.turn()
    crew.answer()
    crew.do("commit")
    begun = [hand for hand in crew.at_work if hand.generation == 1]

    crew.do("order")

    assert [hand.is_retired for hand in begun] == [True, True]
    assert sorted(hand.generation for hand in crew.at_work) == [0, 0, 2, 2]


def test_workers_that_never_answer_do_not_keep_a_newer_generation_from_being_made() -> None:
    crew = Crew(2)
    crew.turn()
    crew.do("commit")
    assert crew.generations.making == 0
    crew.turn(31.0)
    assert crew.generations.making == 1
    assert len(crew.at_work) == 2
