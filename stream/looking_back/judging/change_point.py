"""Where a row of versions breaks, by their losses on the same events. Pure.

Every version is judged on the same events, so that two of them are compared event by event: what
makes an event easy or hard falls out. The rule:

1. *Whether.* The deepest fall is sought: the version whose mean loss lies furthest above that of
   any before it (the largest excess of a cumulative sum over its least value so far: Page, 1954).
   It counts if it is a tenth of the loss that it began from, and if the paired differences of the
   two say so: their mean over its standard error (Student, 1908), one-sided, at a level of 0.001
   shared among all pairs of versions that might have been the deepest (Bonferroni; Dunn, 1961).
2. *Until when it had happened.* The first version that had lost half of it.
3. *Since when.* The earliest version up to there that was out of the ordinary, and after which the
   loss was never again what it had been before: its rise over the version before (a twentieth of
   the fall or more, and more than one standard error), or its loss itself, has a modified z-score
   over 3.5 among those of all versions before (Iglewicz and Hoaglin, 1993: median and median
   absolute deviation, which a few bad versions do not move). Where there is none, nothing broke. It
   errs on the early side: a good version too many is learned again, a bad one would be gone on
   from. The versions before are searched in the same way: of several breaks it is the first that is
   half as deep as the deepest.

What a version has learned and does not show on these events is not seen. So the share of errors
among the events that lie between two versions, each predicted before it was learned, is searched
by the same rule. Such shares are independent: two are compared so, and the fall begins with the
first whose modified z-score is over 3.5, and which the test of step 1 tells from the best.

Sources: Page, "Continuous inspection schemes", Biometrika 41, 1954. Student, "The probable error of
a mean", Biometrika 6, 1908. Dunn, "Multiple comparisons among means", JASA 56, 1961. Iglewicz and
Hoaglin, "How to detect and handle outliers", ASQC, 1993.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Losses: TypeAlias = NDArray[np.float64]
# How far the version of the second place is worse than that of the first, in standard errors.
Compare: TypeAlias = Callable[[int, int], float]

EVENTS_MIN = 30  # below, a mean of differences is not near enough to normal
_LEVEL = 0.001
_FALL_MIN = 0.1  # of the loss that it began from
_HALF = 0.5
_SHARE = 0.05  # of the fall; less is no beginning of it
_ODD = 3.5  # Iglewicz and Hoaglin
_ORDINARY_MIN = 5  # fewer tell nothing, and anything is out of it
_MAD_TO_SD = 0.6745
_MEAN_AD_TO_SD = 0.7979


class Rate(NamedTuple):
    """The share of errors among so many events."""

    share: float
    events: int


class Fall(NamedTuple):
    """A fall, by places in the row: the best version, and the first that had lost half."""

    best: int
    crossed: int
    needed_z: float


# Whether a fall began at a place of the row.
Begins: TypeAlias = Callable[[Sequence[float], Compare, int, Fall], bool]


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
    """The first break of weight after a place in the row; None where nothing broke.

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
    means = [float(np.mean(losses)) for losses in row]
    return _find(means, since, lambda one, other: _paired_z(row[one], row[other]), _on_the_way)


def find_rate_break(rates: Sequence[Rate], since: int = 0) -> Break | None:
    """The same of shares of errors, each among other events.

    >>> rates = [Rate(0.1, 200), Rate(0.12, 200), Rate(0.8, 200), Rate(0.11, 200)]
    >>> found = find_rate_break(rates)
    >>> found.bad, found.back
    (2, 3)
    """
    shares = [each.share for each in rates]
    return _find(shares, since, lambda one, other: _z_of_rates(rates[one], rates[other]), _up)


def _find(means: Sequence[float], since: int, z_of: Compare, begins: Begins) -> Break | None:
    """The first break that is half as deep as the deepest."""
    found = _deepest(means, since, z_of, begins)
    if found is None:
        return None
    earlier = _find(means[: found.bad], since, z_of, begins)
    return earlier if earlier and earlier.fall >= _HALF * found.fall else found


def _deepest(means: Sequence[float], since: int, z_of: Compare, begins: Begins) -> Break | None:
    """The deepest break, by the mean losses and a comparison of two of them."""
    if len(means) - since < 2:
        return None
    best, worst = _deepest_fall(means, since)
    needed, z = _needed_z(len(means)), z_of(best, worst)
    fall = means[worst] - means[best]
    if fall <= _FALL_MIN * means[best] or z <= needed:
        return None
    half = means[best] + _HALF * fall
    first = max(best, since) + 1
    crossed = next(at for at in range(first, len(means)) if means[at] >= half)
    on = Fall(best=best, crossed=crossed, needed_z=needed)
    bad = next((at for at in range(first, crossed + 1) if begins(means, z_of, at, on)), None)
    if bad is None:
        return None
    back = next((at for at in range(worst + 1, len(means)) if means[at] < half), None)
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


def _z_of_rates(one: Rate, other: Rate) -> float:
    """How far the second share is above the first: their difference over its standard error.

    Two events are added to each, one of them an error (Agresti and Caffo, "Simple and effective
    confidence intervals for proportions", 2000): without, a share of none would be sure of itself.
    """
    was, now = ((each.share * each.events + 1) / (each.events + 2) for each in (one, other))
    variance = was * (1 - was) / (one.events + 2) + now * (1 - now) / (other.events + 2)
    return (now - was) / math.sqrt(variance)


def _up(means: Sequence[float], z_of: Compare, at: int, on: Fall) -> bool:
    """Whether a share of errors, which owes nothing to the one before, is out of the ordinary."""
    return _is_odd(means[at], means[:at]) and z_of(on.best, at) > on.needed_z


def _on_the_way(means: Sequence[float], z_of: Compare, at: int, on: Fall) -> bool:
    """Whether a fall began with the version at this place, which goes on from the one before."""
    before = means[at - 1]
    rise = means[at] - before
    if rise < _SHARE * (means[on.crossed] - before) or min(means[at : on.crossed + 1]) <= before:
        return False
    rises = [later - earlier for earlier, later in pairwise(means[:at])]
    has_risen = _is_odd(rise, rises) and z_of(at - 1, at) > 1
    return has_risen or _is_odd(means[at], means[:at])


def _is_odd(value: float, ordinary: Sequence[float]) -> bool:
    """Whether it lies above what is ordinary."""
    if len(ordinary) < _ORDINARY_MIN:
        return True
    values = np.asarray(ordinary)
    off = value - float(np.median(values))
    deviations = np.abs(values - np.median(values))
    spread = float(np.median(deviations)) / _MAD_TO_SD
    if spread == 0.0:  # most are equal
        spread = float(np.mean(deviations)) / _MEAN_AD_TO_SD
    return off > _ODD * spread
