"""Where a row of versions breaks, by their losses on the same events. Pure.

Every version is judged on the same events, so that two of them are compared event by event: what
makes an event easy or hard falls out. The rule has three steps.

1. *Whether.* The deepest fall is sought: the version whose mean loss lies furthest above that of
   any before it (the largest excess of a cumulative sum over its least value so far: Page, 1954).
   It counts if the paired differences of these two say so: their mean over its standard error
   (Student, 1908), one-sided, at a level of 0.001 shared among all pairs of versions that might
   have been the deepest (Bonferroni; Dunn, 1961), and if the fall is no ordinary change (see 3).
2. *Until when it had happened.* The first version that had lost half of it.
3. *Since when.* Back from there as long as each version is out of the ordinary already: its loss,
   or its rise over the version before, has a modified z-score over 3.5 among those of the versions
   before (Iglewicz and Hoaglin, 1993: median and median absolute deviation, which a few bad
   versions do not move), and it rose from the one before by the paired test of step 1, and
   by a fiftieth of the fall. Where fewer than five versions tell what is ordinary, the test decides
   alone.

Sources: Page, "Continuous inspection schemes", Biometrika 41, 1954. Student, "The probable error of
a mean", Biometrika 6, 1908. Dunn, "Multiple comparisons among means", JASA 56, 1961. Iglewicz and
Hoaglin, "How to detect and handle outliers", ASQC, 1993.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Losses: TypeAlias = NDArray[np.float64]

EVENTS_MIN = 30  # below, a mean of differences is not near enough to normal
_LEVEL = 0.001
_ODD = 3.5  # Iglewicz and Hoaglin
_ORDINARY_MIN = 5
_HALF = 0.5
_SHARE = 0.02  # of the fall; less is no beginning of it
_MAD_TO_SD = 0.6745
_MEAN_AD_TO_SD = 0.7979


class Break(Struct, frozen=True, kw_only=True):
    """Where it broke, by places in the row.

    Attributes:
        good: The last good version.
        bad: The first bad one, the next in the row.
        best: The one before the break whose loss was the least.
        worst: The one after it whose loss was the most.
        back: The first after the worst that has made up for half of the fall; None: none has.
        fall: The mean loss of the worst, less that of the best.
        z: That over its standard error.
        needed_z: What `z` had to be over.
    """

    good: int
    bad: int
    best: int
    worst: int
    back: int | None
    fall: float
    z: float
    needed_z: float


def find_break(row: Sequence[Losses], since: int = 0) -> Break | None:
    """The deepest break after a place in the row; None where nothing broke.

    Args:
        row: Of each version, in order, its loss on each event, from 0 to 1; the same events.
        since: The version of this place, and all before, are taken for good: they tell what is
            ordinary.

    >>> rng = np.random.default_rng(7)
    >>> hard = rng.uniform(0.0, 0.4, 200)
    >>> row = [hard + rng.normal(0, 0.01, 200) + (0.3 if place >= 6 else 0) for place in range(9)]
    >>> found = find_break(row)
    >>> found.good, found.bad, found.back
    (5, 6, None)
    >>> find_break(row[:6]) is None
    True
    """
    if len(row) - since < 2:
        return None
    means = [float(np.mean(losses)) for losses in row]
    best, worst = _deepest_fall(means, since)
    needed = _needed_z(len(row))
    z = _paired_z(row[best], row[worst])
    fall = means[worst] - means[best]
    if fall <= 0 or z <= needed:
        return None
    half = means[best] + _HALF * fall
    crossed = next(at for at in range(max(best, since) + 1, len(row)) if means[at] >= half)
    ordinary = means[:crossed]
    if not _is_odd(means[worst], ordinary):
        return None
    bad = _beginning(row, means, best, crossed, since, needed)
    back = next((at for at in range(worst + 1, len(row)) if means[at] < half), None)
    return Break(
        good=bad - 1, bad=bad, best=best, worst=worst, back=back, fall=fall, z=z, needed_z=needed
    )


def _deepest_fall(means: Sequence[float], since: int) -> tuple[int, int]:
    """The places of the least mean loss and of the one after it that is furthest above."""
    best = deepest = 0
    worst = since + 1
    fall = -math.inf
    for at, mean in enumerate(means):
        if at > since and mean - means[best] > fall:
            fall, deepest, worst = mean - means[best], best, at
        if mean < means[best]:
            best = at
    return deepest, worst


def _needed_z(versions: int) -> float:
    """The quantile of the level, shared among all pairs of so many versions."""
    pairs = versions * (versions - 1) / 2
    return NormalDist().inv_cdf(1 - _LEVEL / max(1.0, pairs))


def _paired_z(one: Losses, other: Losses) -> float:
    """How far the second is worse, event by event: the mean difference over its standard error."""
    differences = other - one
    mean, spread = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if spread == 0.0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / (spread / math.sqrt(len(differences)))


def _beginning(
    row: Sequence[Losses],
    means: Sequence[float],
    best: int,
    crossed: int,
    since: int,
    needed: float,
) -> int:
    """The first version of the run that leads to the one at `crossed`."""
    at, fall = crossed, means[crossed] - means[best]
    while at - 1 > max(best, since) and _has_begun(row, means, at - 1, fall, needed):
        at -= 1
    return at


def _has_begun(
    row: Sequence[Losses], means: Sequence[float], at: int, fall: float, needed: float
) -> bool:
    """Whether the version at this place was on its way down."""
    rise = means[at] - means[at - 1]
    if rise < _SHARE * fall or _paired_z(row[at - 1], row[at]) <= needed:
        return False
    levels = means[:at]
    rises = [later - earlier for earlier, later in pairwise(levels)]
    return _is_odd(means[at], levels) or _is_odd(rise, rises)


def _is_odd(value: float, ordinary: Sequence[float]) -> bool:
    """Whether it lies above what is ordinary; too few to tell are taken for a yes."""
    if len(ordinary) < _ORDINARY_MIN:
        return True
    values = np.asarray(ordinary)
    off = value - float(np.median(values))
    deviations = np.abs(values - np.median(values))
    spread = float(np.median(deviations)) / _MAD_TO_SD
    if spread == 0.0:  # most are equal
        spread = float(np.mean(deviations)) / _MEAN_AD_TO_SD
    return off > _ODD * spread
