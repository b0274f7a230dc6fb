"""Sets in a user's own classes: said at the start, since a version may hold them in another order.

Unpickled, the elements of a set may be in another order than before. Where only membership is
asked that is nothing; where something is summed over them, or the first is taken, the model that
goes on from a version is not quite the model that was saved.
"""

from collections.abc import Iterator
from typing import Any

from learner.river.builtins import GrownSet
from learner.river.own_class import KEY, is_trusted

_DEPTH_MAX = 5


def notes_on_sets(model: object, trust: tuple[str, ...]) -> tuple[str, ...]:
    """A note for each attribute that is a set, of the model and of what it holds.

    Args:
        model: What the user's factory made, before it learns.
        trust: The model file's `trust:`: whose classes are looked into.

    >>> from river import compose
    >>> notes_on_sets(compose.Select("a"), ())
    ()
    """
    names = dict.fromkeys(_sets(model, trust, 0))
    return tuple(
        f"{KEY}: {name} is a set, and a version may hold it in another order: where the order "
        "decides an answer, keep a dict, or go through sorted(…)"
        for name in names
    )


def _sets(thing: Any, trust: tuple[str, ...], depth: int) -> Iterator[str]:
    if depth > _DEPTH_MAX:
        return
    for name, value in _within(thing, trust):
        if name and isinstance(value, set | frozenset) and not isinstance(value, GrownSet):
            yield f"{type(thing).__qualname__}.{name}"
        yield from _sets(value, trust, depth + 1)


def _within(thing: Any, trust: tuple[str, ...]) -> list[tuple[str, Any]]:
    """What it holds: by name, if it is an object of the user's."""
    if isinstance(thing, dict):
        return [("", value) for value in thing.values()]
    if isinstance(thing, list | tuple):
        return [("", value) for value in thing]
    if is_trusted(type(thing).__module__, trust):
        return list(getattr(thing, "__dict__", {}).items())
    return []
