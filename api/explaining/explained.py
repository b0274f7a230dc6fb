"""One explanation, from a request's body to its answer, within a budget of the processor."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.http.bodies import decoder
from api.http.problem import HttpProblem, field_problem
from api.routes.predict import not_answered
from api.serving.load import Loaded
from learner.explaining.exact.parts import NoAnswerError
from learner.explaining.explain import (
    ROUNDS_MAX,
    Explanation,
    HowToExplain,
    Method,
    NotExplainedError,
)
from learner.values import Features, Label

_BREATH_S = 0.002  # an explanation lets other requests in so often


class ExplainBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One question, and how its answer is to be explained; `class` is a name of Python's."""

    features: Features | UnsetType = UNSET
    id: str | None = None
    key: str | None = None
    method: Method = "auto"
    samples: int | None = None
    top: int | None = None
    label: Label | None = msgspec.field(default=None, name="class")


_decode = decoder(ExplainBody)


class ExplainRequest:
    """A body that was read and is right in itself.

    Attributes:
        features: As the request has them.
        id: Of the question.
        asked: How it is to be explained.

    Raises:
        HttpProblem: 400 or 422.
    """

    def __init__(self, text: bytes) -> None:
        body = _decode(text)
        if body.features is UNSET:
            raise HttpProblem(422, "missing_field", "/features: it is missing", pointer="/features")
        if body.samples is not None and not 1 <= body.samples <= ROUNDS_MAX:
            raise field_problem("bad_value", ("samples",), f"from 1 to {ROUNDS_MAX} are taken")
        if body.top is not None and body.top < 1:
            raise field_problem("bad_value", ("top",), "it is 1 or more")
        self.features: Features = body.features
        self.id = body.id
        self.asked = HowToExplain(body.method, body.samples, body.top, body.label)


def begun(loaded: Loaded, question: ExplainRequest) -> Explanation:
    """The explanation of an answer that the version has already given.

    Raises:
        HttpProblem: 422: it cannot be had.
    """
    features = question.features
    try:
        found = loaded.model.explain(features, question.asked)
    except BaseException as error:  # as a prediction
        raise _problem(loaded, error, features) from error
    assert isinstance(found, Explanation), "the same features were not refused"
    return found


def stepped(
    loaded: Loaded,
    question: ExplainRequest,
    explanation: Explanation,
    background: tuple[Sequence[Mapping[str, Any]], int | None],
    budget_s: float,
) -> Iterator[None]:
    """Have the model asked until the explanation is whole or the budget spent.

    It yields every few milliseconds: what is done meanwhile costs the budget nothing.

    Raises:
        HttpProblem: 422: the model raised.
    """
    spent = breath = 0.0
    steps = explanation.steps(*background)
    while spent < budget_s:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            return
        except BaseException as error:  # as a prediction
            raise _problem(loaded, error, question.features) from error
        took = time.thread_time() - began
        spent, breath = spent + took, breath + took
        if breath >= _BREATH_S:
            breath = 0.0
            yield


def told(explanation: Explanation) -> dict[str, Any]:
    """The explanation, as far as it came.

    Raises:
        HttpProblem: 422: the budget did not reach for anything.
    """
    try:
        return explanation.told()
    except NotExplainedError as error:
        raise _not_explained(error) from error


def _problem(loaded: Loaded, error: BaseException, features: Features) -> HttpProblem:
    if isinstance(error, NotExplainedError):
        return _not_explained(error)
    if isinstance(error, NoAnswerError):
        return field_problem("prediction_failed", ("features",), f"nothing to explain: {error}")
    return not_answered(loaded, error, features, ("features",))


def _not_explained(error: NotExplainedError) -> HttpProblem:
    """What no schema could say: which classes there are, or how a kind of model is explained."""
    if error.field == "class":
        return field_problem("not_found", (error.field,), str(error), status=404)
    return field_problem("bad_value", (error.field,), str(error))
