"""Requests that are traced: which are, what their spans say, and that nobody waits for them."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.prediction_log.records import records
from checkpoints.stores.in_memory.store import MemoryStore
from config.errors import SettingsError
from config.log_lines import line_formatter
from config.model_file import parse_model_file
from config.settings import load_settings
from config.traces import extra, spans
from tests.api.compat.asking import tensor
from tests.api.running import KEYS, PHISHING, Running, by_line, phishing, running, until
from tests.collector import Collector, collecting

PATH = "/v1/models/phishing/predict"
ROUTE = "POST /v1/models/{model}/predict"
ASK = {"features": dict(phishing(1, start=500)[0][0])}
TRACE, SPAN = "4b" * 16, "f0" * 8
SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-00"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Everything that the API of this module sends."""
    with collecting() as found, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "EVERY_S", 0.1)
        yield found


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[Running]:
    """It traces what callers trace, and nothing of its own accord."""
    text = PHISHING + "log: {predictions: 1.0}\n"
    with running(text, traces={"endpoint": collector.url, "sample": 0}) as found:
        yield found


def test_a_prediction_is_a_span_of_its_callers_walk(traced: Running, collector: Collector) -> None:
    asked = {**ASK, "id": "traced-1"}
    body = traced.post(PATH, asked, headers=SAMPLED).json()

    span = collector.await_one(ROUTE, weir_prediction_id="traced-1")

    assert (span.service, span.kind) == ("weir-api", "server")
    assert (span.trace_id, span.parent_id) == (TRACE, SPAN)
    assert not span.is_error
    facts = ("model", "version", "version_id", "learned", "age_seconds", "prediction_id")
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model}/predict",
        "http.response.status_code": 200,
        "weir.outcome": "ok",
        "weir.instances": 1,
        **{f"weir.{name}": body[name] for name in facts},
    }


def test_what_callers_do_not_trace_is_not(traced: Running, collector: Collector) -> None:
    for number, headers in enumerate([NOT_SAMPLED, {}, {"traceparent": "nonsense"}] * 20):
        traced.post(PATH, {**ASK, "id": f"untraced-{number}"}, headers=headers)
    traced.post(PATH, {**ASK, "id": "traced-2"}, headers=SAMPLED)
    collector.await_one(ROUTE, weir_prediction_id="traced-2")

    ids = {span.attributes.get("weir.prediction_id", "") for span in collector.spans}
    assert not {each for each in ids if each.startswith("untraced")}


@pytest.mark.parametrize(
    ("path", "body", "route", "attributes"),
    [
        (PATH, {"features": {"https": []}}, ROUTE, {"outcome": "wrong_type"}),
        (PATH, {"instances": [ASK["features"]] * 7}, ROUTE, {"instances": 7, "learned": 200}),
        (
            "/v1/models/phishing:predict",
            {"instances": [ASK["features"]] * 3},
            "POST /v1/models/{model}:predict",
            {"model": "phishing", "version": "v1", "learned": 200},
        ),
        (
            "/v2/models/phishing/infer",
            {"inputs": [tensor("https", "FP64", [1])]},
            "POST /v2/models/{model}/infer",
            {"version": "v1", "learned": 200},
        ),
        (
            "/v1/models/phishing/pin",
            {"to": "v99", "reason": "x"},
            "POST /v1/models/{model}/pin",
            {"outcome": "not_found"},
        ),
    ],
)
def test_every_route_but_probes_says_what_it_answered(
    traced: Running,
    collector: Collector,
    path: str,
    body: dict[str, Any],
    route: str,
    attributes: dict[str, Any],
) -> None:
    traced.post(path, body, headers=SAMPLED)
    assert collector.await_one(route, **{f"weir_{name}": it for name, it in attributes.items()})


def test_a_record_of_the_log_and_an_event_carry_their_span(
    traced: Running, collector: Collector
) -> None:
    traced.post(PATH, {**ASK, "id": "logged-1"}, headers=SAMPLED)
    traced.post("/v1/models/phishing/events", {**ASK, "label": True}, headers=SAMPLED)

    asked = collector.await_one(ROUTE, weir_prediction_id="logged-1")
    sent = collector.await_one("send phishing.events")
    received = collector.await_one("POST /v1/models/{model}/events")
    (note,) = [it for it in traced.app.notes._waiting if b"logged-1" in it.answer]
    (record,) = records(note, traced.app.notes.logs["phishing"])
    assert dict(record.headers) == {"traceparent": _header(asked.context)}
    assert dict(traced.publisher.headers[-1]) == {"traceparent": _header(sent.context)}
    assert (sent.kind, sent.parent_id) == ("producer", received.span_id)
    assert sent.attributes["messaging.batch.message_count"] == 1
    traced.post("/v1/models/phishing/events", {**ASK, "label": True})
    assert traced.publisher.headers[-1] == ()


def _header(context: tuple[str, str]) -> bytes:
    return f"00-{context[0]}-{context[1]}-01".encode()


def test_log_lines_of_a_traced_request_say_which(
    traced: Running, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    formatter = line_formatter("api", is_console=False, is_noisy=lambda _: False)
    lines: list[dict[str, Any]] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(formatter.format(record)))

    logger = logging.getLogger("api.routes.predict")
    handler = Keeping()
    logger.addHandler(handler)
    model = traced.app.served.lines["phishing"].loaded.model
    try:
        model.predict = _raises
        traced.post(PATH, {**ASK, "id": "failed-1"}, headers=SAMPLED)
        traced.post(PATH, ASK)
    finally:
        del model.predict
        logger.removeHandler(handler)

    span = collector.await_one(ROUTE, weir_outcome="prediction_failed")
    with_trace, without = lines
    assert (with_trace["trace_id"], with_trace["span_id"]) == span.context
    assert "trace_id" not in without


def _raises(features: object) -> None:
    raise RuntimeError("of its own")


def test_spans_are_counted(traced: Running, collector: Collector) -> None:
    traced.post(PATH, {**ASK, "id": "counted"}, headers=SAMPLED)
    collector.await_one(ROUTE, weir_prediction_id="counted")

    def counted(outcome: str) -> float:
        wanted = f'weir_spans_total{{outcome="{outcome}"}} '
        lines = traced.get("/metrics").text.splitlines()
        return next(float(it.removeprefix(wanted)) for it in lines if it.startswith(wanted))

    until(lambda: counted("sent") == len(collector.spans))
    assert counted("dropped") == 0


def test_a_dead_collector_costs_no_request_and_no_time() -> None:
    """All are traced, and nothing takes the spans."""
    with running(traces={"endpoint": "http://127.0.0.1:9", "sample": 1}) as dead:
        with_spans = _asked(dead, 1000)
        text = dead.get("/metrics").text
    with running() as off:
        without = _asked(off, 1000)

    assert 'weir_spans_total{outcome="sent"} 0.0' in text
    assert with_spans < without + 1000 * 0.002


def _asked(api: Running, count: int) -> float:
    """CPU seconds of so many predictions, all answered."""
    began = time.process_time()
    assert {api.post(PATH, ASK).status_code for _ in range(count)} == {200}
    return time.process_time() - began


def test_where_it_is_off_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys\n"
        "from tests.api.running import *\n"
        "models = by_line(parse_model_file(PHISHING))\n"
        "app = create_app(settings_of(), models, MemoryStore(), KEYS)\n"
        "app.traces.enter()\n"
        "import stream.keeper\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.')"
        " and name.split('.')[1] in ('sdk', 'exporter', 'proto')])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "_NEEDED", ("opentelemetry.nowhere",))
    settings = load_settings({"traces": {"endpoint": "http://127.0.0.1:4318"}}, environ={})
    models = by_line(parse_model_file(PHISHING))
    with pytest.raises(SettingsError, match="extra otel"):
        create_app(settings, models, MemoryStore(), KEYS)
