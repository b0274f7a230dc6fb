"""Probes, metrics and the page at `/`."""

import html
from typing import Any

from api import answers
from api.metrics import CONTENT_TYPE_LATEST, ApiMetrics
from api.operation import Call, Operation, json_answer
from api.pages import PAGE_HEADERS, page
from api.problem import Answer, Problem
from api.served import Served, ServedLine


class Health:
    """Answers those who watch over the process.

    Args:
        served: The models.
        metrics: What `/metrics` shows.
    """

    def __init__(self, served: Served, metrics: ApiMetrics) -> None:
        self._served, self._metrics = served, metrics

    async def live(self, call: Call) -> Answer:
        """Whether the process works at all; servers that it uses do not count."""
        del call
        return json_answer({"status": "live"})

    async def ready(self, call: Call) -> Answer:
        """Whether every worker has a version of every model, and none is about to end."""
        del call
        if self._served.is_draining:
            raise Problem(503, "not_ready", "this process is about to end")
        if missing := self._served.not_ready:
            lines = [self._served.lines[name] for name in missing]
            whys = {each.name: _why(each) for each in lines}
            told = "; ".join(f"{name}: {why}" for name, why in whys.items())
            problem = Problem(503, "not_ready", f"not loaded yet: {told}")
            problem.errors = [
                {"pointer": f"/models/{name}", "message": why} for name, why in whys.items()
            ]
            raise problem
        models = {
            name: line.loaded.name if line.loaded else None
            for name, line in self._served.lines.items()
        }
        return json_answer({"status": "ready", "models": models})

    async def metrics(self, call: Call) -> Answer:
        """The metrics, for Prometheus."""
        del call
        return Answer(content=self._metrics.text(), media=CONTENT_TYPE_LATEST.encode())

    async def index(self, call: Call) -> Answer:
        """Links to what there is."""
        del call
        rows = "".join(_row(line.name, line.loaded) for line in self._served.lines.values())
        body = (
            "<h1>Weir</h1><p>Online learning on a stream. "
            '<a href="/docs">Documentation</a> · <a href="/openapi.json">OpenAPI</a> · '
            '<a href="/v1/models">models</a> · <a href="/metrics">metrics</a> · '
            '<a href="/readyz">ready?</a></p>'
            f"<table><tr><th>model</th><th>serving</th><th>see</th></tr>{rows}</table>"
        )
        content = page("Weir", body)
        return Answer(content=content, media=b"text/html; charset=utf-8", headers=PAGE_HEADERS)

    def operations(self) -> list[Operation]:
        """The routes and their descriptions."""
        return [
            Operation(
                id="live", method="GET", path="/livez", tag="on call", summary="Is it alive?",
                scope=None, answer=self.live, result=answers.Health, example={"status": "live"},
            ),
            Operation(
                id="ready", method="GET", path="/readyz", tag="on call",
                summary="Can every model answer?", scope=None, answer=self.ready,
                result=answers.Health, example={"status": "ready", "models": {"phishing": "v17"}},
                problems=(503,),
            ),
            Operation(
                id="metrics", method="GET", path="/metrics", tag="on call",
                summary="Metrics for Prometheus", scope=None, answer=self.metrics,
                media="text/plain", example='weir_model_active_version{model="phishing"} 17.0\n',
            ),
            Operation(
                id="index", method="GET", path="/", tag="on call", summary="A page with links",
                scope=None, answer=self.index, media="text/html", example="<!doctype html>",
            ),
        ]  # fmt: skip


def _why(line: ServedLine) -> str:
    """Why it is not ready."""
    if line.loaded is not None:
        return "another worker of this host has no version yet"
    return line.why_none


def _row(name: str, loaded: Any) -> str:
    shown, version = html.escape(name), html.escape(loaded.name if loaded else "nothing yet")
    links = " · ".join(
        f'<a href="/v1/models/{shown}/{what}">{what}</a>'
        for what in ("metrics", "drifts", "versions", "audit")
    )
    cells = (f'<a href="/v1/models/{shown}">{shown}</a>', version, links)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
