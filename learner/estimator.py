"""What every learner looks like to Weir, whatever library it comes from."""

from math import isfinite
from typing import Any, Protocol, TypeAlias

Native: TypeAlias = bool | int | float | str
Probabilities: TypeAlias = dict[Native, float]
Predicted: TypeAlias = tuple[Native | None, Probabilities | None]


class Estimator(Protocol):
    """A model that predicts and learns one example at a time.

    `x` is a flat dict for River and Python models, a dict that may hold one level of dicts for
    Vowpal Wabbit, or one line of its text format where the topic carries that. `y` is native:
    False or True for a binary task.

    Attributes:
        flattens: True where nested features reach it as "outer.inner", False where it takes
            them nested.
        imputes: whether a null reaches it as None; else it is left out.
        fills: features that reach it as None where they are left out.
        takes_weight: whether `learn` admits a `w`.
        has_probabilities: whether its predictions can come with probabilities.
        predicts_as_it_learns: `learn` returns the prediction made before the update, so that
            `predict` need not be called first.
        draws_when_asked: a `predict` that raises may have moved a generator of random numbers.
        notes: what was settled for the user when the model was built, to be reported.
    """

    flattens: bool
    imputes: bool
    fills: tuple[str, ...]
    takes_weight: bool
    has_probabilities: bool
    predicts_as_it_learns: bool
    draws_when_asked: bool
    notes: tuple[str, ...]

    def predict(self, x: Any, /) -> Predicted:
        """The label and the probabilities, each None where the model has none; learns nothing."""

    def learn(self, x: Any, y: Any, w: float | None, /) -> Predicted | None:
        """Learn one example; the prediction made before it, where `predicts_as_it_learns`."""

    def dump(self) -> object:
        """All that is needed to continue as if never interrupted: what the snapshot pickles."""


def finite(value: Any) -> float | None:
    """The number as JSON can have it; None where it is NaN or infinite."""
    return float(value) if isfinite(value) else None


def are_wild(probabilities: Probabilities | None) -> bool:
    """Whether there are some, and one is NaN or infinite."""
    return probabilities is not None and not isfinite(sum(probabilities.values()))


def is_not_finite(predicted: Predicted) -> bool:
    """Whether a label, a number or one of the probabilities is NaN or infinite.

    >>> is_not_finite((float("nan"), None)), is_not_finite((None, {}))
    (True, False)
    """
    label, probabilities = predicted
    return (type(label) is float and not isfinite(label)) or are_wild(probabilities)
