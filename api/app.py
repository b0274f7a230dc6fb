"""The application: its operations, put together from what they need."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.access import Access, access_of
from api.endpoint import Endpoint, Receive, Scope, Send, cors, fault, respond
from api.events import Events, Publisher
from api.health import Health
from api.metrics import ApiMetrics
from api.openapi import openapi_document
from api.operation import Call, Operation, json_answer
from api.ordering import Ordering
from api.pages import PAGE_HEADERS, docs_page
from api.predict import Predictor
from api.problem import Answer, Problem
from api.reading import Reading
from api.served import Served
from api.tallies import Tallies
from api.threads import Threads
from checkpoints.signing import Keys
from checkpoints.store import Store
from config.model_file import ModelFile
from config.settings import Settings

_KEYS_REFRESH_S = 1.0
_PREFLIGHT_S = b"600"
_BEGAN = "weir.began"


class Api(FastAPI):
    """The application. Predictions go straight to their endpoints, past the framework's layers.

    Attributes:
        served: The models, and which version of each answers.
        operations: All routes, with what is said of them.
        metrics: What `/metrics` shows.
    """

    served: Served
    operations: Sequence[Operation]
    metrics: ApiMetrics
    access: Access
    threads: Threads
    straight: dict[str, Endpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "http":
            if scope["method"] == "POST":
                endpoint = self.straight.get(scope["path"])
                if endpoint is not None:
                    await endpoint(scope, receive, send)
                    return
            elif scope["method"] == "OPTIONS" and self._is_preflight(scope):
                await respond(send, Answer(status=204, content=b""), self._permission(scope))
                return
            scope[_BEGAN] = time.perf_counter()
        await super().__call__(scope, receive, send)

    def _is_preflight(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        is_friend = self.access.is_friend(headers.get(b"origin", b""))
        return is_friend and b"access-control-request-method" in headers

    def _permission(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        return (
            *cors(self.access, dict(scope["headers"])),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"authorization, content-type, idempotency-key"),
            (b"access-control-max-age", _PREFLIGHT_S),
        )


def create_app(
    settings: Settings,
    model_files: Iterable[ModelFile],
    store: Store,
    keys: Keys,
    publisher: Publisher | None = None,
    *,
    served: Served | None = None,
    tallies: Tallies | None = None,
    book: int = 0,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    registry: CollectorRegistry | None = None,
) -> Api:
    """The application that answers for these models.

    Args:
        settings: Its `api` section is used.
        store: Where versions are.
        keys: Whose records are believed; with the operator's private key it carries out commands.
        publisher: How events reach Kafka; None: they do not.
        served: What it answers with; empty by default, for others to fill.
        tallies: Where it counts, perhaps together with other processes.
        book: Which of the tallies' books is its own.
        clock_ms: Unix, UTC.
        registry: Where metrics are registered; one of its own by default.

    Raises:
        SettingsError: The API would be open to other machines without keys, or the file of keys
            cannot be used.
    """
    served = served or Served(model_files)
    metrics = ApiMetrics(served.lines, tallies or Tallies(), book, registry or CollectorRegistry())
    access = access_of(settings.api)
    metrics.describe(served.lines.values(), clock_ms)
    threads = Threads()
    predict = Predictor(served, metrics, clock_ms).operation()
    operations = [
        predict,
        *Events(served, publisher).operations(),
        *Reading(served, store, keys.verifier, threads, clock_ms).operations(),
        *Ordering(served, store, keys, threads).operations(),
        *Health(served, metrics).operations(),
    ]
    first = next(iter(served.lines), "MODEL")
    operations += _documentation(
        operations, settings, model=first, with_keys=access.keys is not None
    )

    def endpoint(operation: Operation, path: dict[str, str] | None = None) -> Endpoint:
        limit = settings.api.max_body_bytes
        return Endpoint(operation, access, metrics, body_bytes_max=limit, path=path)

    app = Api(
        title="Weir",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=[Route(o.path, endpoint(o), methods=[o.method]) for o in operations],
        exception_handlers={HTTPException: _framework_problem(access, metrics), Exception: _fault},
        lifespan=_lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.threads = threads
    app.served, app.operations, app.metrics, app.access = served, operations, metrics, access
    app.straight = {
        predict.path.format(model=name): endpoint(predict, {"model": name}) for name in served.lines
    }
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Follow the file of keys while the server runs."""
    assert isinstance(app, Api)
    refreshing = asyncio.create_task(_refresh(app.access))
    try:
        yield
    finally:
        refreshing.cancel()
        app.threads.end()


async def _refresh(access: Access) -> None:
    while access.keys is not None:
        await asyncio.sleep(_KEYS_REFRESH_S)
        access.keys.refresh()


def _documentation(
    operations: Sequence[Operation], settings: Settings, *, model: str, with_keys: bool
) -> list[Operation]:
    """The two operations that describe all the others, and themselves.

    The document is made when somebody asks for it: a worker that is forked anew must answer soon.
    """
    base = f"http://{settings.api.host}:{settings.api.port}"

    @functools.cache
    def document() -> dict[str, Any]:
        return openapi_document([*operations, *found], model=model, with_keys=with_keys)

    async def openapi(call: Call) -> Answer:
        del call
        return json_answer(document())

    async def docs(call: Call) -> Answer:
        del call
        return Answer(
            content=docs_page(document(), base),
            media=b"text/html; charset=utf-8",
            headers=PAGE_HEADERS,
        )

    found = [
        Operation(
            id="openapi", method="GET", path="/openapi.json", tag="on call",
            summary="This document", scope=None, answer=openapi, result=dict[str, Any],
            example={"openapi": "3.1.0"},
        ),
        Operation(
            id="docs", method="GET", path="/docs", tag="on call",
            summary="This document as a page", scope=None, answer=docs, media="text/html",
            example="<!doctype html>",
        ),
    ]  # fmt: skip
    return found


def _framework_problem(access: Access, metrics: ApiMetrics) -> Callable[[Request, Exception], Any]:
    """What the framework's router refuses, as a problem document."""
    of_method = {method: metrics.seconds(method, "unmatched") for method in ("GET", "POST")}
    other = metrics.seconds("_OTHER", "unmatched")

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        try:
            access.admit(dict(request.scope["headers"]), None)
        except Problem as problem:
            found = problem
        else:
            found = _unrouted(request, error)
        took_s = time.perf_counter() - request.scope[_BEGAN]
        (of_method.get(request.method) or other).observe(found.status, took_s)
        return _response(found.answer())

    return handle


def _unrouted(request: Request, error: HTTPException) -> Problem:
    path = request.url.path[:200]
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{path} takes {allowed}, not {request.method}"
        return Problem(405, "no_such_method", detail, headers=((b"allow", allowed.encode()),))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Problem(404, "not_found", f"nothing is at {path}; /docs lists what is")
    return Problem(error.status_code, "bad_request", str(error.detail))


async def _fault(request: Request, error: Exception) -> Response:
    del request, error  # the framework raises it again, so that the server logs it
    return _response(fault().answer())


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Response(answer.content, answer.status, headers, media_type=answer.media.decode("ascii"))
