"""Where more is refused than learned it is said why, with what mends it."""

import pytest

from learner.values import Reason, Refusal
from stream.remedies import Remedies

PRICE = Refusal(Reason.wrong_type, "price is text", "gate", mend="missing: [NA]")
TIME = Refusal(Reason.out_of_bounds, "ts is large", "gate", mend="limits: {value: 1.0e+13}")
LABEL = Refusal(Reason.bad_label, "label 2", "gate")


def after(*batches):
    remedies = Remedies()
    for learned, *refused in batches:
        remedies.took(learned, refused)
    return remedies.advice


@pytest.mark.parametrize(
    "batches", [[(0,)], [(1, PRICE)], [(3, PRICE, TIME, LABEL)], [(50,), (0, *[TIME] * 50)]]
)
def test_nothing_is_said_while_more_is_learned(batches):
    """Different refusals are not added up: each has another cause."""
    assert after(*batches) is None


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([(0, PRICE)], ["1 of the last 1", "wrong_type", "price is text", "`missing: [NA]`"]),
        ([(2, PRICE, TIME), (0, TIME, TIME)], ["3 of the last 6", "ts is large", "1.0e+13"]),
        ([(1, LABEL, LABEL)], ["2 of the last 3", "bad_label", "label 2"]),
    ],
)
def test_the_commonest_refusal_is_told_with_its_line(batches, words):
    """Or with its detail alone, where no line of the model file mends it."""
    told = after(*batches)

    assert all(word in told for word in words)
    assert ("model file" in told) == ("bad_label" not in words)


def test_a_stream_that_breaks_is_told_of_however_much_was_learned():
    """What is long past weighs less and less."""
    long_ago = [(100,)] * 10_000

    assert after(*long_ago, *[(0, *[TIME] * 100)] * 10) is None
    assert after(*long_ago, *[(0, *[TIME] * 100)] * 30) is not None
    assert after((0, *[TIME] * 1000), *[(100,)] * 30) is None


def test_what_is_told_apart_is_bounded():
    """A mending line for each of many features."""
    remedies = Remedies()
    for n in range(10_000):
        remedies.took(0, [Refusal(Reason.wrong_type, "", "gate", mend=f"features: {n}")])
        remedies.took(0, [PRICE])

    assert len(remedies._last) <= 101
    assert remedies.commonest == PRICE.mend
