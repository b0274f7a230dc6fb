"""Spans of requests: one for each that is traced, and one for what it sends to Kafka."""

import contextlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from random import random
from typing import TYPE_CHECKING, Any, Self

import msgspec

from api.http.requests import Headers
from api.metrics import ApiMetrics
from config.settings import TracesSettings
from config.traces.context import HEADER, TraceContext, current, is_chosen, read, within
from config.traces.extra import load_if_on

if TYPE_CHECKING:
    from config.traces.spans import OpenSpan, Spans

RecordHeaders = tuple[tuple[str, bytes], ...]

_SERVICE = "weir-api"
_HEADER = HEADER.encode()
_FACTS = ("model", "version", "version_id", "learned", "age_seconds", "prediction_id")


class RequestTraces:
    """Traces what is asked of one process. Until it is entered, and where it is off, nothing.

    Args:
        settings: Whether, and where to.
        metrics: Told what becomes of spans.

    Raises:
        SettingsError: It is on, and what records is not installed.
    """

    def __init__(self, settings: TracesSettings, metrics: ApiMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._share, self._is_on = settings.sample, load_if_on(settings)
        self._spans: Spans | None = None

    def enter(self) -> None:
        """Be in a process of its own, just forked."""
        if self._is_on:
            from config.traces.spans import Spans

            self._spans = Spans(self._settings, _SERVICE, self._metrics.span_counts())

    def close(self, limit_s: float) -> None:
        """Send what waits, for so long at most."""
        if self._spans is not None:
            self._spans.close(limit_s)

    def wants(self, headers: Headers) -> bool:
        """Whether to trace a request. Asked of every one: no is to cost next to nothing."""
        if self._spans is None:
            return False
        if _HEADER not in headers:
            return random() < self._share
        return is_chosen(read(headers[_HEADER]), self._share)

    def request(self, method: str, route: str, headers: Headers) -> "TracedRequest":
        """The span of a request that is wanted, to be entered."""
        assert self._spans is not None, "nothing is traced"
        caller = read(headers.get(_HEADER))
        parent = caller.context if caller is not None else None
        return TracedRequest(self._spans, method, route, parent)

    @contextlib.contextmanager
    def sending(self, topic: str, count: int) -> Iterator[RecordHeaders]:
        """The headers of records that are sent in the body, which is a span where it is traced."""
        above = current()
        if self._spans is None or above is None:
            yield ()
            return
        span = self._spans.begin(f"send {topic}", "producer", parent=above)
        error: str | None = None
        try:
            yield headers_of(span.context)
        except Exception as found:
            error = type(found).__name__
            raise
        finally:
            attributes: dict[str, str | int] = {
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.batch.message_count": count,
            }
            span.end(attributes, error=error)


def headers_of(context: TraceContext) -> RecordHeaders:
    """The headers of a record that belongs to this span."""
    return ((HEADER, context.header),)


class TracedRequest:
    """The span of a request, which log lines and records belong to while it is entered."""

    def __init__(
        self, spans: "Spans", method: str, route: str, parent: TraceContext | None
    ) -> None:
        self._attributes: dict[str, Any] = {"http.request.method": method, "http.route": route}
        self._error: str | None = "the client hung up"  # unless it is answered
        self._span: OpenSpan = spans.begin(f"{method} {route}", "server", parent=parent)
        self._within = within(self._span.context)

    def __enter__(self) -> Self:
        self._within.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._within.__exit__(*error)
        self._span.end(self._attributes, error=self._error)

    def answered(self, status: int, content: bytes) -> None:
        """What was answered, which says more of the request than the request does."""
        self._attributes["http.response.status_code"] = status
        self._attributes |= _told_by(content)
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._error = str(self._attributes.get("weir.outcome")) if is_ours else None


class _Several(msgspec.Struct):
    """An answer, or a problem; of many predictions the first alone is read."""

    predictions: list[msgspec.Raw] = []
    parameters: dict[str, Any] = {}
    code: str = "ok"


_read_facts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_several = msgspec.json.Decoder(_Several).decode
_read_value = msgspec.json.Decoder().decode


def _told_by(content: bytes) -> Mapping[str, Any]:
    """What an answer in JSON says of its prediction; nothing where it is none.

    >>> _told_by(b'{"predictions": [{"model": "m", "learned": 7}, {}]}')["weir.learned"]
    7
    """
    try:
        several = _read_several(content)
        first = several.predictions[0] if several.predictions else b""
        facts = _read_facts(first if bytes(first).startswith(b"{") else content)
    except msgspec.MsgspecError:  # a page, tensors in bytes, another shape
        return {}
    found = {name: _read_value(facts[name]) for name in _FACTS if name in facts}
    found |= {name: it for name, it in several.parameters.items() if name in _FACTS}
    told = {f"weir.{name}": it for name, it in found.items() if isinstance(it, str | int | float)}
    if "weir.learned" in told:  # the answer is a prediction, or several
        told["weir.instances"] = len(several.predictions) or 1
    return {**told, "weir.outcome": several.code}
