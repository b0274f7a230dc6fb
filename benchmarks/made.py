"""Streams made here: wide, of many values, drifting; endless, never twice the same event.

Each follows a rule that a learner can find, without noise. Seeded: the first events of a stream are
the same whenever it is made.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Pair = tuple[dict[str, Any], bool]

_BLOCK = 10_000
FLOATS, STRINGS = ("f0", "f1", "f2", "f3", "f4", "f5"), ("s0", "s1", "s2")
_VALUES = 100_000


def floats(width: int, *, turn_events: float = math.inf) -> Iterator[Pair]:
    """Floats of many scales; the label tells on which side of a plane they lie.

    No axis is the plane's, so that a tree needs ever more steps to follow it.

    Args:
        turn_events: Events in which the plane turns once around; it stands where they are infinite.

    >>> x, y = next(floats(14))
    >>> len(x), y
    (14, True)
    """
    rng = np.random.default_rng(width)
    names = [f"f{n}" for n in range(width)]
    centres, scales = 10.0 * rng.normal(size=width), 10.0 ** rng.uniform(-2, 3, width)
    ahead, aside = rng.normal(size=(2, width))
    for begin in itertools.count(step=_BLOCK):
        angles = 2 * math.pi * np.arange(begin, begin + _BLOCK)[:, None] / turn_events
        plane = np.cos(angles) * ahead + np.sin(angles) * aside
        z = rng.normal(size=(_BLOCK, width))
        labels = (z * plane).sum(axis=1) > 0
        for values, label in zip((centres + scales * z).tolist(), labels.tolist(), strict=True):
            yield dict(zip(names, values, strict=True)), label


def strings() -> Iterator[Pair]:
    """Six floats and three strings, each string worth something of its own for the label.

    By Zipf's law of 100,000 values: 300,000 events have about 50,000 of each.

    >>> x, y = next(strings())
    >>> len(x), x["s0"]
    (9, 'value-16649')
    """
    rng = np.random.default_rng(len(STRINGS))
    weights, worths = rng.normal(size=len(FLOATS)), rng.normal(size=(_VALUES, len(STRINGS)))
    columns = range(len(STRINGS))
    while True:
        x = rng.normal(size=(_BLOCK, len(FLOATS)))
        ranks = (_VALUES ** rng.random((_BLOCK, len(STRINGS)))).astype(int)
        labels = x @ weights + worths[ranks, columns].sum(axis=1) > 0
        for numbers, values, label in zip(x.tolist(), ranks.tolist(), labels.tolist(), strict=True):
            texts = (f"value-{value}" for value in values)
            yield dict(zip((*FLOATS, *STRINGS), (*numbers, *texts), strict=True)), label
