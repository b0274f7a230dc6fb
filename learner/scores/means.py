"""A mean over events: over all of them, fading, and how sure it is.

Losses are summed one after the other, in River's own arithmetic.
"""

from collections.abc import Iterable
from math import inf, isfinite, log, nan, sqrt

Interval = tuple[float, float]

# Events before which the bound for losses without limits, which holds in the limit, is not told.
_EVENTS_MIN = 100
_ALPHA = 0.05
# The events at which that bound is tightest.
_TIGHTEST = 10_000
_RHO2 = (-2 * log(_ALPHA) + log(-2 * log(_ALPHA)) + 1) / _TIGHTEST


def mean_of(losses: Iterable[float]) -> float | None:
    """The mean, in the arithmetic of River's `stats.Mean`; None of no losses."""
    count, mean = mean_after(0.0, 0.0, losses)
    return mean if count else None


def mean_after(count: float, mean: float, losses: Iterable[float]) -> tuple[float, float]:
    """How many there are with these, and the mean of all; of none as it was."""
    for loss in losses:
        count += 1.0
        mean += (1.0 / count) * (loss - mean)
    return count, mean


class RunningMean:
    """The mean of what `update` was given, the fading mean, and the spread.

    Args:
        factor: Weight of an event relative to the next; None: the mean is all that is asked.

    >>> mean = RunningMean(0.5)
    >>> mean.update([1.0, 0.0, 1.0])
    >>> mean.count, round(mean.mean, 3), round(mean.faded or 0, 3)
    (3.0, 0.667, 0.714)
    """

    __slots__ = ("_factor", "_faded", "_mass", "_squares", "count", "mean")

    def __init__(self, factor: float | None) -> None:
        self._factor = factor
        self.count = self.mean = self._faded = self._mass = self._squares = 0.0

    def update(self, losses: Iterable[float]) -> None:
        """Take the losses of these events, in order."""
        factor = self._factor
        if factor is None:
            self.count, self.mean = mean_after(self.count, self.mean, losses)
            return
        count, mean, squares = self.count, self.mean, self._squares
        faded, mass = self._faded, self._mass
        for loss in losses:
            off = loss - mean
            squares += off * off
            count += 1.0
            mean += (1.0 / count) * off
            faded = faded * factor + loss
            mass = mass * factor + 1.0
        self.count, self.mean, self._squares = count, mean, squares
        self._faded, self._mass = faded, mass

    @property
    def faded(self) -> float | None:
        """The fading mean; None before the first event."""
        return self._faded / self._mass if self._mass else None

    def interval(self, bounds: Interval) -> Interval | None:
        """Where the mean lies with 95 % confidence at all times at once; None: it is not known.

        Args:
            bounds: Between which a loss lies; infinite where nothing is known.
        """
        half = _half_width(self.count, self._squares, bounds)
        if half is None:
            return None
        return max(bounds[0], self.mean - half), min(bounds[1], self.mean + half)

    def dump(self) -> list[float]:
        """The sums, for `load`."""
        return [self.count, self.mean, self._faded, self._mass, self._squares]

    def load(self, sums: list[float]) -> None:
        """Continue from dumped sums; those of older snapshots know nothing of the spread."""
        self.count, self.mean, self._faded, self._mass = sums[:4]
        self._squares = sums[4] if len(sums) > 4 else nan


def _half_width(count: float, squares: float, bounds: Interval) -> float | None:
    """Half the width of a confidence sequence for the mean of the losses' expectations.

    It may be looked at after every event, as a progressive score is, and asks for no independence:
    an event's loss is compared with what was to be expected of it after those before.

    Sources: for losses within bounds, at any count, Howard, Ramdas, McAuliffe and Sekhon,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49,
    2021: the empirical-Bernstein bound (Theorem 4), stitched with η = 2 and s = 1.4. For others,
    in the limit, Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
    theory and asymptotic confidence sequences", Annals of Statistics 52, 2024: a Gaussian mixture.

    Args:
        squares: Sum of (loss - mean of those before)².

    >>> half = _half_width(1000.0, 160.0, (0.0, 1.0))
    >>> round(half or 0, 4)
    0.0696
    """
    if not count or not isfinite(squares):
        return None
    # The mean of none is 0, which has to lie within bounds too.
    span = max(bounds[1], 0.0) - min(bounds[0], 0.0)
    if not span:
        return 0.0
    if span < inf:
        spread = max(squares / (span * span), 1.0)
        slow = log(log(2 * spread))
        return span * (1.7 * sqrt(spread * (slow + 3.8)) + 3.4 * slow + 13) / count
    if count < _EVENTS_MIN:
        return None
    grown = count * _RHO2 + 1
    return sqrt(squares / count * 2 * grown / (count**2 * _RHO2) * log(sqrt(grown) / _ALPHA))
