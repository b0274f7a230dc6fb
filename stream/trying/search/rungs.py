"""Successive halving: on how many records trials are compared, and how many go on. Pure.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS 2016. Two rules of our own: the first rung has 2,000 records or more, since
learners that begin slowly win later (on elec2 a Hoeffding tree leads a logistic regression after
800 events and loses by 3.9 points over all); and a third goes on, or more.
"""

import math
from typing import NamedTuple


class Rung(NamedTuple):
    """A comparison.

    Attributes:
        until: At so many records from the first.
        trials: So many take part.
    """

    until: int
    trials: int


def rungs(trials: int, records: int, *, first: int, keep: float) -> list[Rung]:
    """The rungs, the last at the last record, with two trials or more while there are two.

    Args:
        first: Records of the first one, at least.
        keep: The share that goes on.

    >>> rungs(16, 45_312, first=2_000, keep=0.5)
    [Rung(until=5664, trials=16), Rung(until=11328, trials=8), Rung(until=22656, trials=4), \
Rung(until=45312, trials=2)]
    >>> rungs(16, 3_000, first=2_000, keep=0.5)
    [Rung(until=3000, trials=16)]
    """
    left, until = [trials], [records]
    while until[0] * keep >= first and 1 < (kept := math.ceil(left[-1] * keep)) < left[-1]:
        left.append(kept)
        until.insert(0, math.floor(until[0] * keep))
    return [Rung(*each) for each in zip(until, left, strict=True)]


def steps(found: list[Rung]) -> int:
    """Records that all trials learn together: each goes on from where it stopped.

    >>> steps([Rung(10, 4), Rung(20, 2)]), steps([Rung(20, 4)])
    (60, 80)
    """
    before = [0, *(rung.until for rung in found)]
    return sum((rung.until - b) * rung.trials for rung, b in zip(found, before, strict=False))
