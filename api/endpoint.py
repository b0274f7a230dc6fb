"""From an ASGI request to an operation's answer: access, body, handler, problem, metrics.

This is all that stands between the server and a handler, for every route. The prediction routes
are called straight from `api.app.Api`, before the framework looks at the request.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from api.access import Access
from api.metrics import ApiMetrics
from api.operation import Call, Operation, Query
from api.problem import Answer, Problem, problem_of
from config.nearest import did_you_mean
from learner.events.why_malformed import json_pointer

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderLines = tuple[tuple[bytes, bytes], ...]

IN_PROGRESS_MAX = 1000  # requests; more are refused at once, probes and metrics excepted
_READ_TIMES = 32  # of a body over the limit so much is read, and dropped, so that the answer is
_QUERY_FIELDS_MAX = 50
_CLOSE: HeaderLines = ((b"connection", b"close"),)


class ClientGoneError(Exception):
    """The client hung up before its request was whole; there is nobody to answer."""


class Endpoint:
    """One operation as an ASGI application.

    Args:
        operation: What to answer.
        access: Who may ask.
        metrics: Told how long it took.
        body_bytes_max: Larger bodies are refused before they are kept.
        path: The path's parameters, where they are known before the request.
    """

    def __init__(
        self,
        operation: Operation,
        access: Access,
        metrics: ApiMetrics,
        *,
        body_bytes_max: int,
        path: Mapping[str, str] | None = None,
    ) -> None:
        self.operation = operation
        self._access, self._metrics, self._path = access, metrics, path
        self._body_bytes_max = body_bytes_max
        self._parameters = [p.name for p in operation.parameters if p.place == "query"]
        self._seconds = metrics.seconds(operation.method, operation.path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        metrics = self._metrics
        metrics.in_progress += 1
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            answer = await self._answered(scope, headers, receive)
            await respond(send, answer, cors(self._access, headers))
        except ClientGoneError:
            return
        finally:
            metrics.in_progress -= 1
        self._seconds.observe(answer.status, time.perf_counter() - began)

    async def _answered(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Answer:
        """The handler's answer, or the problem that came instead."""
        operation = self.operation
        try:
            who = self._access.admit(headers, operation.scope)
            if operation.scope is not None:
                _refuse_overload(self._metrics.in_progress)
            body = b""
            if operation.method == "POST":
                require_json(headers)
                body = await read_body(receive, headers, self._body_bytes_max)
            path = scope["path_params"] if self._path is None else self._path
            query = self._query(scope["query_string"]) if scope["query_string"] else {}
            return await operation.answer(Call(body, path, query, headers, who))
        except ClientGoneError:
            raise
        except Exception as error:  # the border: each is answered, and a fault of ours logged
            problem = problem_of(error)
            if problem is None:
                log.exception("%s raised", operation.id)
                problem = fault()
            return problem.answer()

    def _query(self, text: bytes) -> Query:
        """The query's parameters; probes and pages take any, which balancers add to them."""
        query = _parsed(text)
        if self.operation.scope is not None and not query.keys() <= set(self._parameters):
            raise _unknown_parameters(query, self._parameters)
        return query


async def respond(send: Send, answer: Answer, also: HeaderLines = ()) -> None:
    """Send an answer, and header lines besides its own."""
    headers = [
        (b"content-type", answer.media),
        (b"content-length", b"%d" % len(answer.content)),
        *answer.headers,
        *also,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


def cors(access: Access, headers: Mapping[bytes, bytes]) -> HeaderLines:
    """What lets pages of a listed origin read the answer."""
    origin = headers.get(b"origin")
    if origin is None or not access.is_friend(origin):
        return ()
    return ((b"access-control-allow-origin", origin), (b"vary", b"origin"))


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a web page may send without asking: a form, or plain text.

    Raises:
        Problem: 415.
    """
    media = headers.get(b"content-type", b"")
    if media != b"application/json":
        media = media.partition(b";")[0].strip().lower()
    if media != b"application/json":
        shown = media[:100].decode("latin-1") or "none"
        raise Problem(415, "not_json_media", f"content-type is {shown}, not application/json")


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], bytes_max: int) -> bytes:
    """The request's body.

    Raises:
        Problem: 413. As much of the body as is sensible is read and dropped before, because a
            client that is still sending does not listen; of one announced as larger than that,
            nothing.
        ClientGoneError: It hung up.
    """
    announced = headers.get(b"content-length", b"").lstrip(b"0")
    size = int(announced[:18]) if announced.isdigit() else 0
    if size > _READ_TIMES * bytes_max or (size > bytes_max and b"expect" in headers):
        raise _too_large(bytes_max)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(receive, body, bytes_max)
    elif message["type"] == "http.disconnect":
        raise ClientGoneError
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
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


def _parsed(text: bytes) -> Query:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_QUERY_FIELDS_MAX,
        )
    except ValueError as error:
        raise Problem(400, "bad_request", f"the query cannot be read: {error}") from error
    return dict(pairs)


def _unknown_parameters(query: Query, known: Sequence[str]) -> Problem:
    """Each of them named: a misspelt one, passed over, would answer another question."""
    found = [
        (name, f"it is no query parameter that is known here{did_you_mean(name, known)}")
        for name in query
        if name not in known
    ]
    name, message = found[0]
    detail = f"{name[:200]!r}: {message}"
    problem = Problem(422, "unknown_field", detail, pointer=json_pointer([name]), message=message)
    problem.errors += [{"pointer": json_pointer([n]), "message": m} for n, m in found[1:]]
    return problem


def _too_large(bytes_max: int) -> Problem:
    detail = f"the body is over {bytes_max} bytes (api.max_body_bytes); send less at once"
    return Problem(413, "too_large", detail, pointer="", headers=_CLOSE)


def _refuse_overload(in_progress: int) -> None:
    if in_progress > IN_PROGRESS_MAX:
        detail = f"{IN_PROGRESS_MAX} requests are in progress; try again"
        raise Problem(503, "overloaded", detail, headers=((b"retry-after", b"1"),))


def fault() -> Problem:
    """A fault of our own, whose details go to the log and not to the client."""
    return Problem(500, "internal", "this is a fault of Weir's; its log says more")
