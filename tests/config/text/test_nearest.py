"""The nearest right name for a wrong one."""

import pytest

from config.text.nearest import did_you_mean, nearest

RIVER = ["linear_model.LogisticRegression", "linear_model.LinearRegression", "optim.SGD"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("linear_model.LogisticRegresion", "linear_model.LogisticRegression"),
        ("LinearRegression", "linear_model.LinearRegression"),
        ("linearmodel.linearregression", "linear_model.LinearRegression"),
        ("sgd", "optim.SGD"),
        ("optim.Sgd", "optim.SGD"),
        ("", None),
        ("Kafka", None),
    ],
)
def test_the_name_that_was_meant(word, name):
    """Spelling, case and a missing module are forgiven; what is like nothing stays nothing."""
    assert name == nearest(word, RIVER)


def test_without_a_near_name_nothing_is_said():
    """A far-fetched guess is worse than none."""
    assert did_you_mean("Kafka", RIVER) == ""
