"""Which models do something with a null: those of which a step asks for None.

Everywhere else a null feature is absent, since most of River raises on None. A step that asks is
found by its own code, River's (`StatImputer`, `PreviousImputer`, `OrdinalEncoder`) like the user's:
one of its verbs compares with None what it took from the features.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any

from river import base, compose

from learner.river.components import is_one_of

_VERBS = ("learn_one", "transform_one", "predict_one", "predict_proba_one", "score_one")
# Parts looked at of one model, and of one list: settings, steps and templates, not what it learned.
_PARTS_MAX = 10_000
_ITEMS_MAX = 1_000
_STAT_IMPUTER = frozenset({"preprocessing.StatImputer"})
# What comes before an imputer and leaves a feature its name.
_HANDS_ON = frozenset({"compose.Select", "compose.Discard", "preprocessing.PreviousImputer"})
_TAKING = frozenset({"get", "items", "pop", "values"})


def imputes(model: Any) -> bool:
    """Whether a step of the model, however deep within, looks for features that are None.

    >>> from river import linear_model, preprocessing, stats
    >>> imputer = preprocessing.StatImputer(("age", stats.Mean()))
    >>> imputes((preprocessing.StandardScaler() + imputer) | linear_model.LinearRegression())
    True
    >>> imputes(preprocessing.StandardScaler() | linear_model.LinearRegression())
    False
    """
    return any(_asks(type(part)) or _asks_itself(part) for part in parts_of(model))


def filled(model: Any) -> tuple[str, ...]:
    """The features that a `StatImputer` is given for, where what an event has reaches it by the
    same names: it raises on those that an event leaves out, and for us null is the same.

    >>> from river import linear_model, preprocessing
    >>> filled(preprocessing.StatImputer(("age", 0)) | linear_model.LinearRegression())
    ('age',)
    """
    return tuple(dict.fromkeys(_filled(model)))


def _filled(step: Any) -> Iterator[str]:
    if is_one_of(_STAT_IMPUTER, step):
        yield from (name for name in step.stats if isinstance(name, str))
    elif type(step) is compose.TransformerUnion:
        for each in step.transformers.values():
            yield from _filled(each)
    elif type(step) is compose.Pipeline:
        for each in step.steps.values():
            yield from _filled(each)
            if not is_one_of(_HANDS_ON | _STAT_IMPUTER, each):
                return


def parts_of(model: Any) -> Iterator[Any]:
    """The model and what it is made of, each once."""
    waiting, seen = [model], {id(model)}
    while waiting and len(seen) < _PARTS_MAX:
        part = waiting.pop()
        yield part
        for each in islice(_children(part), _ITEMS_MAX):
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)


def _children(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    if isinstance(part, list | tuple | set | frozenset):
        return part
    if type(part) is compose.Pipeline:
        return part.steps.values()
    if type(part) is compose.TransformerUnion:
        return part.transformers.values()
    if type(part).__module__.partition(".")[0] == "river":
        return _settings(part) if isinstance(part, base.Base) else ()
    return vars(part).values() if hasattr(part, "__dict__") and not callable(part) else ()


def _settings(part: base.Base) -> Iterator[Any]:
    """What it was made with: what it learned may be large, and holds no step."""
    for name in inspect.signature(type(part)).parameters:
        if hasattr(part, name):
            yield getattr(part, name)


def _asks_itself(part: Any) -> bool:
    """Whether it is a function that asks, as `compose.FuncTransformer` is given one."""
    return inspect.isfunction(part) and _compares(part)


def _asks(kind: type) -> bool:
    verbs = (getattr(kind, verb, None) for verb in _VERBS)
    return any(inspect.isfunction(verb) and _compares(verb) for verb in verbs)


@cache
def _compares(function: Any) -> bool:
    """Whether a function compares with None what it takes from its features: `x[…]`, `x.get(…)`, or
    a name that was given that, or that runs over `x.items()`.
    """
    features = next((name for name in inspect.signature(function).parameters if name != "self"), "")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # no source that is Python's: it is not for us to say
        return False
    names = {name for node in ast.walk(tree) for name in _given(node, features)}
    return any(
        _is_taken(node.left, features) or getattr(node.left, "id", None) in names
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and _is_with_none(node)
    )


def _is_with_none(node: ast.Compare) -> bool:
    other = node.comparators[0]
    is_equation = isinstance(node.ops[0], ast.Is | ast.IsNot | ast.Eq | ast.NotEq)
    return is_equation and isinstance(other, ast.Constant) and other.value is None


def _given(node: ast.AST, features: str) -> Iterator[str]:
    """Names that this part of a function gives what it takes from the features."""
    if isinstance(node, ast.For | ast.comprehension):
        targets, source = [node.target], node.iter
    elif isinstance(node, ast.Assign):
        targets, source = node.targets, node.value
    elif isinstance(node, ast.NamedExpr):
        targets, source = [node.target], node.value
    else:
        return
    if _is_taken(source, features):
        found = (each for target in targets for each in ast.walk(target))
        yield from (each.id for each in found if isinstance(each, ast.Name))


def _is_taken(node: ast.AST, features: str) -> bool:
    """Whether an expression is `x[…]`, `x.get(…)`, `x.items()` or the like."""
    owner = getattr(node, "func", node) if isinstance(node, ast.Call) else node
    is_part = isinstance(owner, ast.Subscript | ast.Attribute)
    is_taking = is_part and getattr(owner, "attr", "get") in _TAKING
    return is_taking and getattr(getattr(owner, "value", None), "id", None) == features
