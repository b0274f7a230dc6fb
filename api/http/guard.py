"""What stands before every handler: access, limits, the body, and what becomes of an error.

A route is FastAPI's own: its handler, and what it is called. What all have in common is here.
"""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from fastapi import APIRouter, Depends, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.http.access import Access, Scope
from api.http.bodies import DEPTH_MAX, problem_of_mistake
from api.http.problem import AS_A_PROBLEM, Answer, HttpProblem, Telling, problem_of
from api.http.requests import (
    ClientGoneError,
    Headers,
    Receive,
    read_body,
    refuse_unknown_parameters,
    require_json,
)
from api.http.validation import problem_of_validation
from api.metrics import ApiMetrics, RouteSeconds
from api.traces import RequestTraces
from learner.events.why_malformed import null_character, why_malformed

log = logging.getLogger(__name__)

Handle = Callable[[Request], Coroutine[Any, Any, Response]]
CheckMedia = Callable[[Headers], None]  # raises HttpProblem (415)

IN_PROGRESS_MAX = 1000  # requests; more are refused at once, probes and metrics excepted
_WHO = "weir.who"
_NOBODY_LISTENS = Response(status_code=400)


class JsonRequest(Request):
    """A request whose body was read, and is read strictly as JSON."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._whole = body

    async def body(self) -> bytes:
        """The bytes, within the limit."""
        return self._whole

    async def json(self) -> Any:
        """What they say.

        Raises:
            HttpProblem: 400 or 422: no JSON, or numbers and characters that are none.
        """
        try:
            value = msgspec.json.decode(self._whole)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            mistake = why_malformed(self._whole, error, depth_max=DEPTH_MAX, fields=())
            raise problem_of_mistake(mistake) from error
        if b"\\u0000" in self._whole and (found := null_character(self._whole)) is not None:
            raise problem_of_mistake(found)
        return value


async def _body(request: Request) -> bytes:
    return await request.body()


async def _who(request: Request) -> str:
    return str(request.scope[_WHO])


RawBody = Annotated[bytes, Depends(_body)]
Who = Annotated[str, Depends(_who)]


class GuardedRoute(APIRoute):
    """A route with what a key must be for (None: it is free for all), and how it tells problems."""

    needs: ClassVar[Scope | None]
    telling: ClassVar[Telling]


class Guard:
    """Makes routes that admit, limit, count, and tell errors as problems.

    Args:
        access: Who may ask.
        metrics: Told how long each answer took.
        traces: What of them is traced.
        body_bytes_max: Larger bodies are refused before they are kept.
    """

    def __init__(
        self,
        access: Access,
        metrics: ApiMetrics,
        traces: RequestTraces,
        *,
        body_bytes_max: int,
    ) -> None:
        self._access, self._metrics, self._traces = access, metrics, traces
        self._body_bytes_max = body_bytes_max

    def router(
        self,
        scope: Scope | None,
        *,
        tag: str,
        telling: Telling = AS_A_PROBLEM,
        check_media: CheckMedia = require_json,
    ) -> APIRouter:
        """A router for the routes of a part.

        Args:
            scope: What a key must be for; None: they are free for all.
            tag: Whom they are for.
            telling: How they tell problems.
            check_media: Which bodies they take.
        """
        guard, told = self, telling

        class Scoped(GuardedRoute):
            """A route of this part."""

            needs, telling = scope, told

            def get_route_handler(self) -> Handle:
                """The handler with all that stands before it."""
                return guard.around(super().get_route_handler(), self, check_media)

        return APIRouter(route_class=Scoped, tags=[tag], redirect_slashes=False)

    async def admitted(
        self,
        headers: Headers,
        scope: Scope | None,
        receive: Receive,
        *,
        has_body: bool,
        check_media: CheckMedia = require_json,
    ) -> tuple[str, bytes]:
        """The caller's name and the body of a request that may pass.

        Raises:
            HttpProblem: It may not.
            ClientGoneError: The client hung up.
        """
        who = self._access.admit(headers, scope)
        if scope is not None and self._metrics.in_progress > IN_PROGRESS_MAX:
            detail = f"{IN_PROGRESS_MAX} requests are in progress; try again"
            raise HttpProblem(503, "overloaded", detail, headers=((b"retry-after", b"1"),))
        if not has_body:
            return who, b""
        check_media(headers)
        return who, await read_body(receive, headers, self._body_bytes_max)

    def cors(self, headers: Headers) -> Mapping[str, str]:
        """What lets pages of a listed origin read the answer."""
        origin = headers.get(b"origin")
        if origin is None or not self._access.is_friend(origin):
            return {}
        return {"access-control-allow-origin": origin.decode("latin-1"), "vary": "origin"}

    def around(self, inner: Handle, route: GuardedRoute, check_media: CheckMedia) -> Handle:
        """`inner` with all that stands before it."""
        assert route.methods is not None
        (method,) = route.methods
        seconds = self._metrics.seconds(method, route.path)
        given = get_flat_params(route.dependant)
        known = [field.alias for field in given if isinstance(field.field_info, params.Query)]
        scope, fields = route.needs, _fields_of(route)

        async def admit(request: Request, headers: Headers) -> Response:
            has_body = method == "POST"
            who, body = await self.admitted(
                headers, scope, request.receive, has_body=has_body, check_media=check_media
            )
            request.scope[_WHO] = who
            # Probes and pages take any, which balancers add to them.
            if scope is not None and (query := request.scope["query_string"]):
                refuse_unknown_parameters(query, known)
            try:
                return await inner(JsonRequest(request, body))
            except RequestValidationError as error:
                raise problem_of_validation(error, fields) from error

        async def handle(request: Request) -> Response:
            headers = dict(request.scope["headers"])
            if scope is None or not self._traces.wants(headers):
                return await self._counted(admit, request, seconds, route.telling)
            with self._traces.request(method, route.path, headers) as span:
                response = await self._counted(admit, request, seconds, route.telling)
                if response is not _NOBODY_LISTENS:
                    span.answered(response.status_code, bytes(response.body))
                return response

        return handle

    async def _counted(
        self,
        admit: Callable[[Request, Headers], Coroutine[Any, Any, Response]],
        request: Request,
        seconds: RouteSeconds,
        telling: Telling,
    ) -> Response:
        """The answer, or the problem that came instead; either is counted."""
        began, headers = time.perf_counter(), dict(request.scope["headers"])
        self._metrics.in_progress += 1
        try:
            response = await admit(request, headers)
        except ClientGoneError:
            return _NOBODY_LISTENS
        except Exception as error:  # the border: each is answered, and a fault of ours logged
            response = response_of(problem_answer(error, request.url.path, telling))
        finally:
            self._metrics.in_progress -= 1
        response.headers.update(self.cors(headers))
        seconds.observe(response.status_code, time.perf_counter() - began)
        return response


def problem_answer(error: Exception, where: str, telling: Telling = AS_A_PROBLEM) -> Answer:
    """The problem that an error is told as; a fault of our own is logged."""
    problem = problem_of(error)
    if problem is None:
        log.error("%s raised", where, exc_info=error)
        problem = fault()
    return problem.answer(telling)


def fault() -> HttpProblem:
    """A fault of our own, whose details go to the log and not to the client."""
    return HttpProblem(500, "internal", "this is a fault of Weir's; its log says more")


def response_of(answer: Answer) -> Response:
    """An answer as the framework sends it."""
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    media = answer.media.decode("ascii")
    return Response(answer.content, answer.status, headers, media_type=media)


def _fields_of(route: APIRoute) -> list[str]:
    """The fields of a route's body, for "did you mean"."""
    if route.body_field is None:
        return []
    kind = route.body_field.field_info.annotation
    return list(getattr(kind, "model_fields", ()))
