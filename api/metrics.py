"""The API's Prometheus metrics.

What describes a model is read at the moment of the scrape from the same manifest that the JSON
answers are made of, so the two cannot disagree. What is counted is counted in `SharedCounters`, so
any worker answers for all of them.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import version as installed
from itertools import accumulate
from typing import Any

from msgspec import UnsetType
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Info, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from api.processes.shared_counters import NOW_AT, SharedCounters
from api.serving.served import ServedLine
from checkpoints.records.manifest import SCORE_WINDOWS, Version

__all__ = ["CONTENT_TYPE_LATEST", "ApiMetrics", "Counted", "RouteSeconds"]

_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
)  # fmt: skip
_BOUNDS = (*map(str, map(float, _SECONDS)), "+Inf")
_PREDICTED = ("ok", "refused", "failed", "not_ready")
_LOADED = ("ok", "failed")
# Answers to be written down: noted by a worker; handed to the sender, or not; in Kafka, or not.
_LOGGED = ("noted", "handed", "dropped", "acknowledged", "lost")
# Spans of traces: too many waited; the collector has them, or did not take them.
_SPANS = ("full", "sent", "lost")
# Every status that the API answers with.
_STATUSES = (
    200, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 431, 500, 501, 503,
)  # fmt: skip
_PACKAGES = ("weir", "river", "vowpalwabbit", "fastapi", "uvicorn")


@cache
def _installed() -> dict[str, str]:
    """Read from disk once, and not again by each process that is forked."""
    return {name: installed(name) for name in _PACKAGES}


class Counted:
    """One counter of one process."""

    __slots__ = ("_at", "_metrics")

    def __init__(self, metrics: "ApiMetrics", at: int) -> None:
        self._metrics, self._at = metrics, at

    def add(self, amount: int = 1) -> None:
        """Count."""
        self._metrics.cells[self._at] += amount


class SpanCells:
    """Where it is counted what becomes of spans: each cell is one thread's.

    Args:
        full: Of the thread that traces.
        sent: Of the thread that sends, as `lost`.
    """

    def __init__(self, full: Counted, sent: Counted, lost: Counted) -> None:
        self.full, self.sent, self.lost = full.add, sent.add, lost.add


class RouteSeconds:
    """How long the answers of one route took, by status."""

    __slots__ = ("_first", "_metrics")

    def __init__(self, metrics: "ApiMetrics", first: int) -> None:
        self._metrics = metrics
        self._first = {
            status: first + number * (len(_BOUNDS) + 1) for number, status in enumerate(_STATUSES)
        }

    def observe(self, status: int, took_s: float) -> None:
        """One answer."""
        first, cells = self._first[status], self._metrics.cells
        cells[first + bisect_left(_SECONDS, took_s)] += 1
        cells[first + len(_BOUNDS)] += took_s


class ApiMetrics:
    """What one process counts, and what all of them have counted.

    It is made before processes are forked, so a cell means the same in each of them.

    Args:
        models: Their names.
        logged: The names of those whose answers are written down.
        tallies: Where it is counted.
        registry: Where metrics are registered; passed in, so that tests have their own.

    Attributes:
        cells: The book of this process; the first one until `open` says which.
    """

    def __init__(
        self,
        models: Iterable[str],
        tallies: SharedCounters,
        registry: CollectorRegistry,
        *,
        logged: Iterable[str] = (),
    ) -> None:
        self.registry, self.tallies = registry, tallies
        self._given = NOW_AT + 1
        self.open(0)
        names = list(models)
        self._predictions = self._counters(names, _PREDICTED)
        self._loads = self._counters(names, _LOADED)
        self._logged = self._counters(logged, _LOGGED)
        self._spans = {what: self._place(1) for what in _SPANS}
        self._routes: dict[tuple[str, str], int] = {}
        Info("weir_build", "The versions at work.", registry=registry).info(_installed())
        registry.register(_Tallied(self))

    def open(self, book: int) -> None:
        """Count in this book of the tallies from now on: it is this process's own."""
        self.cells = self.tallies.book(book)
        self.in_progress = 0

    @property
    def in_progress(self) -> int:
        """Requests that this process is answering."""
        return self._in_progress

    @in_progress.setter
    def in_progress(self, count: int) -> None:
        self._in_progress = count
        self.cells[NOW_AT] = count

    def predictions(self, model: str, outcome: str) -> Counted:
        """Predictions asked for."""
        return Counted(self, self._predictions[model, outcome])

    def loads(self, model: str, outcome: str) -> Counted:
        """Versions loaded to serve, or not."""
        return Counted(self, self._loads[model, outcome])

    def span_counts(self) -> "SpanCells":
        """What becomes of spans."""
        return SpanCells(*(Counted(self, self._spans[what]) for what in _SPANS))

    def logged(self, model: str, what: str) -> Counted:
        """Answers to be written down, by what became of them, as in `_LOGGED`."""
        return Counted(self, self._logged[model, what])

    def logged_unsettled(self, model: str) -> int:
        """Answers that some sender was handed, and that came to nothing yet."""
        of = self._logged_of(model, self.tallies.sums())
        return int(of["handed"] - of["acknowledged"] - of["lost"])

    def logged_missing(self, model: str) -> tuple[int, int]:
        """Of so many answers to be written down, how many Kafka has not acknowledged."""
        of = self._logged_of(model, self.tallies.sums())
        return int(of["noted"]), int(of["noted"] - of["acknowledged"])

    def end(self, book: int) -> None:
        """The book's process has ended: what it had noted and not handed on is dropped."""
        cells = self.tallies.book(book)
        for model in dict.fromkeys(model for model, _ in self._logged):
            of = self._logged_of(model, cells)
            cells[self._logged[model, "dropped"]] += of["noted"] - of["handed"] - of["dropped"]
        self.tallies.end(book)

    def _logged_of(self, model: str, cells: Any) -> dict[str, float]:
        return {what: cells[self._logged[model, what]] for what in _LOGGED}

    def seconds(self, method: str, route: str) -> RouteSeconds:
        """How long a route's answers took."""
        key = (method, route)
        if key not in self._routes:
            self._routes[key] = self._place(len(_STATUSES) * (len(_BOUNDS) + 1))
        return RouteSeconds(self, self._routes[key])

    def describe(
        self, lines: Callable[[], Iterable[ServedLine]], clock_ms: Callable[[], int]
    ) -> None:
        """Show the gauges of these models from now on."""
        self.registry.register(_HeadGauges(lines, clock_ms))

    def text(self) -> bytes:
        """All of them, as Prometheus reads it."""
        return generate_latest(self.registry)

    def families(self, sums: Sequence[float]) -> Iterator[Metric]:
        """What the cells say."""
        yield _counter("weir_predictions", "Predictions asked for.", self._predictions, sums)
        yield _counter("weir_model_loads", "Versions loaded to serve.", self._loads, sums)
        yield self._answers_logged(sums)
        yield self._durations(sums)
        yield self._spans_sent(sums)
        yield GaugeMetricFamily(
            "weir_http_requests_in_progress", "Requests being answered.", sums[NOW_AT]
        )

    def _answers_logged(self, sums: Sequence[float]) -> CounterMetricFamily:
        found = CounterMetricFamily(
            "weir_predictions_logged",
            "Answers for the predictions topic: Kafka has them, or they were dropped.",
            labels=["model", "outcome"],
        )
        for model in dict.fromkeys(model for model, _ in self._logged):
            of = self._logged_of(model, sums)
            found.add_metric([model, "acknowledged"], of["acknowledged"])
            found.add_metric([model, "dropped"], of["dropped"] + of["lost"])
        return found

    def _spans_sent(self, sums: Sequence[float]) -> CounterMetricFamily:
        what = "Spans of traces: the collector has them, or they were dropped."
        found = CounterMetricFamily("weir_spans", what, labels=["outcome"])
        full, sent, lost = (sums[self._spans[each]] for each in _SPANS)
        found.add_metric(["sent"], sent)
        found.add_metric(["dropped"], full + lost)
        return found

    def _durations(self, sums: Sequence[float]) -> HistogramMetricFamily:
        found = HistogramMetricFamily(
            "http_server_request_duration_seconds",
            "From the request's head to its answer.",
            labels=["method", "route", "status_code"],
        )
        width = len(_BOUNDS) + 1
        for (method, route), first in self._routes.items():
            for number, status in enumerate(_STATUSES):
                *counts, total_s = sums[first + number * width : first + (number + 1) * width]
                if any(counts):
                    buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
                    found.add_metric([method, route, str(status)], buckets, total_s)
        return found

    def _counters(
        self, models: Iterable[str], outcomes: Sequence[str]
    ) -> dict[tuple[str, str], int]:
        return {(model, outcome): self._place(1) for model in models for outcome in outcomes}

    def _place(self, cells: int) -> int:
        place, self._given = self._given, self._given + cells
        assert self._given <= len(self.cells), "a book of Tallies is too small"
        return place


def _counter(
    name: str, what: str, places: dict[tuple[str, str], int], sums: Sequence[float]
) -> CounterMetricFamily:
    found = CounterMetricFamily(name, what, labels=["model", "outcome"])
    for (model, outcome), place in places.items():
        found.add_metric([model, outcome], sums[place])
    return found


class _Tallied(Collector):
    """What all processes have counted, summed when it is asked for."""

    def __init__(self, metrics: ApiMetrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Their names, without reading anything."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        """Their values now."""
        return self._metrics.families(self._metrics.tallies.sums().tolist())


class _HeadGauges(Collector):
    """Gauges of heads and served versions, made when they are asked for."""

    def __init__(
        self, lines: Callable[[], Iterable[ServedLine]], clock_ms: Callable[[], int]
    ) -> None:
        self._lines, self._clock_ms = lines, clock_ms

    def describe(self) -> list[Metric]:
        """Their names, without reading anything."""
        return list(_described((), 0))

    def collect(self) -> Iterator[Metric]:
        """Their values now."""
        return _described(list(self._lines()), self._clock_ms())


def _described(lines: Sequence[ServedLine], now_ms: int) -> Iterator[Metric]:
    heads = [(line.name, line.state.head) for line in lines if line.state and line.state.head]
    for name, what, value in _OF_HEADS:
        yield _gauge(name, what, (((model,), value(head)) for model, head in heads))
    scores = (
        ((model, score, window), _plotted(windows.get(window)))
        for model, head in heads
        for score, windows in head.manifest.metrics.items()
        for window in SCORE_WINDOWS
    )
    yield _gauge("weir_model_metric", "The head's scores.", scores, "metric", "window")
    what = "By how much the loss rises without a feature; the head's features worth most."
    yield _gauge("weir_model_feature_importance", what, _importance(heads), "feature")
    served = [(line.name, line.loaded) for line in lines if line.loaded]
    numbers = (((model,), loaded.version.number) for model, loaded in served)
    yield _gauge("weir_model_serving_version", "The number of the version that answers.", numbers)
    ages_s = (((model,), max(0, now_ms - it.created_at_ms) / 1000) for model, it in served)
    yield _gauge("weir_serving_staleness_seconds", "Age of the version that answers.", ages_s)
    doubts = CounterMetricFamily(
        "weir_store_refusals",
        "Different things found in the store and not believed.",
        labels=["model"],
    )
    for line in lines:
        doubts.add_metric([line.name], line.refusals)
    yield doubts
    answers = (((it.name, "redis"), it.state is not None and not it.is_store_away) for it in lines)
    what = "Whether a dependency answered last, and let us do what we must."
    yield _gauge("weir_dependency_up", what, answers, "dependency")


def _importance(heads: Iterable[tuple[str, Version]]) -> Iterator[tuple[Sequence[str], float]]:
    for model, head in heads:
        found = head.manifest.importance
        if not isinstance(found, UnsetType):
            yield from (((model, feature), value) for feature, value in found.items())


def _plotted(value: float | None) -> float:
    return float("nan") if value is None else value


_OF_HEADS: Sequence[tuple[str, str, Callable[[Version], int]]] = (
    ("weir_model_examples_learned", "Examples the head has learned.",
     lambda head: head.manifest.counts.learned),
    ("weir_model_examples_scored", "Predictions the head has scored.",
     lambda head: head.manifest.counts.scored),
    ("weir_model_predictions_nonfinite", "Predictions of the head's that were NaN or infinite.",
     lambda head: head.manifest.counts.nonfinite),
    ("weir_model_events_refused", "Events refused up to the head.",
     lambda head: head.manifest.counts.refused),
    ("weir_model_active_version", "The head's number.", lambda head: head.number),
    ("weir_model_drifts", "Detections up to the head.", lambda head: head.manifest.drift_total),
)  # fmt: skip


def _gauge(
    name: str, what: str, values: Iterable[tuple[Sequence[str], float]], *labels: str
) -> GaugeMetricFamily:
    found = GaugeMetricFamily(name, what, labels=["model", *labels])
    for of, value in values:
        found.add_metric(of, value)
    return found
