"""The application: its routes, put together from what they need, before processes are forked."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from api.compat.protocols import compat_routes
from api.dashboard.features import Features
from api.dashboard.files import Dashboard
from api.dashboard.history import Histories
from api.dashboard.letters import LetterBox, Letters
from api.explaining.route import Explaining
from api.http.access import Access, Scope, access_of
from api.http.guard import Guard, GuardedRoute, fault, response_of
from api.http.problem import HttpProblem
from api.http.requests import Receive
from api.http.threads import Threads
from api.metrics import ApiMetrics
from api.openapi.details import Json, told
from api.openapi.document import DESCRIPTION, LICENSE, TAGS, complete
from api.prediction_log.notes import AnswerNotes
from api.processes.shared_counters import SharedCounters
from api.routes.commands import Ordering
from api.routes.events import Events, Publisher
from api.routes.health import Probes
from api.routes.models import Reading
from api.routes.pages import docs_page
from api.routes.predict import PATH, Predictor
from api.routes.straight import Scope as AsgiScope
from api.routes.straight import Send, Straight
from api.serving.served import Served, ServedLine
from api.traces import RequestTraces
from checkpoints.reading.going_back import AskLog
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from config.model_file import ModelFile
from config.settings import ApiSettings, Settings

_KEYS_REFRESH_S = 1.0
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, idempotency-key",
    "access-control-max-age": "600",
}
_BEGAN = "weir.began"
Part = Callable[[APIRouter], None]  # adds its routes


class Api(FastAPI):
    """The application. Predictions go straight to the model, past the framework's layers.

    Attributes:
        served: The models, and which version of each answers.
        metrics: What `/metrics` shows.
        access: Who may ask.
        guard: What stands before every handler.
        straight: Answers predictions.
        notes: Of the answers that are written down.
        traces: Of what is asked.
        settings: How it is set up.
    """

    served: Served
    metrics: ApiMetrics
    access: Access
    guard: Guard
    straight: Straight
    notes: AnswerNotes
    traces: RequestTraces
    settings: ApiSettings

    def lines(self) -> Iterable[ServedLine]:
        """The models that this process answers for."""
        return self.served.lines.values()

    def enter(self, served: Served, book: int, notes_to: Path | None = None) -> None:
        """Be a process of its own, just forked.

        Args:
            served: What this process answers with.
            book: Of the tallies, its own.
            notes_to: Where who sends the log of predictions is found, where there is one.
        """
        self.served = served
        self.metrics.open(book)
        self.straight.predictor.enter()
        self.notes.enter(notes_to)
        self.traces.enter()
        if self.access.keys is not None:
            self.access.keys.refresh()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "http":
            method = scope["method"]
            if method == "POST" and scope["path"] in self.straight.models:
                line = self.served.lines[self.straight.models[scope["path"]]]
                await self.straight.answer(line, scope, receive, send)
                return
            if method == "OPTIONS" and self._is_preflight(scope):
                headers = {**self.guard.cors(dict(scope["headers"])), **_PREFLIGHT}
                await Response(status_code=204, headers=headers)(scope, receive, send)
                return
            # The server leaves the body out.
            scope = {**scope, "method": "GET"} if method == "HEAD" else scope
            scope[_BEGAN] = time.perf_counter()
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The document, made when somebody asks for it."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        document = super().openapi()
        first, with_keys = next(iter(self.served.lines), "MODEL"), self.access.keys is not None
        complete(document, self.operations, model=first, with_keys=with_keys)
        return document

    @property
    def operations(self) -> list[GuardedRoute]:
        """All routes that the document tells of."""
        found = (route for route in self.routes if isinstance(route, GuardedRoute))
        return [route for route in found if route.include_in_schema]

    def _is_preflight(self, scope: AsgiScope) -> bool:
        headers = dict(scope["headers"])
        is_friend = self.access.is_friend(headers.get(b"origin", b""))
        return is_friend and b"access-control-request-method" in headers


def create_app(
    settings: Settings,
    models: Mapping[Line, ModelFile],
    store: Store,
    keys: Keys,
    publisher: Publisher | None = None,
    *,
    letters: Letters | None = None,
    tallies: SharedCounters | None = None,
    ask_log: AskLog | None = None,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    registry: CollectorRegistry | None = None,
) -> Api:
    """The application that answers for these models; `Api.enter` says what with, after a fork.

    Args:
        settings: Its `api` section is used.
        store: Where versions are.
        keys: Whose records are believed; with the operator's private key it carries out commands.
        publisher: How events reach Kafka; None: they do not.
        letters: Finds dead letters in Kafka; None: they cannot be seen.
        ask_log: Whether Kafka has what a rewind is to replay; None: the learner finds out.
        tallies: Where it counts, perhaps together with other processes.
        clock_ms: Unix, UTC.
        registry: Where metrics are registered; one of its own by default.

    Raises:
        SettingsError: The API would be open to other machines without keys, or the file of keys
            cannot be used; or traces are on, and their extra is not installed.
    """
    names = [line.model for line in models]
    access, threads = access_of(settings.api), Threads()
    logs = {it.name: found for it in models.values() if (found := it.answer_log) is not None}
    metrics = ApiMetrics(
        names, tallies or SharedCounters(), registry or CollectorRegistry(), logged=logs
    )
    traces = RequestTraces(settings.traces, metrics)
    guard = Guard(access, metrics, traces, body_bytes_max=settings.api.max_body_bytes)
    notes = AnswerNotes(logs, metrics, clock_ms)
    predictor = Predictor(names, metrics, clock_ms, notes)
    budget_s = settings.api.explain_budget_ms / 1000
    explaining = Explaining(predictor, store, keys.verifier, threads, budget_s)
    app = Api(
        title="Weir",
        version=installed("weir"),
        description=DESCRIPTION,
        license_info=LICENSE,
        openapi_tags=TAGS,
        servers=[{"url": "/"}],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=[
            *_routes(
                guard,
                [
                    ("predict", "applications", predictor.add_to),
                    ("predict", "applications", explaining.add_to),
                    ("write", "producers", Events(models.values(), publisher, traces).add_to),
                    ("read", "engineers", Reading(store, keys.verifier, threads, clock_ms).add_to),
                    ("read", "engineers", Histories(store, keys.verifier, threads).add_to),
                    ("read", "engineers", LetterBox(models.values(), letters, threads).add_to),
                    ("read", "engineers", Features().add_to),
                    ("operate", "operators", Ordering(store, keys, threads, ask_log).add_to),
                    (None, "on call", Probes(metrics).add_to),
                    (None, "on call", _add_documentation),
                    (None, "on call", Dashboard().add_to),
                ],
            ),
            *compat_routes(guard, predictor, settings.api.compat),
        ],
        exception_handlers={HTTPException: _framework_problem(access, metrics), Exception: _fault},
        lifespan=_lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.served, app.metrics, app.access = Served(models), metrics, access
    app.guard, app.settings, app.notes = guard, settings.api, notes
    metrics.describe(app.lines, clock_ms)
    app.traces = traces
    paths = {PATH.format(model=it): it for it in names}
    app.straight = Straight(guard, predictor, metrics, paths, traces)
    return app


def _routes(guard: Guard, parts: Iterable[tuple[Scope | None, str, Part]]) -> list[BaseRoute]:
    """The routes of each part, by what a key must be for and whom they are for."""
    found: list[BaseRoute] = []
    for scope, tag, add_to in parts:
        router = guard.router(scope, tag=tag)
        add_to(router)
        found += router.routes
    return found


def _add_documentation(router: APIRouter) -> None:
    """The two routes that describe all the others, and themselves."""

    @router.get(
        "/openapi.json", operation_id="openapi", summary="This document",
        response_model=dict[str, Any], responses=told({"openapi": "3.1.0"}),
    )  # fmt: skip
    async def openapi(request: Request) -> Json:
        return Json(request.app.openapi())

    @router.get(
        "/docs", operation_id="docs", summary="This document as a page",
        response_class=HTMLResponse, responses=told("<!doctype html>", media="text/html"),
    )  # fmt: skip
    async def docs(request: Request) -> Response:
        settings: ApiSettings = request.app.settings
        return docs_page(request.app.openapi(), f"http://{settings.host}:{settings.port}")


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Follow the file of keys while the server runs."""
    assert isinstance(app, Api)
    refreshing = asyncio.create_task(_refresh(app.access))
    try:
        yield
    finally:
        refreshing.cancel()


async def _refresh(access: Access) -> None:
    while access.keys is not None:
        await asyncio.sleep(_KEYS_REFRESH_S)
        access.keys.refresh()


def _framework_problem(access: Access, metrics: ApiMetrics) -> Callable[[Request, Exception], Any]:
    """What the framework's router refuses, as a problem document; and what handlers raise."""
    of_method = {method: metrics.seconds(method, "unmatched") for method in ("GET", "POST")}
    other = metrics.seconds("_OTHER", "unmatched")

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        try:
            access.admit(dict(request.scope["headers"]), None)
        except HttpProblem as problem:
            found = problem
        else:
            found = _unrouted(request, error)
        took_s = time.perf_counter() - request.scope[_BEGAN]
        (of_method.get(request.method) or other).observe(found.status, took_s)
        return response_of(found.answer())

    return handle


def _unrouted(request: Request, error: HTTPException) -> HttpProblem:
    path = request.url.path[:200]
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _methods_at(request)
        detail = f"{path} takes {allowed}, not {request.method}"
        return HttpProblem(405, "no_such_method", detail, headers=((b"allow", allowed.encode()),))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return HttpProblem(404, "not_found", f"nothing is at {path}; /docs lists what is")
    return HttpProblem(error.status_code, "bad_request", str(error.detail))


def _methods_at(request: Request) -> str:
    """What all routes of the path take: the framework tells those of the first."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route):
            match, scope = route.matches(request.scope)
            # No model's name has a colon: what has one is the path of another route.
            if match is not Match.NONE and ":" not in scope["path_params"].get("model", ""):
                found |= route.methods or set()
    return ", ".join(sorted(found))


async def _fault(request: Request, error: Exception) -> Response:
    del request, error  # the framework raises it again, so that the server logs it
    return response_of(fault().answer())
