"""Columns that tell the label by themselves: found where they do, and nothing said where not."""

import math
import random

import pytest
from river import datasets
from river.datasets import synth

from stream.first_day.columns.leaks import leaks_among


def leaks(rows, *, is_number=False):
    return [leak.columns for leak in leaks_among(rows, is_number=is_number)]


def late_flights(absent_every=None):
    """What is late is told by its delay; an absent delay is that of a flight that never landed."""
    draw = random.Random(5)
    for i in range(800):
        delay, hour = round(draw.gauss(0, 20)), draw.randrange(24)
        if absent_every and i % absent_every == 0:
            yield {"hour": hour}, "YES"
        else:
            yield {"hour": hour, "delay": delay}, "YES" if delay > 0 else "NO"


@pytest.mark.parametrize("absent_every", [None, 9])
def test_a_number_that_stands_on_either_side_of_a_bound(absent_every):
    """Also where being absent tells the rest."""
    (leak,) = leaks_among([*late_flights(absent_every)], is_number=False)

    assert leak.columns == ("delay",)
    assert leak.told.startswith("alone it tells 100.0 % of the labels, of which the most frequent")


def test_a_text_that_names_the_label():
    """One of three classes, each by a few texts; another column by chance."""
    draw = random.Random(1)
    rows = []
    for _ in range(600):
        y = draw.choice("abc")
        rows.append(({"code": y + draw.choice("12"), "size": draw.random()}, y))

    assert leaks(rows) == [("code",)]


def test_an_amount_that_is_a_sum_and_one_that_follows_the_label():
    """The parts of a sum, each too weak alone; a column that is the label in other units."""
    draw = random.Random(2)
    rows = []
    for _ in range(600):
        a, b, c = draw.randrange(100), draw.randrange(100), draw.random()
        rows.append(({"a": a, "b": b, "c": c, "far": (a + b) * 1.6 + draw.gauss(0, 10)}, a + b))
    without = [({k: v for k, v in x.items() if k != "far"}, y) for x, y in rows]

    assert leaks(without, is_number=True) == [("a", "b")]
    assert ("far",) in leaks(rows, is_number=True)


def test_what_only_learns_well_is_no_leak():
    """None of the columns of the streams that River ships or makes, but for those of rules."""
    streams = [
        (datasets.Phishing(), False), (datasets.Bananas(), False),
        (datasets.ImageSegments(), False), (datasets.TrumpApproval(), True),
        (synth.SEA(seed=1), False), (synth.Friedman(seed=1), True),
    ]  # fmt: skip
    for stream, is_number in streams:
        assert leaks([*stream.take(1500)], is_number=is_number) == []


def test_no_value_that_a_file_may_hold_is_too_much():
    """Huge, infinite, mixed, absent: nothing is raised, and nothing warned of."""
    draw = random.Random(4)
    odd = [10**400, 1e308, -1e308, math.inf, "text", True, None, 0.5, ""]
    rows = [({"odd": draw.choice(odd), "one": 7}, draw.choice([1e300, 0, 3.5])) for _ in range(600)]
    labelled = [(x, draw.random() < 0.5) for x, _ in rows]

    assert leaks(rows, is_number=True) == []
    assert leaks(labelled) == []


def test_too_few_rows_and_too_few_of_the_other_label_say_nothing():
    """Chance would tell them as well."""
    assert leaks([({"a": i % 2}, i % 2) for i in range(100)]) == []
    assert leaks([({"a": i == 7}, i == 7) for i in range(400)]) == []
