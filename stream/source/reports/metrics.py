"""The learner's Prometheus metrics, updated once a batch or a commit and never once an event."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import make_wsgi_app, start_http_server

from checkpoints.records.manifest import SCORE_WINDOWS, Manifest
from config.files import free_bytes, size_bytes
from stream.between.messages import Committed
from stream.between.positions import PartitionKey
from stream.source.probes import LearnerProbes

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LearnerMetrics:
    """One learner's metrics.

    The gauges of the model are those of its head and equal the JSON answers; the counters count
    work done by this process, replays included.

    Args:
        model: The `model` label of every series.
        registry: Where they are registered; passed in, so that tests have their own.
        disks: Folders that this process, or `weir dev`, writes to, each by what it is for.

    Attributes:
        spans: Where it is counted what becomes of spans.
    """

    def __init__(
        self, model: str, registry: CollectorRegistry, disks: Mapping[str, Path] | None = None
    ) -> None:
        self.registry = registry
        self._model = model
        self._events = Counter(
            "weir_events_processed",
            "Records taken by this process, replays included.",
            ["model", "kind", "outcome"],
            registry=registry,
        )
        self._learned_now = self._events.labels(model, "example", "learned")
        self._dead_letters = Counter(
            "weir_dead_letters",
            "Records refused, by reason.",
            ["model", "topic", "reason"],
            registry=registry,
        )
        self._drifts = Counter(
            "weir_drift_detections",
            "Detections of drift.",
            ["model", "detector", "direction"],
            registry=registry,
        )
        self._watch_head(registry)
        self._lag = Gauge(
            "weir_consumer_lag_messages",
            "Records still to be read.",
            ["model", "topic", "partition"],
            registry=registry,
        )
        self._rewind_left = self._gauge(
            "rewind_records_left", "Records that a rewind, or relearning, is still to replay."
        )
        self._uncommitted = self._gauge(
            "checkpoint_uncheckpointed_events", "Records taken since the last commit."
        )
        self._commits = _Commits(model, registry)
        self._up = Gauge(
            "weir_dependency_up",
            "Whether a dependency answered last.",
            ["model", "dependency"],
            registry=registry,
        )
        self.spans = LearnerSpanCounts(model, registry)
        self._watch_disks(disks or {})
        self._unsafe = Gauge(
            "weir_store_unsafe",
            "Whether Redis is set up so that it may lose versions, by what is wrong.",
            ["model", "problem"],
            registry=registry,
        )
        Info("weir_build", "The versions at work.", registry=registry).info(_build())

    def _watch_head(self, registry: CollectorRegistry) -> None:
        """The gauges of the model, which are those of its head."""
        self._learned = self._gauge("model_examples_learned", "Examples the head has learned.")
        self._scored = self._gauge("model_examples_scored", "Predictions the head has scored.")
        self._nonfinite = self._gauge(
            "model_predictions_nonfinite", "Predictions of the head's that were NaN or infinite."
        )
        self._refused = self._gauge("model_events_refused", "Events refused up to the head.")
        self._pending = self._gauge(
            "label_join_pending", "Events, and labels, that wait for each other."
        )
        self._matched = self._gauge("label_join_matched", "Labels joined with their event.")
        self._expired = self._gauge("label_join_expired", "Events let go without a label.")
        self._lost = self._gauge(
            "label_topic_lost", "Times that a topic of labels was lost, and read anew."
        )
        self._version = self._gauge("model_active_version", "The head's number.")
        self._held = self._gauge("model_held", "Whether the publish gate holds the head back.")
        self._size = self._gauge("model_size_bytes", "Bytes of the head's payload, unpacked.")
        self._scores = Gauge(
            "weir_model_metric",
            "The head's scores.",
            ["model", "metric", "window"],
            registry=registry,
        )

    def took(self, learned: int, refused: Mapping[tuple[str, str], int]) -> None:
        """A chunk was taken: events learned, and refusals by (topic, reason)."""
        self._learned_now.inc(learned)
        for (topic, reason), count in refused.items():
            outcome = "duplicate" if reason == "duplicate" else "dead_lettered"
            self._events.labels(self._model, "example", outcome).inc(count)
            self._dead_letters.labels(self._model, topic, reason).inc(count)

    def drifted(self, detector: str, direction: str) -> None:
        """A detector raised its flag."""
        self._drifts.labels(self._model, detector, direction).inc()

    def rewinding(self, left: int) -> None:
        """How many records are still to be replayed; 0 where none is."""
        self._rewind_left.set(left)

    def reading(self, lag: Mapping[PartitionKey, int], uncommitted: int) -> None:
        """How far the log is ahead, and how much is not yet committed."""
        for (topic, partition), records in lag.items():
            self._lag.labels(self._model, topic, str(partition)).set(records)
        self._uncommitted.set(uncommitted)

    def committed(self, told: Committed, manifest: Manifest) -> None:
        """A commit succeeded."""
        self._commits.succeeded(told, manifest)

    def commit_failed(self, outcome: str) -> None:
        """A commit was refused or could not be made."""
        self._commits.tried.labels(self._model, outcome).inc()

    def head_is(self, manifest: Manifest) -> None:
        """The head is now this version; its numbers equal the JSON answers."""
        counts = manifest.counts
        self._version.set(manifest.number)
        self._learned.set(counts.learned)
        self._scored.set(counts.scored)
        self._nonfinite.set(counts.nonfinite)
        self._refused.set(counts.refused)
        self._pending.set(counts.pending)
        self._matched.set(counts.labels)
        self._expired.set(counts.expired)
        self._lost.set(sum(lost.times for lost in manifest.lost_topics.values()))
        self._size.set(manifest.segments["model"].raw_bytes)
        for name, windows in manifest.metrics.items():
            for window in SCORE_WINDOWS:
                value = windows.get(window)
                gauge = self._scores.labels(self._model, name, window)
                gauge.set(float("nan") if value is None else value)

    def held(self, is_held: bool) -> None:
        """Whether the publish gate holds the head back."""
        self._held.set(is_held)

    def dependency(self, name: str, *, is_up: bool) -> None:
        """Whether Kafka or Redis answered."""
        self._up.labels(self._model, name).set(is_up)

    def store_unsafe(self, problem: str, is_unsafe: bool) -> None:
        """Whether this of Redis's set-up may lose versions."""
        self._unsafe.labels(self._model, problem).set(is_unsafe)

    def serve(self, host: str, port: int, probes: LearnerProbes) -> str:
        """Serve `/metrics` and `probes` on threads of their own; the address that was given."""
        server, _ = start_http_server(port, addr=host, registry=self.registry)
        server.set_app(probes.beside(make_wsgi_app(self.registry)))
        return f"http://{host}:{server.server_port}/metrics"

    def _watch_disks(self, disks: Mapping[str, Path]) -> None:
        """Asked when they are scraped."""
        labels = ["model", "disk"]
        free = Gauge("weir_disk_free_bytes", "Bytes free.", labels, registry=self.registry)
        size = Gauge("weir_disk_size_bytes", "Bytes in all.", labels, registry=self.registry)
        for disk, folder in disks.items():
            free.labels(self._model, disk).set_function(partial(free_bytes, folder))
            size.labels(self._model, disk).set_function(partial(size_bytes, folder))

    def _gauge(self, name: str, what: str) -> Gauge:
        return _gauge(name, what, self._model, self.registry)


class LearnerSpanCounts:
    """What becomes of the spans of traces."""

    def __init__(self, model: str, registry: CollectorRegistry) -> None:
        counter = Counter(
            "weir_spans",
            "Spans of traces: the collector has them, or they were dropped.",
            ["model", "outcome"],
            registry=registry,
        )
        self._dropped = counter.labels(model, "dropped")
        self._sent = counter.labels(model, "sent")

    def full(self) -> None:
        """Too many waited."""
        self._dropped.inc()

    def sent(self, count: int) -> None:
        """The collector has these."""
        self._sent.inc(count)

    def lost(self, count: int) -> None:
        """The collector did not take these."""
        self._dropped.inc(count)


class _Commits:
    """What versions cost, and how old the newest is."""

    def __init__(self, model: str, registry: CollectorRegistry) -> None:
        self._model = model
        self.tried = Counter(
            "weir_checkpoints", "Commits tried.", ["model", "outcome"], registry=registry
        )
        self._stall = Histogram(
            "weir_checkpoint_duration_seconds",
            "Time that learning stood still for a commit.",
            ["model"],
            buckets=_COMMIT_SECONDS,
            registry=registry,
        ).labels(model)
        self._work = Counter(
            "weir_checkpoint_work_seconds",
            "CPU seconds of the processes that made versions beside the learner.",
            ["model"],
            registry=registry,
        ).labels(model)
        self._interval = _gauge(
            "checkpoint_interval_seconds",
            "From a version's cut to the next: as configured, or longer where its cost demands.",
            model,
            registry,
        )
        self._size = _gauge("checkpoint_size_bytes", "Bytes written by a commit.", model, registry)
        self._at = _gauge(
            "checkpoint_last_success_timestamp_seconds",
            "When the head was committed.",
            model,
            registry,
        )

    def succeeded(self, told: Committed, manifest: Manifest) -> None:
        self.tried.labels(self._model, "ok").inc()
        self._stall.observe(told.stall_s)
        self._work.inc(told.work_s)
        self._interval.set(told.interval_s)
        self._size.set(manifest.bytes)
        self._at.set(manifest.created_at_ms / 1000)


def _gauge(name: str, what: str, model: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(f"weir_{name}", what, ["model"], registry=registry).labels(model)


def _build() -> dict[str, str]:
    names = ("weir", "river", "vowpalwabbit", "kafka-python")
    return {name.replace("-", "_"): installed(name) for name in names}
