"""Spans on their way: sent in time, else dropped and counted, and never waited for."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from config.errors import SettingsError
from config.settings import TracesSettings, load_settings
from config.text.extras import install_command
from config.text.values import Secret
from config.traces import extra
from config.traces import spans as spans_module
from config.traces.context import TraceContext
from config.traces.extra import load_if_on
from config.traces.spans import LINKS_MAX, WAITING_MAX, Spans
from tests.api.running import until
from tests.collector import collecting


@dataclass
class Counts:
    """What became of spans."""

    fulls: int = 0
    sents: int = 0
    losts: int = 0

    def full(self) -> None:
        self.fulls += 1

    def sent(self, count: int) -> None:
        self.sents += count

    def lost(self, count: int) -> None:
        self.losts += count


def test_a_span_arrives_as_it_was_made() -> None:
    parent, other = TraceContext("4b" * 16, "f0" * 8), TraceContext("5c" * 16, "a1" * 8)
    counts = Counts()
    with collecting() as collector:
        headers = Secret("authorization=Bearer x=, tenant = blue")
        spans = Spans(TracesSettings(endpoint=collector.url, headers=headers), "weir-api", counts)
        began = time.time_ns() - 2_000_000_000
        span = spans.begin("asked", "server", parent=parent, links=[other], at_ns=began)
        span.end({"weir.model": "m", "weir.learned": 7}, error="internal")
        spans.close(2.0)
        found = collector.await_one("asked")

    assert (found.service, found.kind) == ("weir-api", "server")
    assert (found.trace_id, found.parent_id) == parent
    assert found.links == [other]
    assert found.attributes == {"weir.model": "m", "weir.learned": 7}
    assert found.is_error
    assert 2.0 <= found.seconds < 10.0
    assert found.context == span.context
    assert counts == Counts(sents=1)
    (sent,) = collector.headers
    assert (sent["authorization"], sent["tenant"]) == ("Bearer x=", "blue")


def test_a_span_without_a_parent_begins_a_walk_and_links_are_bounded() -> None:
    many = [TraceContext(f"{n:032x}", f"{n:016x}") for n in range(1, 2 * LINKS_MAX)]
    with collecting() as collector:
        spans = Spans(TracesSettings(endpoint=f"{collector.url}/v1/traces"), "s", Counts())
        spans.begin("one", "internal", links=many).end({})
        spans.begin("two", "consumer").end({})
        spans.close(2.0)
        one, two = collector.await_one("one"), collector.await_one("two")

    assert one.links == many[:LINKS_MAX]
    assert one.parent_id == two.parent_id == ""
    assert one.trace_id != two.trace_id


def test_a_dead_collector_costs_spans_and_no_time() -> None:
    counts = Counts()
    spans = Spans(TracesSettings(endpoint="http://127.0.0.1:9"), "s", counts)
    began = time.process_time()
    for _ in range(3 * WAITING_MAX):
        spans.begin("lost", "server").end({})
    took_s = time.process_time() - began
    closed_at = time.monotonic()
    spans.close(0.5)

    assert time.monotonic() - closed_at < 5.0
    assert counts.sents == 0
    assert counts.fulls > WAITING_MAX // 2
    assert took_s / (3 * WAITING_MAX) < 0.001


def test_a_collector_that_says_nothing_holds_nobody_up() -> None:
    """It takes connections and never answers: what waits is bounded."""
    counts = Counts()
    with _silent() as url:
        spans = Spans(TracesSettings(endpoint=url), "s", counts)
        for _ in range(WAITING_MAX + 1000):
            spans.begin("stuck", "server").end({})
        assert len(spans._shipping._waiting) <= WAITING_MAX
        closed_at = time.monotonic()
        spans.close(0.2)
        assert time.monotonic() - closed_at < 5.0
    assert counts.sents == 0


@contextmanager
def _silent() -> Iterator[str]:
    is_over = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            is_over.wait(20)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_after_an_outage_spans_arrive_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "EVERY_S", 0.1)
    counts = Counts()
    with collecting() as collector:
        url = collector.url
    spans = Spans(TracesSettings(endpoint=url), "s", counts)
    spans.begin("before", "server").end({})
    until(lambda: counts.losts, limit_s=15)
    with collecting(port=int(url.rpartition(":")[2])) as collector:
        spans.begin("after", "server").end({})
        assert collector.await_one("after")
        spans.close(1.0)
    assert (counts.losts, counts.sents) == (1, 1)


def test_off_is_the_default_and_on_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_if_on(TracesSettings()) is False
    on = load_settings(environ={"WEIR_TRACES__ENDPOINT": "http://127.0.0.1:4318"}).traces
    assert load_if_on(on) is True
    monkeypatch.setattr(extra, "_NEEDED", ("opentelemetry.sdk", "opentelemetry.nowhere.otlp"))
    with pytest.raises(SettingsError, match=re.escape(install_command("otel"))):
        load_if_on(on)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ENDPOINT", "collector:4318", "must begin with http"),
        ("SAMPLE", "1.5", "must be 1 or less"),
        ("SAMPLE", "-0.1", "must be 0 or more"),
        ("HEADERS", "bearer", "must be NAME=VALUE"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(name: str, value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings(environ={f"WEIR_TRACES__{name}": value})
