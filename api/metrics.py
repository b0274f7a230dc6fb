"""The API's Prometheus metrics.

What describes a model is read at the moment of the scrape from the same manifest that the JSON
answers are made of, so the two cannot disagree.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version as installed

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.served import ServedLine

__all__ = ["CONTENT_TYPE_LATEST", "ApiMetrics"]

_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
)  # fmt: skip
_PACKAGES = ("weir", "river", "vowpalwabbit", "fastapi", "uvicorn")


class ApiMetrics:
    """One API process's metrics.

    Args:
        registry: Where they are registered; passed in, so that tests have their own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.predictions = Counter(
            "weir_predictions", "Predictions asked for.", ["model", "outcome"], registry=registry
        )
        self.loads = Counter(
            "weir_model_loads", "Versions loaded to serve.", ["model", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "http_server_request_duration_seconds",
            "From the request's head to its answer.",
            ["method", "route", "status_code"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_progress = 0  # counted by the endpoints, all on one thread
        Gauge(
            "weir_http_requests_in_progress", "Requests being answered.", registry=registry
        ).set_function(lambda: self.in_progress)
        Info("weir_build", "The versions at work.", registry=registry).info(
            {name: installed(name) for name in _PACKAGES}
        )

    def loaded(self, model: str, outcome: str) -> None:
        """A version was loaded, or was not."""
        self.loads.labels(model, outcome).inc()

    def describe(self, lines: Iterable[ServedLine], clock_ms: Callable[[], int]) -> None:
        """Show the gauges of these models from now on."""
        self.registry.register(_Heads(list(lines), clock_ms))

    def text(self) -> bytes:
        """All of them, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Heads(Collector):
    """Gauges of heads and served versions, made when they are asked for."""

    def __init__(self, lines: list[ServedLine], clock_ms: Callable[[], int]) -> None:
        self._lines, self._clock_ms = lines, clock_ms

    def describe(self) -> list[Metric]:
        """Their names, without reading anything."""
        return [*self._families(), _refusals()]

    def collect(self) -> Iterator[Metric]:
        """Their values now."""
        learned, scored, refused, active, serving, staleness, scores, drifts = self._families()
        for line in self._lines:
            head = line.state.head if line.state else None
            if head is not None:
                counts = head.manifest.counts
                active.add_metric([line.name], head.number)
                learned.add_metric([line.name], counts.learned)
                scored.add_metric([line.name], counts.scored)
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
        yield from (learned, scored, refused, active, serving, staleness, scores, drifts)
        doubts = _refusals()
        for line in self._lines:
            doubts.add_metric([line.name], line.refusals)
        yield doubts

    def _families(self) -> tuple[GaugeMetricFamily, ...]:
        def of_model(name: str, what: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(name, what, labels=["model", *labels])

        return (
            of_model("weir_model_examples_learned", "Examples the head has learned."),
            of_model("weir_model_examples_scored", "Predictions the head has scored."),
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
