"""How long labels take: a histogram whose bins widen with the delay."""

from bisect import bisect_left
from collections.abc import Mapping

# Upper ends of the bins in seconds: eight to each doubling, from a millisecond to some 30 years.
_PER_DOUBLING = 8
ENDS = tuple(0.001 * 2 ** (n / _PER_DOUBLING) for n in range(40 * _PER_DOUBLING))


class Delays:
    """Counts delays, each known to within 9 %.

    Args:
        counts: Of each bin that has any, by its number.

    >>> delays = Delays()
    >>> for seconds in (1.0, 1.01, 100.0):
    ...     delays.add(seconds)
    >>> [(round(end, 2), count) for end, count in delays.by_end().items()]
    [(1.02, 2), (101.07, 1)]
    """

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts = dict(counts or {})

    def add(self, seconds: float) -> None:
        """One more; a negative one, of clocks that disagree, counts as none."""
        place = min(bisect_left(ENDS, seconds), len(ENDS) - 1)
        self.counts[place] = self.counts.get(place, 0) + 1

    def by_end(self) -> dict[float, int]:
        """Of each bin that has any: its upper end in seconds, and how many."""
        return {ENDS[place]: self.counts[place] for place in sorted(self.counts)}
