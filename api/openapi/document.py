"""What the framework's OpenAPI document lacks: whom a route is for, problems, keys, examples."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.http.guard import GuardedRoute
from api.openapi.answers import ProblemDocument
from api.openapi.details import told
from api.openapi.problem_examples import (
    BAD_LIMIT,
    BAD_PARAMETER,
    FOREIGN_HOST,
    NO_KEY,
    NO_MODEL,
    NOT_JSON,
    NOT_JSON_MEDIA,
    OTHER_SCOPE,
    TOO_LARGE,
)

TAGS = [
    {"name": "applications", "description": "Ask for predictions."},
    {"name": "producers", "description": "Send what is to be learned."},
    {"name": "engineers", "description": "See how models do."},
    {"name": "operators", "description": "Roll back, pin, freeze; and who did."},
    {"name": "on call", "description": "Probes and metrics."},
    {"name": "other servers' clients", "description": "Ask as Triton, KServe or MLflow is asked."},
]
DESCRIPTION = (
    "Online learning on a Kafka stream: predictions by a model that learns, its versions, and the "
    "commands that bring one back."
)
LICENSE = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
_KEY = {"type": "http", "scheme": "bearer", "bearerFormat": "ID.SECRET"}
_REF = "#/components/schemas/{model}"


def complete(
    document: dict[str, Any], routes: Iterable[GuardedRoute], *, model: str, with_keys: bool
) -> None:
    """Add to the framework's document.

    Args:
        document: As the framework made it.
        routes: What it describes.
        model: A model that is served, for the examples of paths.
        with_keys: Whether API keys are asked for.
    """
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDocument.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs", {}), ProblemDocument=problem)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if with_keys:
        document["components"]["securitySchemes"] = {"key": _KEY}
    document["security"] = []
    of_path = {"model": model, "version": "v1", "number": "1"}
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            _add_examples(operation, route, of_path)
            _add_usual_problems(operation, route)
            _add_access(operation, route, with_keys=with_keys)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation with its path and its method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _add_examples(
    operation: dict[str, Any], route: GuardedRoute, of_path: Mapping[str, str]
) -> None:
    """The examples; those of answers once more: the framework leaves out what is null in them."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["example"] = of_path[parameter["name"]]
    for status, response in route.responses.items():
        for media, content in response["content"].items():
            operation["responses"][str(status)]["content"][media]["example"] = content["example"]


def _add_usual_problems(operation: dict[str, Any], route: GuardedRoute) -> None:
    """What is refused before the handler; a route's own problem of the same status is shown."""
    places = {(each["in"], each["name"]) for each in operation.get("parameters", ())}
    if 422 not in route.responses:  # the framework's own, which no route answers
        operation["responses"].pop("422", None)
    usual = [NOT_JSON, TOO_LARGE, NOT_JSON_MEDIA] if "requestBody" in operation else []
    usual += [NO_MODEL] if ("path", "model") in places else []
    if "requestBody" not in operation and route.needs is not None:
        usual.append(BAD_LIMIT if ("query", "limit") in places else BAD_PARAMETER)
    for status, response in told(None, *usual, telling=route.telling).items():
        if status not in route.responses:
            operation["responses"][str(status)] = response


def _add_access(operation: dict[str, Any], route: GuardedRoute, *, with_keys: bool) -> None:
    scope = route.needs
    needs_key = with_keys and scope is not None
    problems = (NO_KEY, OTHER_SCOPE) if needs_key else (FOREIGN_HOST,)
    found = told(None, *problems, telling=route.telling)
    responses = {**operation["responses"], **{str(status): it for status, it in found.items()}}
    operation["responses"] = dict(sorted(responses.items()))
    if needs_key:
        operation["security"] = [{"key": []}]
        text = operation.get("description", "")
        operation["description"] = f"{text} Scope: {scope}.".strip()
