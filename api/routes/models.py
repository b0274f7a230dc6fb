"""What can be read of a model: by the views that the command line prints, too."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.http.lines import Line, Models
from api.http.paging import MomentAsked, PageAsked, VersionName, asked_ms
from api.http.threads import Threads
from api.openapi import answers, explanations
from api.openapi.details import Json, told
from api.openapi.problem_examples import (
    BAD_VERSION,
    NO_CALIBRATION,
    NO_IMPORTANCE,
    NO_SLICE,
    NO_STORE,
    NO_VERSION,
    NOT_READY,
)
from api.serving.served import ServedLine
from checkpoints.reading import views
from checkpoints.reading.as_of import as_of_view
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.reading.score_views import best_of, importance_view, scored_versions_page
from checkpoints.reading.served_then import served_then
from checkpoints.records.control import Control
from checkpoints.records.manifest import Version, version_number
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store

_MODEL = "/v1/models/{model}"
_TO_MODEL = {
    "getModel": {"operationId": "getModel", "parameters": {"model": "$response.body#/items/0/name"}}
}
_TO_VERSION = {
    "getVersion": {
        "operationId": "getVersion",
        "parameters": {"model": "$request.path.model", "version": "$response.body#/version"},
    }
}
_FROM_VERSIONS = {
    "getVersion": {
        "operationId": "getVersion",
        "parameters": {
            "model": "$request.path.model",
            "version": "$response.body#/items/0/version",
        },
    },
    **{
        command: {
            "operationId": command,
            "parameters": {"model": "$request.path.model"},
            "requestBody": {"to": "$response.body#/items/0/version", "reason": "tried", **more},
        }
        for command, more in (("rollback", {"mode": "forget"}), ("pin", {}))
    },
}
_AT = "2026-11-20T12:00:00.000Z"
_ID = "4f1c" * 16


SliceAsked = Annotated[
    str | None,
    Query(
        alias="slice",
        min_length=1,
        max_length=1024,
        description="A feature by whose values to tell apart.",
    ),
]
_NO_DRIFTS = b'{"total":0,"items":[]}'


class Reading:
    """Answers the GET routes of models.

    Models, metrics, calibration and drifts come from memory; versions and the audit from the store.

    Args:
        store: Where versions and commands are listed from.
        verifier: Whose records are believed.
        threads: Where the store is waited for.
        clock_ms: Unix, UTC.
    """

    def __init__(
        self, store: Store, verifier: Verifier, threads: Threads, clock_ms: Callable[[], int]
    ) -> None:
        self._store, self._verifier = store, verifier
        self._threads, self._clock_ms = threads, clock_ms
        self._segments: dict[tuple[str, str], tuple[str, bytes]] = {}

    async def models(self, served: Models, page: PageAsked) -> Json:
        """Every model that has a version."""
        known = [
            (place, line)
            for place, (_, line) in enumerate(sorted(served.lines.items()), 1)
            if line.state is not None and line.state.head is not None
        ]
        rest = [each for each in known if page.start is None or each[0] > page.start]
        body = views.page(
            rest[: page.limit + 1],
            limit=page.limit,
            view=lambda each: self._view(each[1]),
            place=lambda each: each[0],
        )
        return Json(body)

    async def model(self, line: Line) -> Json:
        """One model: its head, whole and at one moment."""
        return Json(self._view(line))

    async def metrics(self, line: Line, by: SliceAsked = None) -> Json:
        """The head's scores over their windows, or those of one slice."""
        head = _head(line.known())
        if by is None:
            return Json(views.metrics_view(head.manifest))
        return Json(views.slice_view(head.manifest, await self._segment(line, head, "slices"), by))

    async def calibration(self, line: Line) -> Json:
        """The head's reliability diagram."""
        return Json(views.calibration_view(_head(line.known()).manifest))

    async def importance(self, line: Line) -> Json:
        """What each feature is worth to the head, and was."""
        head = _head(line.known())
        segment = await self._segment(line, head, "importance")
        return Json(importance_view(head.manifest, segment))

    async def labels(self, line: Line) -> Json:
        """What waits for its label in the head, and what became of labels."""
        return Json(views.labels_view(_head(line.known()).manifest))

    async def drifts(self, line: Line, page: PageAsked) -> Json:
        """The head's last detections."""
        segment = await self._segment(line, _head(line.known()), "drifts")
        return Json(views.drifts_view(segment or _NO_DRIFTS, limit=page.limit, before=page.start))

    async def versions(self, line: Line, page: PageAsked, at: MomentAsked = None) -> Json:
        """Kept versions, or the one that was served at a time."""
        reader = self._reader(line)
        if at is not None:
            then = await self._threads.run(served_then, reader, asked_ms(at))
            return Json(as_of_view(then, line.state.control if line.state else None))
        found = await self._threads.run(reader.listing, limit=page.limit + 1, before=page.start)
        best = await self._threads.run(lambda: best_of(reader.kept()))
        body = scored_versions_page(found, limit=page.limit, best=best, **_marks(line))
        return Json(body)

    async def version(self, line: Line, version: VersionName) -> Json:
        """One version and its manifest."""
        found = await self._threads.run(self._reader(line).version, version_number(version))
        return Json(views.version_view(found, **_marks(line)))

    async def audit(self, line: Line, page: PageAsked) -> Json:
        """The commands that operators gave."""
        reader = self._reader(line)
        found: list[Control] = await self._threads.run(
            reader.audit, limit=page.limit + 1, before=page.start
        )
        body = views.page(
            found,
            limit=page.limit,
            view=views.audit_item,
            place=lambda control: control.record.seq,
        )
        return Json(body)

    def _view(self, line: ServedLine) -> dict[str, Any]:
        serving = line.loaded.version if line.loaded else None
        view = views.model_view(line.known(), now_ms=self._clock_ms(), serving=serving)
        return view | {"ready": serving is not None}

    def _reader(self, line: ServedLine) -> LineReader:
        """A reader of this request's own: it runs on another thread than the one that follows."""
        return LineReader(self._store, self._verifier, line.line)

    async def _segment(self, line: ServedLine, head: Version, kind: str) -> bytes | None:
        """The head's segment of a kind, from memory while it is the same; None: it has none."""
        ref = head.manifest.segments.get(kind)
        if ref is None:
            return None
        name, held = self._segments.get((line.name, kind), ("", b""))
        if name == ref.sha256:
            return held
        reader = self._reader(line)
        segments = await self._threads.run(reader.load_segments, head, [kind])
        self._segments[line.name, kind] = (ref.sha256, segments[kind])
        return segments[kind]

    def add_to(self, router: APIRouter) -> None:
        """The routes."""
        router.get(
            "/v1/models",
            operation_id="listModels",
            summary="List the models served here",
            response_model=answers.ModelList,
            responses=told({"items": [_MODEL_EXAMPLE], "next": None}, links=_TO_MODEL),
        )(self.models)
        router.get(
            _MODEL,
            operation_id="getModel",
            summary="Where a model stands",
            description="All numbers are of one version, the head. `serving` is what this process "
            "answers with; `state` and `lag` are the learner's.",
            response_model=answers.ModelView,
            responses=told(_MODEL_EXAMPLE, NOT_READY, links=_TO_VERSION),
        )(self.model)
        self._add_scores(router)
        router.get(
            f"{_MODEL}/versions",
            operation_id="listVersions",
            summary="Kept versions, newest first",
            description="With `at`, which version was served then, by whose order, and what of "
            "that is not known any more.",
            response_model=answers.VersionThen | answers.VersionList,
            responses=told(
                {"items": [_LISTED_EXAMPLE], "next": "17"},
                NO_STORE,
                links=_FROM_VERSIONS,
            ),
        )(self.versions)
        router.get(
            f"{_MODEL}/versions/{{version}}",
            operation_id="getVersion",
            summary="One version and its signed manifest",
            response_model=answers.VersionView,
            responses=told(
                {**_VERSION_EXAMPLE, "manifest": {"format": 1, "number": 17}},
                NO_VERSION,
                BAD_VERSION,
                NO_STORE,
            ),
        )(self.version)
        router.get(
            f"{_MODEL}/audit", operation_id="listAudit", summary="Commands, newest first",
            response_model=answers.AuditList,
            responses=told(_AUDIT_EXAMPLE, NO_STORE),
        )(self.audit)  # fmt: skip

    def _add_scores(self, router: APIRouter) -> None:
        """Those of how good the model is, and what it was told."""
        router.get(
            f"{_MODEL}/metrics",
            operation_id="getMetrics",
            summary="Progressive scores over each window",
            description="With `slice`, those of each value of a feature under `slices:`, or of "
            "`label_age`: how long labels took that came late.",
            response_model=answers.SliceView | dict[str, answers.ScoreView],
            responses=told(_METRICS_EXAMPLE, NO_SLICE, NOT_READY),
        )(self.metrics)
        router.get(
            f"{_MODEL}/calibration",
            operation_id="getCalibration",
            summary="Whether probabilities mean what they say",
            response_model=answers.CalibrationView,
            responses=told(_CALIBRATION_EXAMPLE, NO_CALIBRATION, NOT_READY),
        )(self.calibration)
        router.get(
            f"{_MODEL}/importance",
            operation_id="getImportance",
            summary="What each feature is worth, and was",
            description="By how much the loss rises where a feature has another event's value: the "
            "loss is 1 less the probability of the truth, of a number its distance.",
            response_model=explanations.ImportanceView,
            responses=told(_IMPORTANCE_EXAMPLE, NO_IMPORTANCE, NOT_READY),
        )(self.importance)
        router.get(
            f"{_MODEL}/labels",
            operation_id="getLabels",
            summary="Labels that come late: what waits, what came",
            description="Of the head. A percentile of the delay is known to within 9 %.",
            response_model=answers.LabelsView,
            responses=told(_LABELS_EXAMPLE, NOT_READY),
        )(self.labels)
        router.get(
            f"{_MODEL}/drifts",
            operation_id="listDrifts",
            summary="Detections of drift",
            response_model=answers.DriftList,
            responses=told(_DRIFTS_EXAMPLE, NOT_READY),
        )(self.drifts)


def _head(state: LineState) -> Version:
    assert state.head is not None  # `known` has seen to it
    return state.head


def _marks(line: ServedLine) -> dict[str, Any]:
    """What pins, tags and serving make of a version's item."""
    state = line.state
    serving = (line.loaded.version.id,) if line.loaded else ()
    return {"control": state.control if state else None, "serving": serving}


_MODEL_EXAMPLE: dict[str, Any] = {
    "name": "phishing", "task": "binary", "state": "idle", "version": "v17", "version_id": _ID,
    "serving": "v17", "serving_id": _ID, "ready": True, "created_at": _AT, "age_seconds": 0.42,
    "learned": 1250, "scored": 1250, "unscored": 0, "nonfinite": 0, "refused": 0,
    "refused_by": {}, "skipped": 0, "forgotten": 0, "pending": 0, "expired": 0,
    "labels": 0,
    "metrics": {"Accuracy": 0.89}, "drifts": 0, "offsets": {"phishing.events": {"0": 1250}},
    "lag": 0, "last_error": None, "advice": None, "rewind": None, "held": None, "frozen": False,
    "pinned": None, "tags": {},
}  # fmt: skip
_VERSION_EXAMPLE: dict[str, Any] = {
    "version": "v17", "id": _ID, "parent": "9b02" * 16, "kind": "commit", "created_at": _AT,
    "learned": 1250, "scored": 1250, "refused": 0, "metrics": {"Accuracy": 0.89},
    "offsets": {"phishing.events": {"0": 1250}}, "bytes": 2210, "tags": ["stable"],
    "pinned": False, "serving": True, "kept": True,
}  # fmt: skip
_LISTED_EXAMPLE: dict[str, Any] = {
    **_VERSION_EXAMPLE,
    "scores": {"Accuracy": {"lifetime": 0.89, "rolling": 0.91, "change": 0.004}},
    "best": True,
}
_METRICS_EXAMPLE: dict[str, Any] = {
    "Accuracy": {
        "lifetime": 0.89, "rolling": 0.91, "fading": 0.9, "no_change": 0.52, "majority": 0.56,
        "low": 0.84, "high": 0.94,
    }
}  # fmt: skip
_CALIBRATION_EXAMPLE: dict[str, Any] = {
    "bins": [
        {"from": 0.0, "to": 0.1, "count": 480, "predicted": 0.04, "observed": 0.05},
        {"from": 0.9, "to": 1.0, "count": 411, "predicted": 0.96, "observed": 0.94},
    ],
    "ece": 0.021,
    "brier": 0.083,
}
_IMPORTANCE_EXAMPLE: dict[str, Any] = {
    "every": 64, "fading": 0.99, "measured": 19, "failed": 0,
    "items": [{"feature": "https", "importance": 0.21, "measured": 10}],
    "over_time": [{"learned": 1216, "importance": {"https": 0.21}}],
}  # fmt: skip
_LABELS_EXAMPLE: dict[str, Any] = {
    "pending": 120, "oldest_at": _AT, "matched": 1130, "expired": 0, "late": 0, "unknown": 2,
    "duplicate": 1, "conflict": 0, "topic_lost": 0,
    "delay": {"p50": 61.7, "p90": 349.0, "p99": 1397.0},
}  # fmt: skip
_DRIFTS_EXAMPLE: dict[str, Any] = {
    "total": 1,
    "items": [
        {
            "detector": "ADWIN", "on": "error", "index": 4127, "version": "v12",
            "topic": "drift.events", "partition": 0, "offset": 4127, "before": 0.08,
            "after": 0.47, "direction": "worse", "episode": 1, "at": _AT,
        }
    ],
    "next": None,
}  # fmt: skip
_AUDIT_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "id": "6f1d" * 8, "at": _AT, "who": "ann@ops", "command": "rollback",
            "reason": "bad labels since noon", "from": "v17", "to": "v12", "mode": "forget",
            "tag": None, "version": "v18", "outcome": "forgot 512",
        }
    ],
    "next": None,
}  # fmt: skip
