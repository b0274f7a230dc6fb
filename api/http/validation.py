"""What pydantic finds wrong with a request, as a problem with each field named."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from api.http.problem import HttpProblem, field_problem
from config.text.nearest import did_you_mean

# Of pydantic's kinds of errors those that have a name here; what ends so is a wrong type.
_CODES = {"extra_forbidden": "unknown_field", "missing": "missing_field"}
_TYPE_ENDINGS = ("_type", "_parsing")


def problem_of_validation(error: RequestValidationError, fields: Sequence[str]) -> HttpProblem:
    """The problem of a request that does not fit its route.

    Args:
        error: What does not fit.
        fields: The names that the body knows.
    """
    # A field that nobody knows first: it is perhaps the one that seems to be missing.
    found = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    if found[0]["loc"] == ("body",) and found[0]["type"] == "missing":
        return HttpProblem(400, "not_json", "the body is empty, and no JSON", pointer="")
    is_head = found[0]["loc"][0] == "header"
    status, code = (400, "bad_request") if is_head else (422, _code(found[0]["type"]))
    problems = [
        field_problem(code, each["loc"][1:], _message(each, fields), status=status)
        for each in (found[:1] if is_head else found)
    ]
    problems[0].errors = [error for each in problems for error in each.errors]
    return problems[0]


def _code(kind: str) -> str:
    return _CODES.get(kind) or ("wrong_type" if kind.endswith(_TYPE_ENDINGS) else "bad_value")


def _message(error: Mapping[str, Any], fields: Sequence[str]) -> str:
    match error["type"]:
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            hint = did_you_mean(str(error["loc"][-1]), fields)
            return f"it is no field that is known here{hint}"
    return str(error["msg"])
