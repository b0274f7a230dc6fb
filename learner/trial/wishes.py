"""Asking a model of which nothing is known but its file: about features that it asks for itself.

A model that looks up `x["age"]` raises without it, and what it raises says nothing of it. So it is
first asked about features that note what is looked for, then about plain ones of those names.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from config.model.parts import FeatureSpec
from learner.errors import SpecError
from learner.estimator import Estimator
from learner.plain import AnswerError
from learner.trial.probe import TIMES_AT_FIRST, PredictChangesError, cut_probe

# One of each kind that a feature can be of.
_VALUES: tuple[Any, ...] = (0.5, True, 3, "a")
_BY_TYPE: dict[str, Any] = {"float": 0.5, "int": 3, "bool": True, "string": "a"}


class _Noting(dict[str, Any]):
    """Features of which every name is there; it notes which are looked for."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value, self.names = value, dict[str, None]()

    def __missing__(self, name: str) -> Any:
        self.names[name] = None
        return self._value

    def __contains__(self, name: object) -> bool:
        self.names[str(name)] = None
        return True

    def get(self, name: str, _default: Any = None) -> Any:
        """The value, whatever the default."""
        return self[name]


def try_asking(
    estimator: Estimator, features: Mapping[str, FeatureSpec] | None, *, key: str, name: str
) -> None:
    """Ask an untrained learner, which may have kept a question and must not be used any more.

    Args:
        features: Those that the model file lists.
        key: The section of the model file to be blamed.
        name: The model's, as its user knows it.

    Raises:
        PredictChangesError: It is changed by being asked.
        SpecError: It answers what is no prediction, whatever it is asked.
    """
    answered = [_asked(estimator, x, key=key, name=name) for x in _questions(estimator, features)]
    mistakes = [each for each in answered if isinstance(each, AnswerError)]
    if mistakes and True not in answered:
        raise SpecError(key, str(mistakes[0]))


def _asked(estimator: Estimator, x: Any, *, key: str, name: str) -> bool | AnswerError:
    """Whether it has a prediction or knows that it has none; its mistake if it made one."""
    try:
        cut_probe(estimator, x, key=key, name=name, times=TIMES_AT_FIRST)
    except AnswerError as mistake:
        return mistake
    except PredictChangesError:
        raise
    except BaseException:  # the question is ours: it may never be asked that
        return False
    return True


def _questions(
    estimator: Estimator, features: Mapping[str, FeatureSpec] | None
) -> Iterator[dict[str, Any]]:
    """Features to ask about: none, and for each kind of value those that it looks for."""
    yield {}
    listed = {name: _BY_TYPE[spec.type] for name, spec in (features or {}).items()}
    for value in _VALUES:
        noting = _Noting(value)
        with contextlib.suppress(BaseException):
            estimator.predict(noting)
        yield {**dict.fromkeys(noting.names, value), **listed}
