"""MLflow's scoring server: `/invocations`, and the three routes that watch over it."""

from importlib.metadata import version as installed
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Response
from fastapi.responses import PlainTextResponse
from msgspec import UNSET, UnsetType
from pydantic.json_schema import SkipJsonSchema

from api.compat.rows import (
    AskedRows,
    Instance,
    Place,
    asked_rows,
    by_name,
    by_order,
    instances,
    predictions,
)
from api.compat.shapes import BATCH_EXAMPLE, FEATURES_EXAMPLE, INVOCATIONS, BatchAnswer
from api.compat.telling import AS_MLFLOW
from api.http.bodies import decoder
from api.http.guard import RawBody
from api.http.lines import Models
from api.http.problem import HttpProblem, field_problem
from api.openapi.details import raw_body, told
from api.openapi.problem_examples import BAD_ROW, NO_MODEL, NOT_ALL_READY, NOT_READY
from api.routes.health import check_ready
from api.routes.predict import Predictor
from api.serving.served import Served, ServedLine
from learner.values import Features, Scalar

ModelHeader = Annotated[
    str | SkipJsonSchema[None],
    Header(alias="X-Weir-Model", description="Which model, where several are served."),
]


class SplitFrame(msgspec.Struct, forbid_unknown_fields=True):
    """A table with the names of its columns; whatever its rows are called is no matter."""

    columns: list[str]
    data: list[list[Scalar]]
    index: Any = None


class Invocation(msgspec.Struct, forbid_unknown_fields=True):
    """The body: one of the four, and parameters that no model of ours has."""

    dataframe_split: SplitFrame | UnsetType = UNSET
    dataframe_records: list[Features] | UnsetType = UNSET
    instances: list[Instance] | UnsetType = UNSET
    inputs: dict[str, list[Scalar]] | list[Instance] | UnsetType = UNSET
    params: dict[str, Any] | None = None


_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_decode = decoder(Invocation)


class MlflowScoring:
    """Answers as `mlflow models serve` does.

    Args:
        predictor: Whom it asks.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def invoke(self, served: Models, body: RawBody, model: ModelHeader = None) -> Response:
        """Predictions for the rows of a table, by one version."""
        line = _line(served, model)
        rows = _rows(line, _decode(body))
        found = await self._predictor.answers(line, rows.features, place=rows.place)
        return Response(predictions(found), media_type="application/json")

    async def ping(self, served: Models) -> Response:
        """Nothing, once every model can answer."""
        check_ready(served)
        return PlainTextResponse("\n")

    async def version(self) -> Response:
        """Whose server this is, where MLflow says which MLflow."""
        return PlainTextResponse(f"weir {installed('weir')}")

    def add_asked(self, router: APIRouter) -> None:
        """The route that answers."""
        router.post(
            "/invocations",
            operation_id="mlflowInvocations",
            summary="Predict, as MLflow's scoring server is asked",
            description="One of `dataframe_split`, `dataframe_records`, `instances` and `inputs`. "
            "Rows without names have the values of all features that the model file lists, in its "
            "order. The answer has `predictions`, and besides what `POST …/predict` answers.",
            response_model=BatchAnswer,
            responses=told(BATCH_EXAMPLE, NO_MODEL, BAD_ROW, NOT_READY, telling=AS_MLFLOW),
            openapi_extra=raw_body(
                *INVOCATIONS,
                split={"dataframe_split": {"columns": ["https", "port"], "data": [[1.0, 80.0]]}},
                records={"dataframe_records": [FEATURES_EXAMPLE]},
                columns={"inputs": {"https": [1.0, 0.0], "port": [80.0, 443.0]}},
            ),
        )(self.invoke)

    def add_watched(self, router: APIRouter) -> None:
        """The routes that need no key."""
        for path in ("/ping", "/health"):
            router.get(
                path,
                operation_id=f"mlflow{path[1:].title()}",
                summary="Can every model answer? As MLflow is asked",
                response_class=PlainTextResponse,
                responses=told("\n", NOT_ALL_READY, media="text/plain", telling=AS_MLFLOW),
            )(self.ping)
        router.get(
            "/version",
            operation_id="mlflowVersion",
            summary="Which server this is, as MLflow is asked",
            response_class=PlainTextResponse,
            responses=told("weir 0.1.0", media="text/plain", telling=AS_MLFLOW),
        )(self.version)


def _line(served: Served, name: str | None) -> ServedLine:
    """The model that is named, or the only one."""
    if name is not None:
        return served.line(name)
    if len(served.lines) > 1:
        known = ", ".join(sorted(served.lines))
        detail = f"several models are served here: name one in X-Weir-Model, of {known}"
        raise HttpProblem(400, "bad_request", detail)
    return next(iter(served.lines.values()))


def _rows(line: ServedLine, asked: Invocation) -> AskedRows:
    forms = [name for name in _FORMS if getattr(asked, name) is not UNSET]
    if len(forms) != 1:
        raise HttpProblem(422, "missing_field", f"send one of {', '.join(_FORMS)}", pointer="")
    if asked.params:
        raise field_problem("unknown_field", ("params",), "no model here takes parameters")
    place: Place = (forms[0],)
    match getattr(asked, forms[0]):
        case SplitFrame(columns, data):
            here = (*place, "data")
            return asked_rows(line, by_order(columns, data, here), here)
        case dict() as columns:
            return asked_rows(line, by_name(columns, place), ("rows",))
        case given:
            return instances(line, given, place)
