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

__all__ = ["CONTENT_TYPE_LATEST", "ApiMetrics", "Counted", "RouteSeconds"]

_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
)  # fmt: skip
_BOUNDS = (*map(str, map(float, _SECONDS)), "+Inf")
_PREDICTED = ("ok", "refused", "failed", "not_ready")
_LOADED = ("ok", "failed")
# Every status that the API answers with.
_STATUSES = (
    200, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 431, 500, 501, 503,
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
        tallies: Where it is counted.
        registry: Where metrics are registered; passed in, so that tests have their own.

    Attributes:
        cells: The book of this process; the first one until `open` says which.
    """

    def __init__(
        self, models: Iterable[str], tallies: SharedCounters, registry: CollectorRegistry
    ) -> None:
        self.registry, self.tallies = registry, tallies
        self._given = NOW_AT + 1
        self.open(0)
        names = list(models)
        self._predictions = self._counters(names, _PREDICTED)
        self._loads = self._counters(names, _LOADED)
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
        yield self._durations(sums)
        yield GaugeMetricFamily(
            "weir_http_requests_in_progress", "Requests being answered.", sums[NOW_AT]
        )

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
        return [*self._families(), _refusals(), _answers()]

    def collect(self) -> Iterator[Metric]:
        """Their values now."""
        families = self._families()
        learned, scored, nonfinite, refused, active, serving, staleness, scores, drifts = families
        for line in self._lines():
            head = line.state.head if line.state else None
            if head is not None:
                counts = head.manifest.counts
                active.add_metric([line.name], head.number)
                learned.add_metric([line.name], counts.learned)
                scored.add_metric([line.name], counts.scored)
                nonfinite.add_metric([line.name], counts.nonfinite)
                refused.add_metric([line.name], counts.refused)
                drifts.add_metric([line.name], head.manifest.drift_total)
                for name, windows in head.manifest.metrics.items():
                    for window, value in windows.items():
                        labels = [line.name, name, window]
                        scores.add_metric(labels, float("nan") if value is None else value)
            if line.loaded is not None:
                age_ms = max(0, self._clock_ms() - line.loaded.created_at_ms)
                serving.add_metric([line.name], line.loaded.version.number)
                staleness.add_metric([line.name], age_ms / 1000)
        yield from families
        doubts = _refusals()
        for line in self._lines():
            doubts.add_metric([line.name], line.refusals)
        yield doubts
        answers = _answers()
        for line in self._lines():
            is_up = line.state is not None and not line.is_store_away
            answers.add_metric([line.name, "redis"], is_up)
        yield answers

    def _families(self) -> tuple[GaugeMetricFamily, ...]:
        def of_model(name: str, what: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(name, what, labels=["model", *labels])

        return (
            of_model("weir_model_examples_learned", "Examples the head has learned."),
            of_model("weir_model_examples_scored", "Predictions the head has scored."),
            of_model(
                "weir_model_predictions_nonfinite",
                "Predictions of the head's that were NaN or infinite.",
            ),
            of_model("weir_model_events_refused", "Events refused up to the head."),
            of_model("weir_model_active_version", "The head's number."),
            of_model("weir_model_serving_version", "The number of the version that answers."),
            of_model("weir_serving_staleness_seconds", "Age of the version that answers."),
            of_model("weir_model_metric", "The head's scores.", "metric", "window"),
            of_model("weir_model_drifts", "Detections up to the head."),
        )


def _refusals() -> CounterMetricFamily:
    what = "Different things found in the store and not believed."
    return CounterMetricFamily("weir_store_refusals", what, labels=["model"])


def _answers() -> GaugeMetricFamily:
    what = "Whether a dependency answered last, and let us do what we must."
    return GaugeMetricFamily("weir_dependency_up", what, labels=["model", "dependency"])
