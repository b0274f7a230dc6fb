"""What a request must be before anybody looks at what it says: its body and its query."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from api.http.problem import HttpProblem
from config.text.nearest import did_you_mean
from learner.events.why_malformed import json_pointer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Mapping[bytes, bytes]

_READ_TIMES = 32  # of a body over the limit so much is read, and dropped, so that the answer is
_QUERY_FIELDS_MAX = 50
_CLOSE = ((b"connection", b"close"),)


class ClientGoneError(Exception):
    """The client hung up before its request was whole; there is nobody to answer."""


def require_json(headers: Headers) -> None:
    """Refuse what a web page may send without asking: a form, or plain text.

    Raises:
        HttpProblem: 415.
    """
    media = headers.get(b"content-type", b"")
    if media != b"application/json":
        media = media.partition(b";")[0].strip().lower()
    if media != b"application/json":
        shown = media[:100].decode("latin-1") or "none"
        raise HttpProblem(415, "not_json_media", f"content-type is {shown}, not application/json")


async def read_body(receive: Receive, headers: Headers, bytes_max: int) -> bytes:
    """The request's body.

    Raises:
        HttpProblem: 413. As much of the body as is sensible is read and dropped before, because a
            client that is still sending does not listen; of one announced as larger than that,
            nothing.
        ClientGoneError: It hung up.
    """
    announced = headers.get(b"content-length", b"").lstrip(b"0")
    size = int(announced[:18]) if announced.isdigit() else 0
    if size > _READ_TIMES * bytes_max or (size > bytes_max and b"expect" in headers):
        raise too_large(bytes_max)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(receive, body, bytes_max)
    elif message["type"] == "http.disconnect":
        raise ClientGoneError
    if len(body) > bytes_max:
        raise too_large(bytes_max)
    return body


async def _rest(receive: Receive, first: bytes, bytes_max: int) -> bytes:
    """The body that begins with `first`; over the limit, just enough of it to tell."""
    parts, size, has_more = [first], len(first), True
    while has_more and size <= _READ_TIMES * bytes_max:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= bytes_max + len(part):
            parts.append(part)
        has_more = message.get("more_body", False)
    return b"".join(parts)


def too_large(bytes_max: int) -> HttpProblem:
    """The problem of a body over the limit."""
    detail = f"the body is over {bytes_max} bytes (api.max_body_bytes); send less at once"
    return HttpProblem(413, "too_large", detail, pointer="", headers=_CLOSE)


def refuse_unknown_parameters(text: bytes, known: Sequence[str]) -> None:
    """Refuse query parameters that a route does not know, each of them named.

    A misspelt one, passed over, would answer another question.

    Raises:
        HttpProblem: 400: the query cannot be read; 422.
    """
    found = [
        (name, f"it is no query parameter that is known here{did_you_mean(name, known)}")
        for name in _parsed(text)
        if name not in known
    ]
    if not found:
        return
    name, message = found[0]
    detail = f"{name[:200]!r}: {message}"
    problem = HttpProblem(
        422, "unknown_field", detail, pointer=json_pointer([name]), message=message
    )
    problem.errors += [{"pointer": json_pointer([n]), "message": m} for n, m in found[1:]]
    raise problem


def _parsed(text: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_QUERY_FIELDS_MAX,
        )
    except ValueError as error:
        raise HttpProblem(400, "bad_request", f"the query cannot be read: {error}") from error
    return dict(pairs)
