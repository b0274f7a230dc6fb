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
            description="`path` is where it stands in the features: `[outer, inner]` where the "
            "model takes it nested. `example` is the value in the event that was learned last.",
            response_model=seen.FeatureList,
            responses=told(_EXAMPLE, NOT_READY),
        )(self.features)


def _items(model_file: ModelFile, loaded: Loaded) -> Iterator[dict[str, Any]]:
    listed = model_file.features or {}
    example = loaded.model.example
    values = example if isinstance(example, dict) else {}
    nested = {name_of(cell): cell for cell in cells_of(values) if len(cell) > 1}
    learned = {name: _kind(get(values, cell)) for name, cell in nested.items()}
    learned |= loaded.model.features  # which has none that is nested
    for name, spec in listed.items():
        yield _item(name, _TYPES[spec.type], _cell(name, values, nested), values, spec)
    for name, kind in sorted(learned.items()):
        if name not in listed:
            yield _item(name, kind, _cell(name, values, nested), values, None)


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "number")  # null, where a learner fills gaps


def _cell(name: str, values: dict[str, Any], nested: dict[str, Cell]) -> Cell:
    """Where a feature stands in an event, by the one that was learned last.

    >>> _cell("geo.alt", {"geo": {"lat": 41.0}}, {"geo.lat": ("geo", "lat")})
    ('geo', 'alt')
    >>> _cell("geo.alt", {"geo.lat": 41.0}, {})
    ('geo.alt',)
    """
    if name in nested or name in values:
        return nested.get(name, (name,))
    outer, _, inner = name.partition(".")
    return (outer, inner) if inner and isinstance(values.get(outer), dict) else (name,)


def _item(
    name: str, kind: str, cell: Cell, values: dict[str, Any], spec: FeatureSpec | None
) -> dict[str, Any]:
    value = get(values, cell)
    return {
        "name": name,
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
