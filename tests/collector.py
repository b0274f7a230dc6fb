"""A collector: it takes OTLP over HTTP as it is sent, and keeps the spans."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.api.running import until

KINDS = {1: "internal", 2: "server", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class SentSpan:
    """One span, as it was sent."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    is_error: bool
    seconds: float

    @property
    def context(self) -> tuple[str, str]:
        return (self.trace_id, self.span_id)


@dataclass
class Collector:
    """What was sent to it."""

    url: str
    spans: list[SentSpan] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def named(self, name: str) -> list[SentSpan]:
        return [each for each in self.spans if each.name == name]

    def await_one(self, name: str, **attributes: Any) -> SentSpan:
        """The first span of this name with these attributes (`weir_model` is `weir.model`)."""
        wanted = {key.replace("_", ".", 1): it for key, it in attributes.items()}

        def found() -> SentSpan | None:
            fitting = (it for it in self.named(name) if wanted.items() <= it.attributes.items())
            return next(fitting, None)

        span: SentSpan = until(found)
        return span


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector on loopback, on a free port by default."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            collector.headers.append({k.lower(): v for k, v in self.headers.items()})
            collector.spans += _spans(ExportTraceServiceRequest.FromString(content))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Taking)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[SentSpan]:
    for of_resource in request.resource_spans:
        resource = {it.key: _value(it.value) for it in of_resource.resource.attributes}
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield SentSpan(
                    service=resource["service.name"],
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=[(it.trace_id.hex(), it.span_id.hex()) for it in span.links],
                    attributes={it.key: _value(it.value) for it in span.attributes},
                    is_error=span.status.code == 2,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
