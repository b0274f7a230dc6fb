"""The OpenAPI 3.1 document, made of the operations: the one place that knows its shape."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version as installed
from types import UnionType
from typing import Any, get_args

import msgspec

from api.answers import ProblemDocument
from api.operation import Operation, Parameter
from api.problem import MEDIA_TYPE

_REF = "#/components/schemas/{name}"
_TAGS = {
    "applications": "Ask for predictions.",
    "producers": "Send what is to be learned.",
    "engineers": "See how models do.",
    "operators": "Roll back, pin, freeze; and who did.",
    "on call": "Probes and metrics.",
}
_PATH_PARAMETERS = {
    "model": "The model's name.",
    "version": "A version, written v and its number.",
}
_PROBLEM_EXAMPLE = {
    "type": "/docs#wrong_type",
    "title": "A value has the wrong type",
    "status": 422,
    "detail": "/features/https: Expected `bool | int | float | str | object | null`, got `array`",
    "code": "wrong_type",
    "errors": [
        {
            "pointer": "/features/https",
            "message": "Expected `bool | int | float | str | object | null`, got `array`",
        }
    ],
}


def openapi_document(
    operations: Sequence[Operation], *, model: str, with_keys: bool
) -> dict[str, Any]:
    """The document of these operations.

    Args:
        model: A model that is served, for the examples of paths.
        with_keys: Whether API keys are asked for.
    """
    examples = {"model": model, "version": "v1"}
    kinds = [ProblemDocument, *(kind for each in operations for kind in _kinds(each))]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    schema_of = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, schema_of, examples, with_keys=with_keys)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Weir",
            "version": installed("weir"),
            "description": "Online learning on a Kafka stream: predictions by a model that "
            "learns, its versions, and the commands that bring one back.",
        },
        "tags": [{"name": name, "description": what} for name, what in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": components},
    }
    if with_keys:
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "ID.SECRET"}
        found["components"]["securitySchemes"] = {"key": scheme}
    return found


def _kinds(operation: Operation) -> list[Any]:
    return [*_alternatives(operation.body), *_alternatives(operation.result)]


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The structs of a union, which msgspec does not take as one type."""
    if isinstance(kind, UnionType):
        return get_args(kind)
    return () if kind is None else (kind,)


def _schema(kind: Any, schema_of: Mapping[str, Any]) -> Any:
    found = [schema_of[str(each)] for each in _alternatives(kind)]
    return {"anyOf": found} if len(found) > 1 else found[0]


def _operation(
    operation: Operation,
    schema_of: Mapping[str, Any],
    examples: Mapping[str, str],
    *,
    with_keys: bool,
) -> dict[str, Any]:
    of_path = _path_parameters(operation.path, examples)
    found: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*of_path, *map(_parameter, operation.parameters)],
        "responses": _responses(operation, schema_of, with_keys=with_keys),
    }
    if operation.what:
        found["description"] = operation.what
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _schema(operation.body, schema_of),
                    "examples": {k: {"value": v} for k, v in operation.bodies.items()},
                }
            },
        }
    if with_keys and operation.scope is not None:
        found["security"] = [{"key": []}]
        found["description"] = f"{found.get('description', '')} Scope: {operation.scope}.".strip()
    return found


def _path_parameters(path: str, examples: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for name, what in _PATH_PARAMETERS.items():
        if f"{{{name}}}" in path:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": what,
                "schema": {"type": "string"},
                "example": examples[name],
            }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.what,
        "schema": dict(parameter.schema),
    }


def _responses(
    operation: Operation, schema_of: Mapping[str, Any], *, with_keys: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if operation.status < HTTPStatus.BAD_REQUEST:
        content: dict[str, Any] = {"example": operation.example}
        if operation.result is not None:
            content["schema"] = _schema(operation.result, schema_of)
        else:
            content["schema"] = {"type": "string"}
        described = "Published" if operation.status == HTTPStatus.ACCEPTED else "The answer"
        found[str(operation.status)] = {
            "description": described,
            "content": {operation.media: content},
        }
    by_access = {401, 403} if with_keys and operation.scope is not None else {403}
    by_query = {422} if operation.scope is not None else set()
    for status in sorted({*operation.problems, *by_access, *by_query}):
        found[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": _schema(ProblemDocument, schema_of),
                    "example": {**_PROBLEM_EXAMPLE, "status": status},
                }
            },
        }
    return found
