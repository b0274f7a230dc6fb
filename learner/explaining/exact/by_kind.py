"""The parts of an answer of River's, where they are known: by the type of the last step.

The steps before the last are run as they are for a prediction. Where a step makes features of its
own, what they add counts for the feature whose name theirs begins with, else under their own.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from river import compose

from learner.explaining.exact.bayes import bayes_parts
from learner.explaining.exact.linear import linear_parts
from learner.explaining.exact.parts import AnswerParts, AnswerTarget
from learner.explaining.exact.trees import tree_parts


def exact_parts(model: Any, x: Mapping[str, Any], target: AnswerTarget) -> AnswerParts | None:
    """The parts of a model's answer to x; None: of its kind they are not known.

    Whether they make the answer is for the caller to check.

    Raises:
        Exception: Whatever a step raises.
    """
    z: Mapping[str, Any] = x
    while isinstance(model, compose.Pipeline):
        *before, model = model.steps.values()
        for step in before:
            if not hasattr(step, "transform_one"):
                return None
            z = step.transform_one(z)
    found = (
        linear_parts(model, z, target)
        or bayes_parts(model, z, target)
        or tree_parts(model, z, target, exact_parts)
    )
    if found is None:
        return None
    return replace(found, contributions=by_origin(found.contributions, x))


def by_origin(contributions: Mapping[str, float], x: Mapping[str, Any]) -> dict[str, float]:
    """What made features add, under the feature that each was made of.

    >>> made = {"city_Rome": 1.0, "city_Oslo": 0.5, "a*b": 2.0}
    >>> by_origin(made, {"city": "Rome", "a": 1, "b": 2})
    {'city': 1.5, 'a*b': 2.0}
    """
    found: dict[str, float] = {}
    for name, contribution in contributions.items():
        origin = name if name in x else _origin(str(name), x)
        found[origin] = found.get(origin, 0.0) + contribution
    return found


def _origin(name: str, x: Mapping[str, Any]) -> str:
    """The longest name of a feature that this one begins with, as River's encoders write them."""
    cut = name.rfind("_")
    while cut > 0:
        if name[:cut] in x:
            return name[:cut]
        cut = name.rfind("_", 0, cut)
    return name
