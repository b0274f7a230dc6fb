"""What the OpenAPI document says of a route beside what its handler's signature says."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.responses import Response

from api.http.problem import AS_A_PROBLEM, HttpProblem, Telling
from api.openapi.answers import ProblemDocument

PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}


class Json(Response):
    """A body of plain values as JSON; a float that is no number is null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes."""
        return msgspec.json.encode(content)


def told(
    example: Any,
    *problems: HttpProblem,
    status: int = 200,
    media: str = "application/json",
    links: Mapping[str, Any] | None = None,
    telling: Telling = AS_A_PROBLEM,
) -> dict[int | str, dict[str, Any]]:
    """The responses of a route: an example of its answer, and one of each problem.

    Args:
        example: What is answered.
        problems: As the route really raises them; of one status the first is shown.
        status: Of the answer.
        media: Its type.
        links: Where an answer leads, by name (OpenAPI's link objects).
        telling: How problems are told.
    """
    found: dict[int | str, dict[str, Any]] = {}
    if example is not None:
        described = "Published" if status == HTTPStatus.ACCEPTED else "The answer"
        answer = {"description": described, "content": {media: {"example": example}}}
        found[status] = {**answer, **({"links": dict(links)} if links else {})}
    for problem in problems:
        document = problem.document(telling)
        content = {"schema": _schema_of(document), "example": document}
        described = HTTPStatus(problem.status).phrase
        found.setdefault(
            problem.status, {"description": described, "content": {telling.media: content}}
        )
    return found


def _schema_of(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Of a problem's document: the usual one, or what it has besides as well."""
    besides = problem.keys() - ProblemDocument.model_fields.keys()
    if not besides:
        return PROBLEM_SCHEMA
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    del schema["$defs"]
    schema["properties"] |= {name: {"type": "string"} for name in besides}
    schema["required"] += sorted(besides)
    return {**schema, "title": "ProblemDocumentBeside"}


def raw_body(*kinds: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """The request body of a handler that reads the bytes itself: one of these kinds."""
    schemas = [_inline(kind) for kind in kinds]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
                    "examples": {name: {"value": each} for name, each in examples.items()},
                }
            },
        }
    }


def _inline(kind: type[BaseModel]) -> dict[str, Any]:
    """The schema of `kind` with what it refers to in its place."""
    schema = kind.model_json_schema()
    definitions = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return whole(definitions[node["$ref"].rpartition("/")[2]])
            return {name: whole(each) for name, each in node.items()}
        return [whole(each) for each in node] if isinstance(node, list) else node

    found: dict[str, Any] = whole(schema)
    return found
