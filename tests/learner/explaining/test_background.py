"""The background follows from the order of the log alone, and stays small."""

import random

import pytest

from learner.explaining.background import BYTES_MAX, ROWS_MAX, Background, rows_of
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import binary, model_file, only_numbers
from tests.learner.taking import Taking
from tests.learner.test_trainer import saved

NO_CHANGE = {"river": ["dummy.NoChangeClassifier"]}


def added(count, sizes=(1,)):
    background, first = Background(), 0
    for size in sizes * count:
        end = min(first + size, count)
        background.add([{"n": each} for each in range(first, end)], first, end)
        first = end
    return background


def kept(background):
    return [row["n"] for row in rows_of(background.dump())[0]]


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (0, []),
        (100, list(range(100))),
        (101, list(range(0, 101, 2))),
        (500, list(range(0, 500, 8))),
        (20_000, list(range(20_000 - 32 - 99 * 64, 20_000, 64))),
    ],
)
def test_each_of_the_first_hundred_then_fewer_then_the_last_hundred(count, rows):
    assert kept(added(count)) == rows


def test_batches_do_not_matter():
    sizes = tuple(random.Random(2).choices(range(1, 400), k=30))
    assert added(20_000, sizes).dump() == added(20_000).dump()


@pytest.mark.parametrize("cut", [0, 1, 99, 101, 5_000])
def test_it_goes_on_from_a_version(cut):
    whole, later = added(9_000), Background()
    later.restore(added(cut).dump(), cut)
    later.add([{"n": n} for n in range(cut, 9_000)], cut, 9_000)
    assert later.dump() == whole.dump()


def test_a_version_without_one_begins_where_it_stands():
    background = Background()
    background.restore(None, 1_000)
    background.add([{"n": 1_000}], 1_000, 1_001)
    assert kept(background) == [1_000]


def test_its_bytes_have_a_limit():
    background = Background()
    for n in range(50):
        background.add([{"n": n, "text": "x" * 10_000}], n, n + 1)
    background.add([{"n": 50, "text": "x" * BYTES_MAX}], 50, 51)
    assert len(background.dump()) <= BYTES_MAX + 100
    assert kept(background)[-1] == 49, "the last go first only where they alone are too large"


def test_values_come_back_as_they_were():
    row = {"a": 0.1 + 0.2, "b": 10**30, "c": True, "d": None, "u": {"e": 'é "\n'}, "f": 1e-300}
    background = Background()
    background.add([{"half": "\ud800"}, row], 0, 2)
    (found,), learned = rows_of(background.dump())
    assert (found, learned) == (row, 2)
    assert [type(each) for each in found.values()] == [type(each) for each in row.values()]


def test_a_trainer_keeps_those_that_it_learned_and_no_others():
    """What is refused, and what still waits for its label, is none; what came late is in turn."""
    file = model_file("binary", NO_CHANGE)
    trainer, taking = Trainer(file), Taking(file)
    labels = [True, True, None, True, True]
    events = [Event(features={"n": n}, label=it, id=f"e{n}") for n, it in enumerate(labels)]
    events.insert(1, Event(features={"n": 0}, label=True, id="e0"))  # a duplicate
    taking.all(trainer, events)
    taking.one(trainer, Event(id="e2", label=False), offset=9)
    rows, learned = rows_of(trainer.snapshot(version="v1").segments["background"])
    assert [row["n"] for row in rows] == [0, 1, 3, 4, 2]
    assert learned == 5


def test_lines_of_vowpal_wabbit_are_no_rows(tmp_path):
    file = model_file("regression", {"vw": ""}, topics={"format": "vw"})
    trainer, taking = Trainer(file, tmp_path), Taking(file)
    taking.all(trainer, [Event(text="1 |f a:2", label=1)])
    assert rows_of(trainer.snapshot(version="v1").segments["background"]) == ([], 1)


def test_a_trainer_that_was_saved_keeps_the_same_rows():
    file = model_file("binary", {"river": ["naive_bayes.GaussianNB"]})
    events = [Event(features=x, label=y) for x, y in only_numbers(binary(700))]
    whole, parts = Trainer(file), Trainer(file)
    Taking(file).all(whole, events)
    for first in range(0, 700, 130):
        Taking(file).all(parts, events[first : first + 130], first=first)
        parts = Trainer(file, None, saved(parts, file))
    segments = [each.snapshot(version="v1").segments["background"] for each in (whole, parts)]
    assert segments[0] == segments[1]
    assert 50 <= len(rows_of(segments[0])[0]) <= ROWS_MAX
