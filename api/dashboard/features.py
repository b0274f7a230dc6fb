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
from learner.events.kinds import KINDS
from learner.explaining.cells import Cell, cells_of, get, name_of

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
    listed, learned = model_file.features or {}, loaded.model.features
    example = loaded.model.example
    values = example if isinstance(example, dict) else {}
    for name, spec in listed.items():
        nested = loaded.model.nested_in(name)
        is_apart = nested is not None and not {nested[0]} & (listed.keys() | learned.keys())
        yield _item(nested if nested and is_apart else (name,), _TYPES[spec.type], values, spec)
    rest: dict[Cell, str] = {(name,): kind for name, kind in learned.items() if name not in listed}
    for cell in cells_of(values):  # a learner that takes groups keeps no kinds of what is in them
        is_apart = cell[0] not in listed and cell[0] not in learned
        if len(cell) > 1 and is_apart and name_of(cell) not in listed:
            rest[cell] = KINDS.get(type(get(values, cell)), "number")  # null, where gaps are filled
    for cell, kind in sorted(rest.items(), key=lambda each: name_of(each[0])):
        yield _item(cell, kind, values, None)


def _item(
    cell: Cell, kind: str, values: dict[str, Any], spec: FeatureSpec | None
) -> dict[str, Any]:
    value = get(values, cell)
    return {
        "name": name_of(cell),
        "path": list(cell),
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
            "name": "https", "path": ["https"], "type": "number", "min": 0.0, "max": 1.0,
            "listed": True, "example": 1.0,
        }
    ],
    "total": 1,
}  # fmt: skip
