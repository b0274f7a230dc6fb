"""What stands in the way when a model cannot be pickled: which attribute, and what it holds.

Pickle says that a lambda was in the way and not where. The way there is found by pickling each part
of an object on its own, then the parts of the part that fails, down to one whose parts all succeed.
"""

import functools
import io
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from learner.deep_pickle import dumps
from learner.errors import SpecError

# Objects looked into, at most: each is pickled part by part.
_LOOKED_AT_MAX = 10_000
_RULE = (
    "use functions and classes that stand at the top of a module, and keep no file, lock or "
    "generator in it"
)
_LOCAL = "<locals>"
_HARMLESS = (type(None), bool, int, float, str, bytes)
_WITHOUT_PARTS = (type, FunctionType, ModuleType, *_HARMLESS)


class UnwritableError(SpecError):
    """The model holds what cannot be pickled, so that no version can be made of it.

    Operator: mend the model's class; the message names the attribute.
    """


def pickled(payload: Mapping[str, Any], name: str, key: str) -> bytes:
    """What a version keeps of a learner, under `estimator`, and all that goes with it.

    Args:
        name: What the model is called.
        key: Where it stands in the model file.

    Raises:
        UnwritableError: It holds what cannot be pickled.
    """
    try:
        return dumps(payload)
    except Exception as error:
        what = what_is_unwritable(payload["estimator"])
        why = f"{name} cannot be made into a version: {what}; {_RULE}"
        raise UnwritableError(key, why) from error


def what_is_unwritable(model: object) -> str:
    """Which part of a model that does not pickle is in the way, and what it is.

    >>> from river import compose, linear_model
    >>> model = compose.FuncTransformer(lambda x: x) | linear_model.LinearRegression()
    >>> what_is_unwritable(model)
    "steps['<lambda>'].func is a lambda (learner.trial.unwritable.<lambda>)"
    """
    path, part = _Search().within(model, "") or ("", model)
    return f"{path.removeprefix('.') or 'the model itself'} is {_told(part)}"


class _Search:
    """A walk through an object that looks at nothing twice; what it looks at stays alive."""

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}

    def within(self, whole: object, path: str) -> tuple[str, object] | None:
        """The way to the smallest part that does not pickle, and that part.

        None where all that fails leads back to what was seen: it fails elsewhere.
        """
        self._seen[id(whole)] = whole
        leads_back = False
        for suffix, part in _parts(whole):
            if _pickles(part):
                continue
            if id(part) in self._seen or len(self._seen) >= _LOOKED_AT_MAX:
                leads_back = True
                continue
            found = self.within(part, path + suffix)
            if found is not None:
                return found
            leads_back = True
        return None if leads_back else (path, whole)


def _parts(whole: Any) -> Iterator[tuple[str, Any]]:
    """What an object hands to pickle, each with how it is reached."""
    if isinstance(whole, _WITHOUT_PARTS):
        return
    if isinstance(whole, dict):
        yield from ((f"[{key!r}]", value) for key, value in whole.items())
        yield from ((f".<key {key!r}>", key) for key in whole)
    if isinstance(whole, list | tuple | set | frozenset | deque):
        yield from ((f"[{place}]", part) for place, part in enumerate(whole))
    try:
        reduced = whole.__reduce_ex__(5)
    except Exception:
        return  # pickle's own words for it are told
    if isinstance(reduced, tuple):
        yield from _parts_of_reduced(reduced, _FIRST_ARGUMENTS.get(type(whole), "<argument>"))


# What the first argument is, of those that are built again by a call.
_FIRST_ARGUMENTS: dict[type, str] = {
    MethodType: "__self__",
    defaultdict: "default_factory",
    functools.partial: "func",
}


def _parts_of_reduced(reduced: tuple[Any, ...], name: str) -> Iterator[tuple[str, Any]]:
    _, arguments, state, *_ = (*reduced, None)
    for argument in arguments:
        if not isinstance(argument, type):
            yield f".{name}", argument
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    for each in (attributes, slots):
        if isinstance(each, dict):
            yield from ((f".{name}", value) for name, value in each.items())
        elif each is not None:
            yield ".<state>", each


def _pickles(part: object) -> bool:
    if isinstance(part, _HARMLESS):
        return True
    try:
        dumps(part)
    except Exception:
        return False
    return True


def _told(part: Any) -> str:
    kind = part if isinstance(part, type) else type(part)
    if isinstance(part, FunctionType):
        what = "a lambda" if part.__name__ == "<lambda>" else "a function"
        within = " made within another" if _LOCAL in part.__qualname__ and what[2] == "f" else ""
        return f"{what}{within} ({part.__module__}.{part.__qualname__})"
    for sort, name in _SORTS:
        if isinstance(part, sort):
            return name
    if _LOCAL in kind.__qualname__:
        what = "a class" if kind is part else "of a class"
        return f"{what} made within a function ({kind.__module__}.{kind.__qualname__})"
    return f"a {kind.__module__}.{kind.__qualname__} ({_problem(part)})"


_SORTS: tuple[tuple[type, str], ...] = (
    (io.IOBase, "an open file"),
    (GeneratorType, "a generator"),
    (ModuleType, "a module"),
)


def _problem(part: object) -> str:
    try:
        dumps(part)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "it pickles on its own"
