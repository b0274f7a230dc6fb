"""The probe: a question whose answer a version keeps, so that whoever loads it can compare.

It is asked more than once: a model that is changed by being asked has no answer to compare with,
and what it would serve is not what it has learned.
"""

from collections.abc import Mapping
from typing import Any

from learner.errors import SpecError
from learner.estimator import Estimator, Predicted

_TIMES = 3
# Of a model that has learned nothing: a count that shows in every fiftieth answer is a count.
TIMES_AT_FIRST = 100


class PredictChangesError(SpecError):
    """The model answered the same features differently when it was asked again.

    Operator: mend the model's class: `predict_one` may change nothing and draw nothing at random;
    what it has to count belongs into `learn_one`.
    """

    def __init__(
        self, key: str, name: str, x: object, answers: tuple[Predicted, Predicted]
    ) -> None:
        first, second = (label if chances is None else chances for label, chances in answers)
        super().__init__(
            key,
            f"predict_one of {name} changes the model: asked again about {_shown(x)} it answered "
            f"{_shown(first)}, then {_shown(second)}. What it served would not be what it learned: "
            "let predict_one change nothing and draw nothing at random",
        )


def cut_probe(
    estimator: Estimator, x: Any, *, key: str, name: str, times: int = _TIMES
) -> dict[str, Any]:
    """The question `x` and its answer, for the payload of a snapshot.

    Args:
        x: Features as the learner takes them. It gets copies: it may write into what it is given.
        key: The section of the model file to be blamed.
        name: The model's, as its user knows it.
        times: How often it is asked.

    Raises:
        PredictChangesError: It answers differently when it is asked again.
        Exception: Whatever else the estimator raises.
    """
    first = estimator.predict(_copy(x))
    for _ in range(1, times):
        again = estimator.predict(_copy(x))
        if not same_predicted(again, first):
            raise PredictChangesError(key, name, x, (first, again))
    return {"x": x, "predicted": first}


def same_predicted(one: Predicted, other: Predicted) -> bool:
    """Equal to the last bit, as far as both have probabilities; NaN is NaN.

    >>> same_predicted((True, None), (True, {True: 0.5}))
    True
    >>> same_predicted((0.1 + 0.2, None), (0.3, None))
    False
    """
    (label, chances), (other_label, other_chances) = one, other
    if not _same(label, other_label):
        return False
    if chances is None or other_chances is None:
        return True
    return chances.keys() == other_chances.keys() and all(
        _same(chance, other_chances[key]) for key, chance in chances.items()
    )


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (one != one and other != other)


def _copy(x: Any) -> Any:
    if not isinstance(x, Mapping):
        return x
    return {name: dict(value) if type(value) is dict else value for name, value in x.items()}


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
