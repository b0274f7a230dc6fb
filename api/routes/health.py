"""Probes, metrics and the page at `/`."""

import html
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from api.http.lines import Models
from api.http.problem import HttpProblem
from api.metrics import CONTENT_TYPE_LATEST, ApiMetrics
from api.openapi import answers
from api.openapi.details import Json, told
from api.openapi.problem_examples import NOT_ALL_READY
from api.routes.pages import html_page
from api.serving.served import Served, ServedLine


class Probes:
    """Answers those who watch over the process.

    Args:
        metrics: What `/metrics` shows.
    """

    def __init__(self, metrics: ApiMetrics) -> None:
        self._metrics = metrics

    async def live(self) -> Json:
        """Whether the process works at all; servers that it uses do not count."""
        return Json({"status": "live"})

    async def ready(self, served: Models) -> Json:
        """Whether every worker has a version of every model, and none is about to end."""
        check_ready(served)
        models = {
            name: line.loaded.name if line.loaded else None for name, line in served.lines.items()
        }
        return Json({"status": "ready", "models": models})

    async def metrics(self) -> Response:
        """The metrics, for Prometheus."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def index(self, served: Models) -> Response:
        """Links to what there is."""
        rows = "".join(_row(line.name, line.loaded) for line in served.lines.values())
        body = (
            "<h1>Weir</h1><p>Online learning on a stream. "
            '<a href="/ui"><strong>Dashboard</strong></a> · '
            '<a href="/docs">Documentation</a> · <a href="/openapi.json">OpenAPI</a> · '
            '<a href="/v1/models">models</a> · <a href="/metrics">metrics</a> · '
            '<a href="/readyz">ready?</a></p>'
            f"<table><tr><th>model</th><th>serving</th><th>see</th></tr>{rows}</table>"
        )
        return html_page("Weir", body)

    def add_to(self, router: APIRouter) -> None:
        """The routes."""
        router.get(
            "/livez",
            operation_id="live",
            summary="Is it alive?",
            response_model=answers.HealthAnswer,
            responses=told({"status": "live"}),
        )(self.live)
        router.get(
            "/readyz",
            operation_id="ready",
            summary="Can every model answer?",
            response_model=answers.HealthAnswer,
            responses=told({"status": "ready", "models": {"phishing": "v17"}}, NOT_ALL_READY),
        )(self.ready)
        router.get(
            "/metrics",
            operation_id="metrics",
            summary="Metrics for Prometheus",
            response_class=PlainTextResponse,
            responses=told(
                'weir_model_active_version{model="phishing"} 17.0\n', media="text/plain"
            ),
        )(self.metrics)
        router.get(
            "/", operation_id="index", summary="A page with links", response_class=HTMLResponse,
            responses=told("<!doctype html>", media="text/html"),
        )(self.index)  # fmt: skip


def check_ready(served: Served) -> None:
    """Refuse to be called ready.

    Raises:
        HttpProblem: 503: this process is about to end, or a worker has no version of some model.
    """
    if served.is_draining:
        raise HttpProblem(503, "not_ready", "this process is about to end")
    if missing := served.not_ready:
        whys = {name: _why(served.lines[name]) for name in missing}
        told_of = "; ".join(f"{name}: {why}" for name, why in whys.items())
        problem = HttpProblem(503, "not_ready", f"not loaded yet: {told_of}")
        problem.errors = [
            {"pointer": f"/models/{name}", "message": why} for name, why in whys.items()
        ]
        raise problem


def _why(line: ServedLine) -> str:
    """Why it is not ready."""
    if line.loaded is not None:
        return "another worker of this host has no version yet"
    return line.why_none


def _row(name: str, loaded: Any) -> str:
    shown, version = html.escape(name), html.escape(loaded.name if loaded else "nothing yet")
    links = " · ".join(
        f'<a href="/v1/models/{shown}/{what}">{what}</a>'
        for what in ("metrics", "history", "drifts", "versions", "dead-letters", "audit")
    )
    cells = (f'<a href="/ui#/{shown}/scores">{shown}</a>', version, links)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
