"""The features that a model is asked with: what they are called, and what is admitted."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter

from api.http.lines import Line
from api.openapi import seen
from api.openapi.details import Json, told
from api.openapi.problem_examples import NOT_READY
from api.serving.load import Loaded
from config.model.parts import FeatureSpec
from config.model_file import ModelFile

_TOLD_MAX = 1_000
_TYPES = {"float": "number", "int": "int", "string": "text", "bool": "bool"}


class Features:
    """Answers `GET …/features`."""

    async def features(self, line: Line) -> Json:
        """Those of the version that answers, first what the model file lists."""
        loaded = line.answering()
        items = list(_items(line.model_file, loaded))
        body = {"version": loaded.name, "items": items[:_TOLD_MAX], "total": len(items)}
        return Json(body)

    def add_to(self, router: APIRouter) -> None:
        """The route."""
        router.get(
            "/v1/models/{model}/features",
            operation_id="listFeatures",
            summary="What the model is asked with",
            description="`example` is the value in the event that was learned last.",
            response_model=seen.FeatureList,
            responses=told(_EXAMPLE, NOT_READY),
        )(self.features)


def _items(model_file: ModelFile, loaded: Loaded) -> Iterator[dict[str, Any]]:
    listed = model_file.features or {}
    example = loaded.model.example
    values = example if isinstance(example, dict) else {}
    for name, spec in listed.items():
        yield _item(name, _TYPES[spec.type], values, spec)
    for name, kind in sorted(loaded.model.features.items()):
        if name not in listed:
            yield _item(name, kind, values, None)


def _item(name: str, kind: str, values: dict[str, Any], spec: FeatureSpec | None) -> dict[str, Any]:
    value = values.get(name)
    return {
        "name": name,
        "type": kind,
        "min": None if spec is None else spec.min,
        "max": None if spec is None else spec.max,
        "listed": spec is not None,
        "example": value if isinstance(value, bool | int | float | str) else None,
    }


_EXAMPLE: dict[str, Any] = {
    "version": "v17",
    "items": [
        {
            "name": "https", "type": "number", "min": 0.0, "max": 1.0, "listed": True,
            "example": 1.0,
        }
    ],
    "total": 1,
}  # fmt: skip
