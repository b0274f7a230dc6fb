"""From the model file's words to a River model.

A component is its name, or a mapping of its name to its arguments: a mapping by keyword, a list by
position. In the place of an argument whatever names a River class is a component, a list of
components is a pipeline, and the rest is data.
"""

import inspect
from collections.abc import Iterator
from importlib.metadata import version as installed
from typing import Any

from river import base, compose

from config.text.nearest import did_you_mean
from learner.errors import SpecError
from learner.river.components import (
    REFUSED_ARGUMENTS,
    component_class,
    is_typing_error,
    looks_like_component,
    why_not,
)

# What a component's `seed: null` becomes: nothing here draws an unseeded random number.
SEED = 42
KEY = "learner.river"
_OLDEST_RIVER = (0, 26)


def build_pipeline(spec: list[Any]) -> tuple[Any, tuple[str, ...]]:
    """The model that the list describes, and notes on what was settled for the user.

    Raises:
        SpecError: A name or an argument is unknown, or River refuses it; with the key's path. Or
            River itself is too old.

    >>> model, notes = build_pipeline(
    ...     ["preprocessing.StandardScaler", {"forest.ARFClassifier": {"n_models": 3}}]
    ... )
    >>> print(model, notes)
    StandardScaler | ARFClassifier ('learner.river[1].forest.ARFClassifier: seed 42, for want of \
one',)
    """
    require_river(installed("river"))
    builder = _Builder()
    steps = [builder.component(each, f"{KEY}[{i}]") for i, each in enumerate(spec)]
    for i, step in enumerate(steps[:-1]):
        if not isinstance(step, base.BaseTransformer | base.AnomalyFilter):
            key, name = f"{KEY}[{i}]", type(step).__name__
            raise SpecError(key, f"{name} is not a transformer, so it can only be the last step")
    return _pipeline(steps, KEY), tuple(builder.notes)


def require_river(version: str) -> None:
    """Refuse a River that lacks what is needed here.

    Raises:
        SpecError: It is too old.

    >>> require_river("0.25.0")
    Traceback (most recent call last):
        ...
    learner.errors.SpecError: learner.river: needs River 0.26 or newer, and 0.25.0 is installed: \
install this Weir's packages again (`make setup`), or run the Weir that came with that River
    """
    if tuple(map(int, version.split(".")[:2])) < _OLDEST_RIVER:
        oldest = ".".join(map(str, _OLDEST_RIVER))
        raise SpecError(
            KEY,
            f"needs River {oldest} or newer, and {version} is installed: install this Weir's "
            "packages again (`make setup`), or run the Weir that came with that River",
        )


def step_problems(spec: list[Any]) -> Iterator[SpecError]:
    """The first problem of each step by itself; whether they make a pipeline is not asked.

    >>> [problem.key for problem in step_problems(["preprocessing.StandardScalr", "no.Name"])]
    ['learner.river[0]', 'learner.river[1]']
    """
    for i, each in enumerate(spec):
        try:
            _Builder().component(each, f"{KEY}[{i}]")
        except SpecError as problem:
            yield problem


class _Builder:
    """Builds components, and remembers what it settled on the way."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def component(self, node: Any, key: str) -> Any:
        """The component that a node must be."""
        named = _named(node)
        if named is None:
            raise SpecError(key, f"must name a component of River, not {str(node)[:80]!r}")
        name, arguments = named
        cls = component_class(name)
        if cls is None:
            raise SpecError(key, why_not(name))
        return self._built(cls, arguments, f"{key}.{name}")

    def _argument(self, node: Any, key: str, *, is_list: bool = False) -> Any:
        """What an argument is given: a component, a pipeline, or data."""
        named = _named(node)
        if named is not None and looks_like_component(named[0]):
            if component_class(named[0]) is not None:
                return self.component(node, key)
            if is_typing_error(named[0]):
                raise SpecError(key, why_not(named[0]))
        if isinstance(node, dict):
            return {name: self._argument(each, f"{key}.{name}") for name, each in node.items()}
        if isinstance(node, list):
            items = [self._argument(each, f"{key}[{i}]") for i, each in enumerate(node)]
            return items if is_list or not _are_estimators(items) else _pipeline(items, key)
        return node

    def _built(self, cls: type, arguments: Any, key: str) -> Any:
        parameters = inspect.signature(cls).parameters
        by_position, by_keyword = self._arguments(arguments, parameters, key)
        try:
            bound = inspect.signature(cls).bind(*by_position, **by_keyword)
        except TypeError as error:
            raise SpecError(key, f"{error} (it takes {_listed(parameters)})") from error
        for name, value in bound.arguments.items():
            if name in REFUSED_ARGUMENTS:
                raise SpecError(f"{key}.{name}", REFUSED_ARGUMENTS[name])
            if not _suits(value, str(parameters[name].annotation)):
                raise SpecError(f"{key}.{name}", _unsuited(value, parameters[name].annotation))
        if "seed" in parameters and bound.arguments.get("seed") is None:
            bound.arguments["seed"] = SEED
            self.notes.append(f"{key}: seed {SEED}, for want of one")
        try:
            return cls(*bound.args, **bound.kwargs)
        except Exception as error:
            raise SpecError(key, f"River refuses this: {type(error).__name__}: {error}") from error

    def _arguments(
        self, arguments: Any, parameters: Any, key: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """Arguments by position and by keyword, each built."""
        if arguments is None:
            return [], {}
        if isinstance(arguments, dict) and _named(arguments) is None:
            return [], self._by_keyword(arguments, parameters, key)
        given = arguments if isinstance(arguments, list) else [arguments]
        takes = [each for each in parameters.values() if each.kind in _BY_POSITION]
        return [
            self._argument(node, f"{key}[{i}]", is_list=i < len(takes) and _is_list(takes[i]))
            for i, node in enumerate(given)
        ], {}

    def _by_keyword(self, arguments: dict[Any, Any], parameters: Any, key: str) -> dict[str, Any]:
        built = {}
        for name, node in arguments.items():
            place = f"{key}.{name}"
            parameter = parameters.get(name)
            if several := _any_number(parameters):
                raise SpecError(place, _as_a_list(key, several, arguments))
            if parameter is None or parameter.kind not in _BY_KEYWORD:
                guess = did_you_mean(str(name), parameters) or f": it takes {_listed(parameters)}"
                raise SpecError(place, f"is not an argument of {key.rpartition('.')[2]}{guess}")
            built[name] = self._argument(node, place, is_list=_is_list(parameter))
        return built


# The words of River's annotations that tell what an argument may be.
_SCALARS = {"bool", "float", "int", "str"}
_COMPONENTS = ("bandit.", "base.", "drift.", "metrics.", "optim.", "proba.", "stats.")

_BY_POSITION = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_BY_KEYWORD = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def _named(node: Any) -> tuple[str, Any] | None:
    """The name and the arguments of what is written like a component."""
    if isinstance(node, str):
        return node, None
    if isinstance(node, dict) and len(node) == 1:
        ((name, arguments),) = node.items()
        if looks_like_component(name):
            return name, arguments
    return None


def _is_list(parameter: inspect.Parameter) -> bool:
    """Whether a list of components given here is a list of models, and no pipeline."""
    wanted = str(parameter.annotation).lower()
    return parameter.name == "models" or wanted.startswith(("list", "tuple", "sequence"))


def _any_number(parameters: Any) -> str:
    """What a component takes any number of, by position only: the `imputers` of `*imputers`."""
    several = (each for each in parameters.values() if each.kind is each.VAR_POSITIONAL)
    return "".join(each.name for each in several)


# What follows a component that takes any number of these.
_LISTS = {
    "imputers": "[[temp, stats.Mean], [wind, stats.Max]]",
    "keys": "[temp, wind]",
    "steps": "[preprocessing.StandardScaler, linear_model.LinearRegression]",
    "transformers": "[preprocessing.StandardScaler, preprocessing.MinMaxScaler]",
}


def _as_a_list(key: str, several: str, given: dict[Any, Any]) -> str:
    name = ".".join(key.split(".")[-2:])
    names = ", ".join(map(str, given))
    example = f"{name}: {_LISTS.get(several, '[…]')}"
    return f"takes its {several} as a list, by position and not by name ({names}), as in {example}"


def _suits(value: Any, annotation: str) -> bool:
    """Whether a value may be meant for an argument: False where River would fail only later.

    Annotations that speak of more than numbers, strings and components tell nothing.
    """
    names = {name.strip() for name in annotation.split("|")}
    scalars = names & _SCALARS
    components = {name for name in names if name.startswith(_COMPONENTS)}
    if value is None or not names <= scalars | components | {"None"}:
        return True
    if isinstance(value, str):
        return "str" in scalars
    if isinstance(value, bool | int | float):
        return bool(scalars - {"str"})
    return bool(components) and not isinstance(value, list | dict)


def _unsuited(value: Any, annotation: str) -> str:
    shown = type(value).__name__ if isinstance(value, base.Base) else repr(value)[:80]
    return f"takes {annotation}, not {shown}"


def _are_estimators(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, base.Estimator) for item in items)


def _pipeline(steps: list[Any], key: str) -> Any:
    if len(steps) == 1:
        return steps[0]
    try:
        return compose.Pipeline(*steps)
    except (TypeError, ValueError) as error:
        raise SpecError(key, f"these do not make a pipeline: {error}") from error


def _listed(parameters: Any) -> str:
    return ", ".join(parameters) or "no arguments"
