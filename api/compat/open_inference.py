"""The Open Inference Protocol (KServe's second, Triton's), with tensors in JSON or in bytes."""

from collections.abc import Sequence
from importlib.metadata import version as installed
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from api.compat.inference_bodies import (
    BINARY_MEDIA,
    JSON_BYTES,
    OUTPUTS,
    answer_of,
    read_inference,
    rows_of,
)
from api.compat.shapes import (
    INFERENCE_EXAMPLE,
    METADATA_EXAMPLE,
    InferenceAnswer,
    InferenceBody,
    LiveAnswer,
    ModelMetadata,
    ReadyAnswer,
    ServerMetadata,
)
from api.compat.telling import AS_AN_ERROR
from api.compat.tensors import BOOL, BYTES, FP64, datatype_of
from api.http.guard import RawBody, response_of
from api.http.lines import Line, Models
from api.http.problem import HttpProblem
from api.http.requests import Headers, require_json
from api.openapi.details import Json, raw_body, told
from api.openapi.problem_examples import BAD_TENSOR, NOT_ALL_READY, NOT_READY
from api.routes.health import check_ready
from api.routes.predict import Predictor
from api.serving.served import ServedLine
from learner.tasks import TASKS

_MODEL = "/v2/models/{model}"
_VERSION = f"{_MODEL}/versions/{{number}}"
_DATATYPES = {
    "float": FP64, "int": "INT64", "string": BYTES, "bool": BOOL,  # of the model file
    "number": FP64, "text": BYTES,  # of what was learned
}  # fmt: skip
_EXTENSIONS = ["binary_tensor_data"]
_NO_NUMBER = HttpProblem(
    404, "not_found", "phishing answers by version 17 now, not by '1'; leave the version out"
)

VersionNumber = Annotated[str, Path(description="The number of the version that answers now.")]
JsonBytes = Annotated[
    Annotated[int, Field(ge=0)] | SkipJsonSchema[None],
    Header(alias=JSON_BYTES, description="How much of the body is JSON, if not all."),
]


class OpenInference:
    """Answers `/v2`.

    Args:
        predictor: Whom it asks.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def server(self) -> Json:
        """Which server this is."""
        return Json({"name": "weir", "version": installed("weir"), "extensions": _EXTENSIONS})

    async def live(self) -> Json:
        """Whether the process works at all."""
        return Json({"live": True})

    async def ready(self, served: Models) -> Json:
        """Whether every model can answer."""
        check_ready(served)
        return Json({"ready": True})

    async def model_ready(self, line: Line) -> Json:
        """Whether this model can answer."""
        line.answering()
        return Json({"name": line.name, "ready": True})

    async def version_ready(self, line: Line, number: VersionNumber) -> Json:
        """Whether this version answers now."""
        _check_number(line, number)
        return await self.model_ready(line)

    async def model(self, line: Line) -> Json:
        """What the model takes, and what it answers."""
        return Json(_metadata(line))

    async def version(self, line: Line, number: VersionNumber) -> Json:
        """The same, of the version that answers now."""
        _check_number(line, number)
        return Json(_metadata(line))

    async def infer(self, line: Line, body: RawBody, json_bytes: JsonBytes = None) -> Response:
        """Predictions for the rows of some tensors, by one version."""
        asked, tensors = read_inference(body, json_bytes)
        rows = rows_of(line, tensors)
        found = await self._predictor.answers(line, rows.features, place=rows.place, given=asked.id)
        has_classes = TASKS[line.model_file.task].has_classes
        return response_of(answer_of(asked, found, has_classes=has_classes))

    async def infer_by(
        self, line: Line, number: VersionNumber, body: RawBody, json_bytes: JsonBytes = None
    ) -> Response:
        """The same, if this version answers now."""
        _check_number(line, number)
        return await self.infer(line, body, json_bytes)

    def add_asked(self, router: APIRouter) -> None:
        """The routes that answer, and say what they answer."""
        router.get(
            "/v2",
            operation_id="oipServer",
            summary="Which server this is",
            response_model=ServerMetadata,
            responses=_told({"name": "weir", "version": "0.1.0", "extensions": _EXTENSIONS}),
        )(self.server)
        for path, ending, handler, more in (
            (_MODEL, "", self.model, ()),
            (_VERSION, "Version", self.version, (_NO_NUMBER,)),
        ):
            router.get(
                path,
                operation_id=f"oipModel{ending}",
                summary="What the model takes and answers, as tensors",
                description="Its inputs are the features that the model file lists, in their "
                "order; where it lists none, those that were learned.",
                response_model=ModelMetadata,
                responses=_told(METADATA_EXAMPLE, *more),
            )(handler)
        for path, ending, handler_of_body, more in (
            (_MODEL, "", self.infer, ()),
            (_VERSION, "Version", self.infer_by, (_NO_NUMBER,)),
        ):
            router.post(
                f"{path}/infer",
                operation_id=f"oipInfer{ending}",
                summary="Predict, as Triton and KServe's second protocol ask",
                description="A tensor for each feature, of shape [rows] or [rows, 1]; or one of "
                "shape [rows, features] with all that the model file lists, in its order. With "
                f"`{JSON_BYTES}` the bytes of tensors that say `binary_data_size` stand behind "
                "the JSON, and the content type may be application/octet-stream or none.",
                response_model=InferenceAnswer,
                responses=_told(INFERENCE_EXAMPLE, BAD_TENSOR, NOT_READY, *more),
                openapi_extra=raw_body(
                    InferenceBody,
                    one={"id": "order-1", "inputs": [_tensor("https", [1.0])]},
                    several={"inputs": [_tensor("https", [1, 0]), _tensor("port", [80, None])]},
                ),
            )(handler_of_body)

    def add_watched(self, router: APIRouter) -> None:
        """The routes that need no key."""
        router.get(
            "/v2/health/live",
            operation_id="oipLive",
            summary="Is it alive?",
            response_model=LiveAnswer,
            responses=_told({"live": True}),
        )(self.live)
        router.get(
            "/v2/health/ready",
            operation_id="oipReady",
            summary="Can every model answer?",
            response_model=ReadyAnswer,
            responses=_told({"ready": True}, NOT_ALL_READY),
        )(self.ready)
        for path, ending, handler, more in (
            (_MODEL, "", self.model_ready, ()),
            (_VERSION, "Version", self.version_ready, (_NO_NUMBER,)),
        ):
            router.get(
                f"{path}/ready",
                operation_id=f"oipModelReady{ending}",
                summary="Can it answer?",
                response_model=ReadyAnswer,
                responses=_told({"name": "phishing", "ready": True}, NOT_READY, *more),
            )(handler)


def check_tensor_media(headers: Headers) -> None:
    """Refuse a form and plain text, which pages may send unasked.

    Triton's client names no type, and a page that sends none names its origin, which is checked.

    Raises:
        HttpProblem: 415.
    """
    media = headers.get(b"content-type")
    if media is not None and media != BINARY_MEDIA.encode():
        require_json(headers)


def _check_number(line: ServedLine, number: str) -> None:
    serving = line.answering().version.number
    if number != str(serving):
        detail = (
            f"{line.name} answers by version {serving} now, not by {number[:40]!r}; leave the "
            "version out"
        )
        raise HttpProblem(404, "not_found", detail)


def _metadata(line: ServedLine) -> dict[str, Any]:
    loaded, listed = line.loaded, line.model_file.features
    features = {name: spec.type for name, spec in listed.items()} if listed else {}
    learned = loaded.model.features if loaded else {}
    has_classes = TASKS[line.model_file.task].has_classes
    classes = _classes(line) if has_classes else ()
    datatypes = {
        "prediction": datatype_of(classes) if has_classes else FP64,
        "probabilities": FP64,
        "prediction_id": BYTES,
    }
    wide = {"probabilities": [-1, len(classes) or -1]}
    return {
        "name": line.name,
        "versions": [str(loaded.version.number)] if loaded else [],
        "platform": "weir",
        "inputs": [
            {"name": name, "datatype": _DATATYPES[kind], "shape": [-1]}
            for name, kind in (features or learned).items()
        ],
        "outputs": [
            {"name": name, "datatype": datatypes[name], "shape": wide.get(name, [-1])}
            for name in OUTPUTS
            if has_classes or name != "probabilities"
        ],
    }


def _classes(line: ServedLine) -> Sequence[Any]:
    """As answers name them: those of the model file, those learned, or those of the task."""
    if line.model_file.labels:
        return line.model_file.labels
    learned = line.loaded.model.classes if line.loaded else ()
    return learned or tuple(TASKS[line.model_file.task].labels(line.model_file).answered)


def _told(example: Any, *problems: HttpProblem) -> dict[int | str, dict[str, Any]]:
    return told(example, *problems, telling=AS_AN_ERROR)


def _tensor(name: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": FP64, "shape": [len(data)], "data": data}
