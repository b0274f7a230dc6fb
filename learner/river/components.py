"""River's components by name, as its documentation writes them: `linear_model.LogisticRegression`.

Only those of the modules that `config/river_modules.py` lets a model file name, and none that takes
Python functions.
"""

import inspect
import re
from collections.abc import Collection
from importlib import import_module

from config.river_modules import HELD, NAMED, OUTSIDE
from config.text.nearest import did_you_mean, nearest
from learner.river.builtins import give_river_its_builtins

_FUNCTIONS = "takes Python functions or types, which a model file cannot give"
_NOT_A_POLICY = (
    "asks of River's model selection what it does not give: use bandit.UCB or EpsilonGreedy"
)
# What cannot be learned with, or not go on from a version as if it had never stopped, and why.
_REFUSED = {
    "bandit.LinUCBDisjoint": _NOT_A_POLICY,
    "bandit.ThompsonSampling": _NOT_A_POLICY,
    "compose.FuncTransformer": _FUNCTIONS,
    "compose.SelectType": _FUNCTIONS,
    "compose.TargetTransformRegressor": _FUNCTIONS,
    "neighbors.SWINN": "keeps a part of its graph in its class, so that no version of it answers "
    "as it did: use neighbors.LazySearch",
    "preprocessing.LDA": "keeps functions of numpy's, which no version may hold: "
    "use feature_extraction.TFIDF",
    "utils.TimeRolling": _FUNCTIONS,
}
# The same of arguments, whichever component takes them.
REFUSED_ARGUMENTS = {
    "memory_estimate_period": "has a tree measured as Python keeps it, which is not the same in "
    "any two copies, so that they would be pruned otherwise: bound it by max_depth",
}
_NAME = re.compile(r"[a-z_]+(?:\.[a-z_]+)*\.[A-Z]\w*", re.ASCII)


def looks_like_component(name: object) -> bool:
    """Whether this is written like a component of River: `module.Name`."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def component_class(name: str) -> type | None:
    """The class of that name, or None.

    >>> component_class("preprocessing.StandardScaler")
    <class 'river.preprocessing.scale.StandardScaler'>
    >>> component_class("datasets.Phishing") is None
    True
    """
    module, _, short = name.rpartition(".")
    if module not in NAMED or name in _REFUSED:
        return None
    return _public_classes(module).get(short)


def is_one_of(names: Collection[str], part: object) -> bool:
    """Whether `part` is one of these components or of a class made of one.

    By name, so that nobody has to load River's slow modules to ask.

    >>> from river import preprocessing
    >>> is_one_of({"preprocessing.MinMaxScaler"}, preprocessing.MinMaxScaler())
    True
    >>> is_one_of({"preprocessing.MinMaxScaler"}, preprocessing.StandardScaler())
    False
    """
    return any(_documented_name(each) in names for each in type(part).__mro__)


def _documented_name(cls: type) -> str:
    library, _, module = cls.__module__.partition(".")
    return f"{module.partition('.')[0]}.{cls.__name__}" if library == "river" else ""


def why_not(name: str) -> str:
    """What is wrong with a name that `component_class` does not know."""
    if name in _REFUSED:
        return f"river's {name} {_REFUSED[name]}"
    if is_elsewhere(name):
        return f"river's {name} is no component of a model"
    return f"river has no {name}{did_you_mean(name, component_names())}"


def is_typing_error(name: str) -> bool:
    """Whether a name in the place of data must be meant for a component of River."""
    module, _, _ = name.rpartition(".")
    if name in _REFUSED or is_elsewhere(name):
        return True
    return module in NAMED and nearest(name, _names(module)) is not None


def is_elsewhere(name: str) -> bool:
    """Whether River has this class in a module that models are not made of."""
    module, _, short = name.rpartition(".")
    if module not in (*HELD, *OUTSIDE):
        return False
    return inspect.isclass(getattr(import_module(f"river.{module}"), short, None))


def _public_classes(module: str) -> dict[str, type]:
    loaded = import_module(f"river.{module}")
    give_river_its_builtins()
    # River's __all__ names some that do not exist, such as drift.PeriodicTrigger.
    found = {name: getattr(loaded, name, None) for name in loaded.__all__}
    return {
        name: each
        for name, each in found.items()
        if inspect.isclass(each) and not inspect.isabstract(each)
    }


def _names(module: str) -> list[str]:
    return [f"{module}.{name}" for name in _public_classes(module)]


def component_names() -> list[str]:
    """All that `component_class` knows."""
    return [name for module in NAMED for name in _names(module) if name not in _REFUSED]
