"""The history of a version, out of its segments, as many points of it as are asked for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from learner.history.history import SEGMENT, History
from learner.history.rows import PREFIX

Row = dict[str, float | None]
_PLACE = ("learned", "scored", "at_ms")


def is_of_history(segment: str) -> bool:
    """Whether a version's segment of this name is needed here."""
    return segment == SEGMENT or segment.startswith(PREFIX)


def rows_of(segments: Mapping[str, bytes]) -> list[Row]:
    """Every row, oldest first; none of a version that has no history."""
    history = History(scores=1)
    history.restore(segments, learned=0)
    return list(history.rows())


def thinned(rows: Sequence[Row], points: int) -> list[Row]:
    """At most so many of them, evenly, the newest among them.

    >>> [row["learned"] for row in thinned([{"learned": n} for n in range(7)], 3)]
    [0, 3, 6]
    """
    apart = -(-len(rows) // points)
    return list(rows[::-1][::apart][::-1]) if rows else []


def by_score(rows: Sequence[Row], names: Collection[str]) -> dict[str, dict[str, Any]]:
    """The columns of each score, `served` ones by themselves; None where a row has no value.

    Args:
        names: The scores that there are; others that there once were are left out.
    """
    keys = dict.fromkeys(key for row in rows for key in row if key not in _PLACE)
    found: dict[str, dict[str, Any]] = {}
    for key in keys:
        name, _, window = key.partition(" ")
        if name not in names:
            continue
        score = found.setdefault(name, {})
        if window.startswith("served."):
            score = score.setdefault("served", {})
        score[window.removeprefix("served.")] = [row.get(key) for row in rows]
    return found
