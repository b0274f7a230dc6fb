"""Problems as other servers' clients look for them, beside the members of RFC 9457."""

from collections.abc import Mapping

from api.http.problem import HttpProblem, Telling

_JSON = "application/json"
# MLflow's names of what may be wrong, by our status.
_MLFLOW_CODES: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    422: "INVALID_PARAMETER_VALUE",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


def _mlflow(problem: HttpProblem) -> Mapping[str, str]:
    code = _MLFLOW_CODES.get(problem.status, "BAD_REQUEST")
    return {"error_code": code, "message": problem.detail}


AS_AN_ERROR = Telling(media=_JSON, besides=lambda problem: {"error": problem.detail})
AS_MLFLOW = Telling(media=_JSON, besides=_mlflow)
