"""Which versions to judge, so that the break is found with few of them. Pure.

A grid over all of them first; then, between the last good and the first bad one that were judged,
a grid again, until the two stand side by side (a bisection in many parts: a stretch that the model
got over would mislead one in two). Where the grid shows no break, what lies between is judged, too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stream.looking_back.judging.change_point import Break, Losses, find_break

_GRID = 24

Judge = Callable[[int], Losses | None]


class Searched(NamedTuple):
    """What came of a search.

    Attributes:
        places: The versions that were judged, in order; the places of `found` are among these.
        found: None where nothing broke.
    """

    places: Sequence[int]
    found: Break | None


def search(count: int, since: int, judge: Judge, *, most: int, grid: int = _GRID) -> Searched:
    """Find the break in a row of versions.

    Args:
        count: How many there are.
        since: The place of the one that is known to be good; those before are judged, too.
        judge: The losses of the version at a place; None where it cannot be loaded. Asked once
            for each.
        most: So many are judged at most.
        grid: How many at once.

    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> row = [rng.normal(0.2 + 0.4 * (place >= 71), 0.01, 100) for place in range(100)]
    >>> asked = []
    >>> done = search(100, 5, lambda place: asked.append(place) or row[place], most=100)
    >>> done.places[done.found.bad], len(asked) < 40
    (71, True)
    """
    judged: dict[int, Losses | None] = {}
    due = [*range(since), *_spread(range(since, count), grid)]
    while True:
        for place in due[: max(0, most - len(judged))]:
            judged[place] = judge(place)
        done = _decided(judged, since)
        due = _due(done, judged, range(since, count), grid)
        if not due or len(judged) >= most:
            return done


def _decided(judged: Mapping[int, Losses | None], since: int) -> Searched:
    row = {place: judged[place] for place in sorted(judged)}
    sound = {place: losses for place, losses in row.items() if losses is not None}
    places = list(sound)
    good = sum(place <= since for place in places)
    return Searched(places, find_break(list(sound.values()), max(0, good - 1)))


def _due(
    done: Searched, judged: Mapping[int, Losses | None], all_of_them: range, grid: int
) -> list[int]:
    """What to judge next."""
    if done.found is None:
        return _spread([place for place in all_of_them if place not in judged], grid)
    good, bad = done.places[done.found.good], done.places[done.found.bad]
    return _spread([place for place in range(good + 1, bad) if place not in judged], grid)


def _spread(places: Sequence[int], count: int) -> list[int]:
    """So many of these at most, evenly, the first and the last among them.

    >>> _spread(range(10), 4), _spread([3, 4], 4)
    ([0, 3, 6, 9], [3, 4])
    """
    if len(places) <= count:
        return list(places)
    step = (len(places) - 1) / (count - 1)
    return [places[round(number * step)] for number in range(count)]
