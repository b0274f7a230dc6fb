"""Models that are loaded as fast as those that were built.

CPython keeps the attributes of an object in the object itself until somebody asks for its
`__dict__`; from then on they live in a dict beside it, for good, and every look-up takes longer. To
pickle an object, or to load one, is to ask. A logistic regression learns a tenth slower after it, a
Hoeffding tree a quarter.

So what is to learn is never pickled in its own process (a commit forks), and what is loaded to
learn is given its attributes one by one.

Source: CPython 3.11, Objects/object_layout.md; Modules/_pickle.c, `load_build`.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from river import base

_HOOK = "__setstate__"
_known_descriptors: dict[type, frozenset[str]] = {}


@contextmanager
def inline_attributes() -> Iterator[None]:
    """River's objects that are unpickled within this block keep their attributes in themselves.

    Those with a `__setstate__` of their own, and objects that are not River's, are loaded as ever.
    For one thread: the block changes River's base class while it lasts.
    """
    assert not hasattr(base.Base, _HOOK), "one block at a time"
    setattr(base.Base, _HOOK, _set_attributes)
    try:
        yield
    finally:
        delattr(base.Base, _HOOK)


def set_attributes(target: object, state: dict[str, Any]) -> None:
    """What `vars(target).update(state)` does, without a look at `__dict__`.

    >>> from river import drift
    >>> detector = drift.ADWIN()
    >>> set_attributes(detector, {"delta": 0.5})
    >>> detector.delta
    0.5
    """
    if _are_plain(state) and _descriptors(type(target)).isdisjoint(state):
        for name, value in state.items():
            object.__setattr__(target, sys.intern(name), value)
    else:  # an attribute of that name would be caught by the class
        vars(target).update(state)


def _set_attributes(self: base.Base, state: Any) -> None:
    """As `object` would, by pickle's rules: a dict, or one for `__dict__` and one for slots."""
    own = getattr(super(base.Base, self), _HOOK, None)
    if own is not None:  # of a class that River's base class stands before
        own(state)
        return
    attributes, slots = state if type(state) is tuple else (state, None)
    if attributes is not None:
        set_attributes(self, attributes)
    for name, value in (slots or {}).items():
        setattr(self, name, value)


def _are_plain(names: Iterable[Any]) -> bool:
    return set(map(type, names)) <= {str}


def _descriptors(cls: type) -> frozenset[str]:
    """Names that the class answers for itself whatever the object holds: its properties."""
    if cls not in _known_descriptors:
        _known_descriptors[cls] = frozenset(
            name
            for owner in cls.__mro__
            for name, value in vars(owner).items()
            if hasattr(type(value), "__set__")
        )
    return _known_descriptors[cls]
