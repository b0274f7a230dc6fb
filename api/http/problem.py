"""Errors as RFC 9457 problem documents: the one place that knows HTTP statuses.

Every error of the rooms below carries the exit code of the command line; here the same number
becomes a status, so that both doors tell one story.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException

from checkpoints.errors import KeyProblem, StoreForbidden
from learner.events.why_malformed import json_pointer

MEDIA_TYPE = "application/problem+json"

# What `code` can be, and its title. The first ones are also reasons to refuse an event.
TITLES: Mapping[str, str] = {
    "not_json": "The body is not JSON",
    "wrong_type": "A value has the wrong type",
    "not_finite": "A number is NaN, infinite or beyond the floats",
    "out_of_bounds": "A number is beyond its limit",
    "too_large": "Something is larger than its limit",
    "too_deep": "The body is nested too deeply",
    "null_byte": "A string holds a null character",
    "unknown_field": "A field is not known here",
    "missing_field": "A field is missing",
    "missing_label": "An event has no label",
    "bad_value": "A value cannot be right",
    "bad_label": "A label cannot be right",
    "too_many_features": "There are too many features",
    "prediction_failed": "The model cannot answer these features",
    "wrong_format": "This model's topic has another format",
    "bad_request": "The request cannot be understood",
    "no_key": "An API key is needed",
    "foreign_host": "The request was made for another host",
    "foreign_origin": "The request came from another site's page",
    "not_allowed": "This is not allowed",
    "not_found": "There is no such thing",
    "no_such_method": "The method is not for this address",
    "conflict": "Something else changed it first",
    "refused": "A guard refused it",
    "not_json_media": "The content type must be application/json",
    "unavailable": "Something this needs does not answer now",
    "not_ready": "No version is loaded yet",
    "overloaded": "Too many requests are in progress",
    "internal": "Weir has a fault",
}

# Exit codes as statuses. 2 and 6 depend on what was wrong; these are the usual ones.
_BY_EXIT_CODE: Mapping[int, tuple[int, str]] = {
    2: (422, "bad_value"),
    3: (404, "not_found"),
    4: (409, "conflict"),
    5: (503, "unavailable"),
    6: (422, "refused"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: a status, a body, and header lines besides its type and length."""

    content: bytes
    status: int = 200
    media: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How the clients of some routes are told of a problem.

    Attributes:
        media: The type of the document.
        besides: What it has beside the members of RFC 9457, where such clients look for it.
    """

    media: str
    besides: Callable[["HttpProblem"], Mapping[str, Any]]


AS_A_PROBLEM = Telling(media=MEDIA_TYPE, besides=lambda _: {})


class HttpProblem(HTTPException):
    """An error as a client is told it; the framework lets it pass from wherever it is raised.

    Args:
        status: Of HTTP.
        code: A key of `TITLES`, which clients may rely on.
        detail: What happened and what to do next, for people.
        pointer: The field it is about (RFC 6901), None where it is about none.
        message: What is wrong with that field; the detail where it is left out.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        message: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(status, detail)
        assert code in TITLES, code
        self.status, self.code, self.header_lines = status, code, headers
        self.errors: list[dict[str, str]] = []
        if pointer is not None:
            self.errors.append({"pointer": pointer, "message": message or detail})

    def __str__(self) -> str:
        """What happened."""
        return self.detail

    def document(self, telling: Telling = AS_A_PROBLEM) -> dict[str, Any]:
        """The members of RFC 9457, `code` and `errors`."""
        return {
            **telling.besides(self),
            "type": f"/docs#{self.code}",
            "title": TITLES[self.code],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": self.errors,
        }

    def answer(self, telling: Telling = AS_A_PROBLEM) -> Answer:
        """The problem as it is sent."""
        return Answer(
            status=self.status,
            content=msgspec.json.encode(self.document(telling)),
            media=telling.media.encode(),
            headers=self.header_lines,
        )


def field_problem(
    code: str, place: Sequence[str | int], message: str, *, status: int = 422
) -> HttpProblem:
    """The problem of one field of a request.

    >>> str(field_problem("bad_value", ["features", 3], "it is no number"))
    '/features/3: it is no number'

    Args:
        place: The path to the field; empty: it is about the whole.
        message: What is wrong there.
    """
    pointer = json_pointer(place)
    detail = f"{pointer[:200]}: {message}" if pointer else message
    return HttpProblem(status, code, detail, pointer=pointer, message=message)


def problem_of(error: Exception) -> HttpProblem | None:
    """The problem that an error of another room is, None for a fault of our own."""
    if isinstance(error, HttpProblem):
        return error
    if isinstance(error, StoreForbidden):  # our right is missing, not the client's
        return HttpProblem(503, "unavailable", str(error), headers=((b"retry-after", b"10"),))
    if isinstance(error, KeyProblem):
        return HttpProblem(403, "not_allowed", str(error))
    found = _BY_EXIT_CODE.get(getattr(error, "exit_code", -1))
    if found is None:
        return None
    status, code = found
    headers = ((b"retry-after", b"1"),) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    return HttpProblem(status, code, str(error), headers=headers)
