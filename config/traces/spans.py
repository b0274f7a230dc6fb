"""Spans to a collector, by OpenTelemetry: the one module that imports it.

What records is made in the process that it is to work in, after the fork: it has a thread, which
sends what has ended, now and then. Nobody waits for it. What a collector does not take in time is
dropped and counted.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from config.settings import TracesSettings
from config.traces.context import TraceContext

log = logging.getLogger(__name__)

WAITING_MAX = 2048  # spans that have ended and are not sent yet
LINKS_MAX = 128  # of one span
_AT_ONCE = 512
EVERY_S = 5.0  # as OpenTelemetry's own: a request for a few spans costs more than they do
_ANSWER_S = 3.0  # what the collector may take for one answer
_PATH = "/v1/traces"
_KINDS = {
    "server": SpanKind.SERVER, "producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}  # fmt: skip

Value = str | bool | int | float


class SpanCounts(Protocol):
    """Told what becomes of spans, each by one thread alone."""

    def full(self) -> None:
        """One is dropped as it ends, because too many wait. By the thread that traces."""

    def sent(self, count: int) -> None:
        """The collector has these. By the thread that sends, as the next."""

    def lost(self, count: int) -> None:
        """The collector did not take these."""


class OpenSpan:
    """A span that has begun."""

    def __init__(self, span: Span) -> None:
        self._span = span
        found = span.get_span_context()
        self.context = TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}")

    def end(
        self, attributes: Mapping[str, Value], *, error: str | None = None, at_ns: int | None = None
    ) -> None:
        """It is over.

        Args:
            error: What failed; None: nothing of ours did.
            at_ns: When, Unix; now by default.
        """
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(at_ns)


class Spans:
    """Records spans of one process.

    Args:
        settings: Where the collector is.
        service: Whose spans they are: `weir-api`, …
        counts: Told what becomes of them.
    """

    def __init__(self, settings: TracesSettings, service: str, counts: SpanCounts) -> None:
        assert settings.endpoint is not None
        # It tells of each failure with its traceback; we tell of it, once in a while.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(
            endpoint=settings.endpoint.removesuffix("/").removesuffix(_PATH) + _PATH,
            headers=dict(settings.header_pairs),
            timeout=_ANSWER_S,
        )
        self._shipping = _Shipping(exporter, counts, settings.endpoint)
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # whether to trace was decided before
            resource=Resource.create({"service.name": service}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(self._shipping)
        self._tracer = self._provider.get_tracer("weir")

    def begin(
        self,
        name: str,
        kind: str,
        *,
        parent: TraceContext | None = None,
        links: Iterable[TraceContext] = (),
        at_ns: int | None = None,
    ) -> OpenSpan:
        """Begin a span.

        Args:
            kind: `server`, `producer`, `consumer` or `internal`.
            parent: What it is a part of; None: it begins a walk of its own.
            links: Other walks that it goes on with.
            at_ns: When, Unix; now by default.
        """
        linked = [Link(_span_context(each)) for each in list(links)[:LINKS_MAX]]
        above = None
        if parent is not None:
            above = set_span_in_context(NonRecordingSpan(_span_context(parent)))
        return OpenSpan(
            self._tracer.start_span(
                name, context=above, kind=_KINDS[kind], links=linked, start_time=at_ns
            )
        )

    def close(self, limit_s: float) -> None:
        """Send what waits, for so long at most; what is left is dropped."""
        self._shipping.close(limit_s)


class _Shipping(SpanProcessor):
    """Takes spans that have ended, and sends them from a thread."""

    def __init__(self, exporter: OTLPSpanExporter, counts: SpanCounts, endpoint: str) -> None:
        self._exporter, self._counts, self._endpoint = exporter, counts, endpoint
        self._waiting: deque[ReadableSpan] = deque()
        self._has_many, self._is_closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take it, if there is room."""
        if len(self._waiting) >= WAITING_MAX or self._is_closing.is_set():
            self._counts.full()
            return
        self._waiting.append(span)
        if len(self._waiting) >= _AT_ONCE:
            self._has_many.set()

    def close(self, limit_s: float) -> None:
        self._is_closing.set()
        self._has_many.set()
        self._thread.join(limit_s)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it may be waiting to try again
        for _ in range(len(self._waiting)):
            self._counts.full()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._has_many.wait(EVERY_S)
            self._has_many.clear()
            self._send_all()

    def _send_all(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), _AT_ONCE)
            self._send([self._waiting.popleft() for _ in range(count)])

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # the border of the thread
            log.warning("spans are lost: %s: %r", self._endpoint, error)
            self._counts.lost(len(spans))
            return
        if result is SpanExportResult.SUCCESS:
            self._counts.sent(len(spans))
            return
        log.warning("spans are lost: the collector at %s does not take them", self._endpoint)
        self._counts.lost(len(spans))


def _span_context(context: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
