"""What a few of River's modules are given in place of a Python builtin, so that copies are equal.

A set is in the order of its hash table, which is that of how it came to be: unpickled, the same
elements may be in another order, so that what is summed over them has other last digits. And
`id` and `hash` of an object are its address, which no copy shares. River's own code is as it was,
and so are its answers: a `GrownSet` is in the very order of the set that it stands for.

Source: CPython 3.11, Objects/setobject.c; River 0.26.1, the modules named here.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

T = TypeVar("T")

# Modules that keep a set and go through it to find an answer.
_WITH_SETS = (
    "compose.select",
    "dummy",
    "forest.aggregated_mondrian_forest",
    "multiclass.ovo",
    "neighbors.knn_classifier",
    "tree.hoeffding_tree_classifier",
    "tree.last_classifier",
    "tree.splitter.nominal_splitter_classif",
)


class GrownSet(set[T]):
    """A set whose copies are in the same order, and stay so as it grows.

    The order of a set that only ever grew follows from the order in which its elements came. So
    that is remembered, and a copy grows anew. After elements were taken away, the copies are equal
    as sets are.

    Args:
        items: The first elements, in the order in which they come.

    >>> import pickle
    >>> keys = GrownSet(["temp", "atemp", "hum", "windspeed"])
    >>> list(pickle.loads(pickle.dumps(keys))) == list(keys) == list(set(keys.came))
    True
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        super().__init__()
        self.update(items)

    @property
    def came(self) -> list[T]:
        """The elements in the order in which they came."""
        came = filter(self.__contains__, vars(self).get("_came", ()))
        return list(dict.fromkeys([*came, *self]))

    def add(self, item: T) -> None:
        """As of any set."""
        if item not in self:
            super().add(item)
            vars(self).setdefault("_came", {})[item] = None

    def update(self, *others: Iterable[T]) -> None:
        """As of any set, one by one."""
        for items in others:
            for item in items:
                self.add(item)

    def clear(self) -> None:
        """As of any set."""
        super().clear()
        vars(self).clear()

    def __reduce__(self) -> tuple[type[Self], tuple[list[T]]]:
        return type(self), (self.came,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """As of any set: from its elements in their order, which River's own copies follow."""
        return type(self)(list(self))


class Key:
    """What a thing is filed under for good; copied with all that is filed, it is still the key."""

    def __init__(self, _thing: object) -> None:
        pass


def _itself(thing: T) -> T:
    return thing


_GIVEN: dict[str, tuple[str, Callable[..., Any]]] = {
    **{f"river.{module}": ("set", GrownSet) for module in _WITH_SETS},
    "river.feature_extraction.kernel_approx": ("id", _itself),
    "river.rules.amrules": ("hash", Key),
}


def give_river_its_builtins() -> bool:
    """Put them where River's loaded modules look before they look for Python's.

    To be called when modules were loaded, before anything of theirs is built or learns.

    Returns:
        Whether any module had not had them: what was built of it until now holds Python's own.
    """
    is_new = False
    for module in _GIVEN.keys() & sys.modules.keys():
        name, what = _GIVEN[module]
        names = vars(sys.modules[module])
        is_new |= names.get(name) is not what
        names[name] = what
    return is_new
