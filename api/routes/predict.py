"""Answering predictions: the served model, asked. Nothing here waits for another server."""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Response
from msgspec import UNSET

from api.http.bodies import PredictBody, decoder
from api.http.guard import RawBody, response_of
from api.http.lines import Line
from api.http.problem import Answer, HttpProblem, field_problem
from api.metrics import ApiMetrics
from api.openapi import answers
from api.openapi.details import raw_body, told
from api.openapi.problem_examples import BAD_FEATURE, NOT_READY
from api.openapi.questions import INSTANCES_MAX, Question, Questions
from api.prediction_log.notes import AnswerNotes
from api.serving.load import Loaded
from api.serving.served import ServedLine
from learner.errors import told_of
from learner.values import Features, Refusal

log = logging.getLogger(__name__)

PATH = "/v1/models/{model}/predict"
_BREATH_S = 0.005  # a batch lets other requests in so often

_FEATURES = {"empty_server_form_handler": 0.0, "https": 1.0, "age_of_domain": 1}
PREDICTION_EXAMPLE = {
    "prediction": True,
    "probabilities": {"true": 0.75, "false": 0.25},
    "prediction_id": "order-1",
    "model": "phishing",
    "version": "v17",
    "version_id": "4f1c" * 16,
    "learned": 1250,
    "age_seconds": 0.42,
}

_decode = decoder(PredictBody)
_encode = msgspec.json.Encoder().encode


class Predictor:
    """Answers `POST …/predict`.

    Args:
        models: Their names.
        metrics: Told of every outcome.
        clock_ms: Unix, UTC.
        notes: Where answers are noted that are to be written down.
    """

    def __init__(
        self,
        models: Iterable[str],
        metrics: ApiMetrics,
        clock_ms: Callable[[], int],
        notes: AnswerNotes,
    ) -> None:
        self._clock_ms, self._notes = clock_ms, notes
        self._counts = {
            name: {
                outcome: metrics.predictions(name, outcome)
                for outcome in ("ok", "refused", "failed", "not_ready")
            }
            for name in models
        }
        self.enter()

    def enter(self) -> None:
        """Be in a process of its own, just forked: its new ids are no other's."""
        # Unique as random ones are, without asking the system for each.
        self._run, self._number = secrets.token_hex(8), itertools.count()

    async def answer(self, line: ServedLine, text: bytes) -> Answer:
        """One prediction, or several by one version.

        Raises:
            HttpProblem: 400 or 422: the body; 503: no version is loaded yet.
        """
        body = _decode(text)
        loaded = self._loaded(line)
        if body.features is not UNSET and body.instances is UNSET:
            answer = self.one(line, loaded, body.features, body.id)
            return self._noted(line, (answer["prediction_id"],), text, written(answer))
        if body.instances is UNSET or body.features is not UNSET:
            detail = "send either features or instances"
            raise HttpProblem(422, "missing_field", detail, pointer="/features")
        if body.id is not None:
            raise HttpProblem(
                422, "bad_value", "/id: several answers have no one id", pointer="/id"
            )
        found = await self._several(line, loaded, body.instances, ("instances",))
        ids = [each["prediction_id"] for each in found]
        return self._noted(line, ids, text, written({"predictions": found}))

    async def answers(
        self,
        line: ServedLine,
        rows: Sequence[Features],
        *,
        place: Sequence[str | int],
        given: str | None = None,
    ) -> list[dict[str, Any]]:
        """Predictions by one version, for whoever tells them in other words than ours.

        They count, and are written down, as those of `POST …/predict`.

        Args:
            place: Where the rows stand in the request, for problems.
            given: The id of the prediction, where there is one row.

        Raises:
            HttpProblem: 422: a row cannot be answered; 503: no version is loaded yet.
        """
        loaded = self._loaded(line)
        only_id = self._id(line, given) if len(rows) == 1 else None
        found = await self._several(line, loaded, rows, place)
        if only_id is not None:
            found[0]["prediction_id"] = only_id
        content = written({"predictions": found})  # whatever cannot be is refused here, too
        if line.name in self._notes.logs:
            ids = [each["prediction_id"] for each in found]
            self._notes.add(line.name, ids, _encode({"instances": rows}), content)
        return found

    def one(
        self, line: ServedLine, loaded: Loaded, features: Features, given: str | None
    ) -> dict[str, Any]:
        """The answer to one question.

        Args:
            given: The question's id.

        Raises:
            HttpProblem: 422: it has none.
        """
        prediction_id = self._id(line, given)
        answer = self._ask(line, loaded, features, ("features",))
        answer["prediction_id"] = prediction_id
        answer |= facts(loaded, self._clock_ms())
        return answer

    def _noted(self, line: ServedLine, ids: Sequence[str], text: bytes, content: bytes) -> Answer:
        """The answer, which is written down where the model's are."""
        if line.name in self._notes.logs:
            self._notes.add(line.name, ids, text, content)
        return Answer(content=content)

    def _loaded(self, line: ServedLine) -> Loaded:
        try:
            return line.answering()
        except HttpProblem:
            self._counts[line.name]["not_ready"].add()
            raise

    def _id(self, line: ServedLine, given: str | None) -> str:
        if given is None:
            return self._new_id()
        limit = line.model_file.limits.string
        if len(given) > limit:
            detail = f"/id: {len(given)} characters, limits.string is {limit}"
            raise HttpProblem(422, "too_large", detail, pointer="/id")
        return given

    def _new_id(self) -> str:
        return f"{self._run}-{next(self._number):x}"

    async def _several(
        self,
        line: ServedLine,
        loaded: Loaded,
        rows: Sequence[Features],
        place: Sequence[str | int],
    ) -> list[dict[str, Any]]:
        if not 0 < len(rows) <= INSTANCES_MAX:
            what = f"{len(rows)} of them, from 1 to {INSTANCES_MAX} are answered"
            raise field_problem("bad_value", place, what)
        found, breathed = [], time.monotonic()
        same, new_id = facts(loaded, self._clock_ms()), self._new_id
        for number, features in enumerate(rows):
            if type(features.get("features")) is dict:
                _refuse_wrapped(line, features, (*place, number, "features"))
            answer = self._ask(line, loaded, features, (*place, number))
            answer["prediction_id"] = new_id()
            answer |= same
            found.append(answer)
            if time.monotonic() - breathed > _BREATH_S:
                await asyncio.sleep(0)
                breathed = time.monotonic()
        return found

    def _ask(
        self,
        line: ServedLine,
        loaded: Loaded,
        features: Features,
        place: Sequence[str | int],
    ) -> dict[str, Any]:
        counts = self._counts[line.name]
        try:
            answer = asked(loaded, features, place)
        except HttpProblem as problem:
            counts["failed" if problem.code == "prediction_failed" else "refused"].add()
            raise
        counts["ok"].add()
        return answer

    def add_to(self, router: APIRouter) -> None:
        """The route, as it is documented; `api.app` takes a shorter way to `answer`."""

        @router.post(
            PATH,
            operation_id="predict",
            summary="Predict from features",
            description="One question in `features`, or several in `instances`. The answer says "
            "which version gave it, how many events that had learned, and how old it is. A null "
            "`prediction` means that the model has none yet, or, with the `reason` `not_finite`, "
            "that what it answers is NaN or infinite.",
            response_model=answers.Prediction | answers.Predictions,
            responses=told(PREDICTION_EXAMPLE, BAD_FEATURE, NOT_READY),
            openapi_extra=raw_body(
                Question,
                Questions,
                one={"features": _FEATURES, "id": "order-1"},
                several={"instances": [_FEATURES, {"https": 0.0}]},
            ),
        )
        async def predict(line: Line, body: RawBody) -> Response:
            return response_of(await self.answer(line, body))


def asked(loaded: Loaded, features: Features, place: Sequence[str | int]) -> dict[str, Any]:
    """What a version answers to some features.

    Args:
        place: Where they stand in the request.

    Raises:
        HttpProblem: 422: it refuses them, or raises.
    """
    try:
        answer = loaded.model.predict(features)
    except BaseException as error:  # a panic in River's Rust is no Exception, nor is an exit
        raise not_answered(loaded, error, features, place) from error
    if type(answer) is Refusal:
        where = _place(answer, features, place)
        raise field_problem(answer.reason.value, where, answer.detail)
    assert isinstance(answer, dict)
    return answer


def not_answered(
    loaded: Loaded, error: BaseException, features: Features, place: Sequence[str | int]
) -> HttpProblem:
    """The problem of features on which a model raised.

    Whatever a learner makes of odd features (a text where it adds), it is the request.
    """
    model = loaded.version.manifest.model
    log.warning("%s: a prediction raised %s: %s", model, type(error).__name__, error)
    what = f"the model cannot answer these features: {told_of(error, features)}"[:300]
    return field_problem("prediction_failed", place, what)


def facts(loaded: Loaded, now_ms: int) -> dict[str, Any]:
    """What is the same for all answers of one request."""
    return {
        "model": loaded.version.manifest.model,
        "version": loaded.name,
        "version_id": loaded.version.id,
        "learned": loaded.learned,
        "age_seconds": max(0, now_ms - loaded.created_at_ms) / 1000,
    }


def written(answer: dict[str, Any]) -> bytes:
    """The answer's JSON.

    Raises:
        HttpProblem: A class of one's own answered half of a character.
    """
    try:
        return _encode(answer)
    except UnicodeEncodeError as error:
        what = f"the model cannot answer these features: what it answers is no Unicode ({error})"
        raise field_problem("prediction_failed", ("features",), what) from error


def _refuse_wrapped(line: ServedLine, instance: Features, place: Sequence[str | int]) -> None:
    """Refuse an instance that is written as a single question is: {"features": {…}, "id"?}."""
    is_group = any(name.startswith("features.") for name in line.model_file.features or ())
    if instance.keys() <= {"features", "id", "key"} and not is_group:
        what = "an instance is the features themselves, not an object that has them"
        raise field_problem("bad_value", place, what)


def _place(refusal: Refusal, features: Features, place: Sequence[str | int]) -> Sequence[str | int]:
    """The feature that a refusal names in its detail, as a path."""
    for name, value in features.items():
        inner = value if isinstance(value, dict) else {}
        for key in inner:
            if _names(refusal.detail, f"{name}.{key}"):
                return [*place, name, key]
        if _names(refusal.detail, name):
            return [*place, name]
    return place


def _names(detail: str, name: str) -> bool:
    return repr(name[:80]) in detail or detail.startswith(f"{name[:80]} is ")
