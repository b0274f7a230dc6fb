"""KServe's first protocol: instances in, predictions out."""

import msgspec
from fastapi import APIRouter, Response

from api.compat.rows import Instance, instances, predictions
from api.compat.shapes import BATCH_EXAMPLE, FEATURES_EXAMPLE, BatchAnswer, InstancesBody
from api.compat.telling import AS_AN_ERROR
from api.http.bodies import decoder
from api.http.guard import RawBody
from api.http.lines import Line
from api.openapi.details import raw_body, told
from api.openapi.problem_examples import BAD_INSTANCE, NOT_READY
from api.routes.predict import Predictor


class InstancesAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body."""

    instances: list[Instance]


_decode = decoder(InstancesAsked)


class KServe:
    """Answers `POST /v1/models/{model}:predict`.

    Args:
        predictor: Whom it asks.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def predict(self, line: Line, body: RawBody) -> Response:
        """Predictions for instances, by one version."""
        rows = instances(line, _decode(body).instances, ("instances",))
        found = await self._predictor.answers(line, rows.features, place=rows.place)
        return Response(predictions(found), media_type="application/json")

    def add_to(self, router: APIRouter) -> None:
        """The route."""
        router.post(
            "/v1/models/{model}:predict",
            operation_id="kservePredict",
            summary="Predict, as KServe's first protocol asks",
            description="An instance names its features, or has the values of all that the model "
            "file lists, in its order. The answer has `predictions`, and besides what "
            "`POST …/predict` answers.",
            response_model=BatchAnswer,
            responses=told(BATCH_EXAMPLE, BAD_INSTANCE, NOT_READY, telling=AS_AN_ERROR),
            openapi_extra=raw_body(
                InstancesBody, one={"instances": [FEATURES_EXAMPLE, {"https": 0.0}]}
            ),
        )(self.predict)
