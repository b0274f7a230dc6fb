"""SciPy when it is used: River imports most of it, and most models use none.

A second and 60 MB in every process that has River. What stands for a part of SciPy until then is
for River's own modules; whoever else asks for one, or any function that is run, gets SciPy's.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["let_river_wait"]

_PARTS = (
    "scipy.integrate", "scipy.io", "scipy.io.arff", "scipy.io.arff._arffread", "scipy.ndimage",
    "scipy.sparse", "scipy.special", "scipy.stats",
)  # fmt: skip

# Of which NumPy has the same, to the last bit: one that every ROC AUC needs.
_IN_NUMPY = {"scipy.integrate.trapezoid": "trapezoid"}


def let_river_wait() -> None:
    """Let River's modules, which are imported from now on, have SciPy's parts when they use them.

    Parts that are there already stay as they are.
    """
    for name in _PARTS:
        sys.modules.setdefault(name, _StandIn(name))


class _StandIn(ModuleType):
    """Stands for a part until the first of its names is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        asker = sys._getframe(1)  # noqa: SLF001
        is_module = asker.f_code.co_name == "<module>"
        if is_module and asker.f_globals["__name__"].startswith("river."):
            return _Name(self.__name__, name)  # `from scipy.stats import f`
        in_numpy = _IN_NUMPY.get(f"{self.__name__}.{name}")
        part = _scipys(self.__name__) if in_numpy is None else import_module("numpy")
        found = getattr(part, in_numpy or name)
        setattr(self, name, found)
        return found


class _Name:
    """Stands for a name that a module of River imported."""

    def __init__(self, part: str, name: str) -> None:
        self._part, self._name = part, name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_scipys(self._part), self._name), name)

    def __call__(self, *given: Any, **more: Any) -> Any:
        return getattr(_scipys(self._part), self._name)(*given, **more)


def _scipys(part: str) -> ModuleType:
    """The part itself. SciPy's own modules are to find one another: none is stood for any more."""
    for name in _PARTS:
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]
    return import_module(part)
