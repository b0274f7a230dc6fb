"""What can be read of a model: by the views that the command line prints, too."""

from collections.abc import Callable
from typing import Any

from api import answers
from api.operation import PAGE, Call, Operation, json_answer
from api.problem import Answer, Problem
from api.served import Served, ServedLine
from api.threads import Threads
from checkpoints import views
from checkpoints.control import Control
from checkpoints.errors import BadCommand
from checkpoints.manifest import Version, version_number
from checkpoints.reader import LineReader, LineState
from checkpoints.signing import Verifier
from checkpoints.store import Store

_MODEL = "/v1/models/{model}"
_AT = "2026-11-20T12:00:00.000Z"
_ID = "4f1c" * 16


class Reading:
    """Answers the GET routes of models.

    Models, metrics and drifts come from memory; versions and the audit from the store.

    Args:
        served: The models.
        store: Where versions and commands are listed from.
        verifier: Whose records are believed.
        threads: Where the store is waited for.
        clock_ms: Unix, UTC.
    """

    def __init__(
        self,
        served: Served,
        store: Store,
        verifier: Verifier,
        threads: Threads,
        clock_ms: Callable[[], int],
    ) -> None:
        self._served, self._store, self._verifier = served, store, verifier
        self._threads, self._clock_ms = threads, clock_ms
        self._drifts: dict[str, tuple[str, bytes]] = {}

    async def models(self, call: Call) -> Answer:
        """Every model that has a version."""
        limit, start = _page(call)
        known = [
            (place, line)
            for place, (_, line) in enumerate(sorted(self._served.lines.items()), 1)
            if line.state is not None and line.state.head is not None
        ]
        rest = [each for each in known if start is None or each[0] > start]
        body = views.page(
            rest[: limit + 1],
            limit=limit,
            view=lambda each: self._view(each[1]),
            place=lambda each: each[0],
        )
        return json_answer(body)

    async def model(self, call: Call) -> Answer:
        """One model: its head, whole and at one moment."""
        return json_answer(self._view(self._line(call)))

    async def metrics(self, call: Call) -> Answer:
        """The head's scores over their windows."""
        return json_answer(views.metrics_view(_head(self._line(call).known()).manifest))

    async def drifts(self, call: Call) -> Answer:
        """The head's last detections."""
        line = self._line(call)
        limit, before = _page(call)
        segment = await self._drift_segment(line, _head(line.known()))
        return json_answer(views.drifts_view(segment, limit=limit, before=before))

    async def versions(self, call: Call) -> Answer:
        """Kept versions."""
        line = self._line(call)
        limit, before = _page(call)
        reader = self._reader(line)
        found = await self._threads.run(reader.listing, limit=limit + 1, before=before)
        return json_answer(views.versions_page(found, limit=limit, **_marks(line)))

    async def version(self, call: Call) -> Answer:
        """One version and its manifest."""
        line = self._line(call)
        number = _number(call.path["version"])
        found = await self._threads.run(self._reader(line).version, number)
        return json_answer(views.version_view(found, **_marks(line)))

    async def audit(self, call: Call) -> Answer:
        """The commands that operators gave."""
        line = self._line(call)
        limit, before = _page(call)
        reader = self._reader(line)
        found: list[Control] = await self._threads.run(reader.audit, limit=limit + 1, before=before)
        body = views.page(
            found,
            limit=limit,
            view=views.audit_item,
            place=lambda control: control.record.seq,
        )
        return json_answer(body)

    def _line(self, call: Call) -> ServedLine:
        return self._served.line(call.path["model"])

    def _view(self, line: ServedLine) -> dict[str, Any]:
        serving = line.loaded.version if line.loaded else None
        return views.model_view(line.known(), now_ms=self._clock_ms(), serving=serving)

    def _reader(self, line: ServedLine) -> LineReader:
        """A reader of this request's own: it runs on another thread than the one that follows."""
        return LineReader(self._store, self._verifier, line.line)

    async def _drift_segment(self, line: ServedLine, head: Version) -> bytes:
        ref = head.manifest.segments.get("drifts")
        if ref is None:
            return b'{"total":0,"items":[]}'
        name, held = self._drifts.get(line.name, ("", b""))
        if name == ref.sha256:
            return held
        reader = self._reader(line)
        segments = await self._threads.run(reader.load_segments, head, ["drifts"])
        self._drifts[line.name] = (ref.sha256, segments["drifts"])
        return segments["drifts"]

    def operations(self) -> list[Operation]:
        """The routes and their descriptions."""
        return [
            Operation(
                id="listModels", method="GET", path="/v1/models", tag="engineers",
                summary="List the models served here", scope="read", answer=self.models,
                result=answers.ModelList, example={"items": [_MODEL_EXAMPLE], "next": None},
                parameters=PAGE, problems=(422,),
            ),
            Operation(
                id="getModel", method="GET", path=_MODEL, tag="engineers",
                summary="Where a model stands",
                what="All numbers are of one version, the head. `serving` is what this process "
                "answers with; `state` and `lag` are the learner's.",
                scope="read", answer=self.model, result=answers.ModelView,
                example=_MODEL_EXAMPLE, problems=(404, 503),
            ),
            Operation(
                id="getMetrics", method="GET", path=f"{_MODEL}/metrics", tag="engineers",
                summary="Progressive scores over each window", scope="read", answer=self.metrics,
                result=dict[str, answers.Windows],
                example={"Accuracy": {"lifetime": 0.89, "rolling": 0.91, "fading": 0.9}},
                problems=(404, 503),
            ),
            Operation(
                id="listDrifts", method="GET", path=f"{_MODEL}/drifts", tag="engineers",
                summary="Detections of drift", scope="read", answer=self.drifts,
                result=answers.DriftList, example=_DRIFTS_EXAMPLE, parameters=PAGE,
                problems=(404, 422, 503),
            ),
            Operation(
                id="listVersions", method="GET", path=f"{_MODEL}/versions", tag="engineers",
                summary="Kept versions, newest first", scope="read", answer=self.versions,
                result=answers.VersionList, example={"items": [_VERSION_EXAMPLE], "next": "17"},
                parameters=PAGE, problems=(404, 422, 503),
            ),
            Operation(
                id="getVersion", method="GET", path=f"{_MODEL}/versions/{{version}}",
                tag="engineers", summary="One version and its signed manifest", scope="read",
                answer=self.version, result=answers.VersionView,
                example={**_VERSION_EXAMPLE, "manifest": {"format": 1, "number": 17}},
                problems=(404, 422, 503),
            ),
            Operation(
                id="listAudit", method="GET", path=f"{_MODEL}/audit", tag="operators",
                summary="Commands, newest first", scope="read", answer=self.audit,
                result=answers.AuditList, example=_AUDIT_EXAMPLE, parameters=PAGE,
                problems=(404, 422, 503),
            ),
        ]  # fmt: skip


def _head(state: LineState) -> Version:
    assert state.head is not None  # `known` has seen to it
    return state.head


def _marks(line: ServedLine) -> dict[str, Any]:
    """What pins, tags and serving make of a version's item."""
    state = line.state
    serving = (line.loaded.version.id,) if line.loaded else ()
    return {"control": state.control if state else None, "serving": serving}


def _page(call: Call) -> tuple[int, int | None]:
    query = call.query
    try:
        return views.page_limit(query.get("limit")), views.page_start(query.get("cursor"))
    except BadCommand as error:
        wrong = "limit" if "limit" in error.what else "cursor"
        raise Problem(422, "bad_value", str(error), pointer=f"/{wrong}") from error


def _number(text: str) -> int:
    try:
        return version_number(text)
    except ValueError as error:
        raise Problem(422, "bad_value", str(error), pointer="/version") from error


_MODEL_EXAMPLE: dict[str, Any] = {
    "name": "phishing", "task": "binary", "state": "idle", "version": "v17", "version_id": _ID,
    "serving": "v17", "serving_id": _ID, "created_at": _AT, "age_seconds": 0.42,
    "learned": 1250, "scored": 1250, "unscored": 0, "nonfinite": 0, "refused": 0,
    "refused_by": {}, "skipped": 0, "forgotten": 0, "pending": 0, "labels": 0,
    "metrics": {"Accuracy": 0.89}, "drifts": 0, "offsets": {"phishing.events": {"0": 1250}},
    "lag": 0, "last_error": None, "advice": None, "frozen": False, "pinned": None, "tags": {},
}  # fmt: skip
_VERSION_EXAMPLE: dict[str, Any] = {
    "version": "v17", "id": _ID, "parent": "9b02" * 16, "kind": "commit", "created_at": _AT,
    "learned": 1250, "scored": 1250, "refused": 0, "metrics": {"Accuracy": 0.89},
    "offsets": {"phishing.events": {"0": 1250}}, "bytes": 2210, "tags": ["stable"],
    "pinned": False, "serving": True, "kept": True,
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
