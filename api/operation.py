"""One operation of the API: its route, who may call it, what it answers, how it is documented."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from api.problem import Answer

Scope = Literal["predict", "write", "operate", "read"]
Query = Mapping[str, str]


@dataclass(slots=True)
class Call:
    """What a handler may know of a request.

    Attributes:
        body: Its bytes, within the limit; empty for GET.
        path: The parameters of the path.
        query: The parameters of the query; of a repeated one the last.
        headers: By lower-case name.
        who: The caller's name for the audit.
    """

    body: bytes
    path: Mapping[str, str]
    query: Query
    headers: Mapping[bytes, bytes]
    who: str


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or header, for the document."""

    name: str
    what: str
    place: Literal["query", "header"] = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A route with everything that is said of it.

    Attributes:
        id: `operationId` of OpenAPI.
        scope: What a key must be for; None: free for all.
        body, result: Structs that describe request and answer; None where there is none.
        bodies: Examples of request bodies, by name; the test sends each.
        result_of: What an example is answered with, where that is not `result`.
        example: An example of the answer.
        problems: Statuses of problem documents that are to be expected.
    """

    id: str
    method: Literal["GET", "POST"]
    path: str
    tag: str
    summary: str
    scope: Scope | None
    answer: Handler
    what: str = ""
    body: Any = None
    bodies: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    example: Any = None
    status: int = 200
    media: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()


PAGE = (
    Parameter(
        name="limit",
        what="How many items at most.",
        schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    ),
    Parameter(name="cursor", what="`next` of the page before."),
)


def json_answer(body: Any, status: int = 200) -> Answer:
    """`body` as JSON; a float that is no number is null."""
    return Answer(content=msgspec.json.encode(body), status=status)
