"""The JSON bodies of what is read, pure: the API and the command line say the same by them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from checkpoints.errors import BadCommand, NotFound
from checkpoints.reading.reader import Damaged, Entry, LineState
from checkpoints.records.calibration import Calibration
from checkpoints.records.control import Control, ControlRecord
from checkpoints.records.manifest import SCORE_WINDOWS, Late, Manifest, Version
from checkpoints.records.signing import normal
from checkpoints.stores.presence import Beat

__all__ = [
    "LIMIT_MAX",
    "LIMIT_USUAL",
    "audit_item",
    "calibration_view",
    "drifts_view",
    "slice_view",
    "words_of_learner",
    "labels_view",
    "learner_state",
    "made_at_ms",
    "metrics_view",
    "model_view",
    "page",
    "page_limit",
    "page_start",
    "timestamp",
    "version_item",
    "version_view",
    "versions_page",
]

T = TypeVar("T")
Body = dict[str, Any]

LIMIT_USUAL = 100
LIMIT_MAX = 1000
_LABELS_REFUSED = ("late", "unknown", "duplicate", "conflict")
_ERROR_MAX = 1000
_PROGRESS = ("records", "left", "records_per_second", "seconds_left")
_STALE_MS = 5000  # a heartbeat older than this is a learner that is gone


def model_view(state: LineState, *, now_ms: int, serving: Version | None = None) -> Body:
    """`GET /v1/models/{m}`: one manifest, the head, so that its numbers agree.

    Args:
        state: Its head is not None.
        now_ms: Unix, UTC.
        serving: What this process answers with; by default what it is ordered to.
    """
    assert state.head is not None
    head, manifest, counts = state.head, state.head.manifest, state.head.manifest.counts
    record = state.control.record if state.control else None
    serving = serving or state.serving
    return {
        "name": manifest.model,
        "task": manifest.model_file.get("task"),
        "state": learner_state(state, now_ms=now_ms),
        "version": manifest.name,
        "version_id": head.id,
        "serving": serving.manifest.name if serving else None,
        "serving_id": serving.id if serving else None,
        "ready": serving is not None,
        "created_at": timestamp(manifest.created_at_ms),
        "age_seconds": _age_s(serving, now_ms),
        "learned": counts.learned,
        "scored": counts.scored,
        "unscored": counts.unscored,
        "nonfinite": counts.nonfinite,
        "refused": counts.refused,
        "refused_by": dict(counts.refused_by),
        "skipped": counts.skipped,
        "forgotten": counts.forgotten,
        "pending": counts.pending,
        "expired": counts.expired,
        "labels": counts.labels,
        "metrics": _lifetime(manifest),
        "drifts": manifest.drift_total,
        "offsets": _offsets(manifest),
        "lag": _live(state.learner, now_ms).get("lag"),
        "advice": _live(state.learner, now_ms).get("advice"),
        "last_error": _last_error(_live(state.learner, now_ms)),
        "rewind": _rewind(state, now_ms),
        "held": _held(state),
        "frozen": state.is_frozen,
        "pinned": f"v{record.pin.number}" if record and record.pin else None,
        "tags": {tag: f"v{p.number}" for tag, p in record.tags.items()} if record else {},
    }


def _rewind(state: LineState, now_ms: int) -> Body | None:
    """The rewind under way, and how far its learner says it has come; None where there is none."""
    order = state.rewinding
    if order is None:
        return None
    told = _live(state.learner, now_ms).get("rewind")
    known = told if isinstance(told, dict) and told.get("command_id") == order.id else {}
    return {
        "kind": order.kind,
        "to": f"v{order.to.number}" if order.to else None,
        "command_id": order.id,
        "skip": list(order.skip),
        "takes_over": order.may_take_over,
        **{name: known.get(name) for name in _PROGRESS},
    }


def _held(state: LineState) -> Body | None:
    """What holds the head back; None where nothing does."""
    held, head = state.held, state.head
    if held is None or head is None or isinstance(head.manifest.gate, UnsetType):
        return None
    gate = head.manifest.gate
    return {
        "version": head.manifest.name,
        "good": held.good.name,
        "score": gate.rule.score,
        "value": head.manifest.metrics.get(gate.rule.score, {}).get("rolling"),
        "best": gate.best,
        "margin": gate.rule.margin,
        "since": timestamp(held.since_ms),
    }


def learner_state(state: LineState, *, now_ms: int) -> str:
    """What the line's learner is doing: `stopped` if it has not been heard for five seconds."""
    beat = _live(state.learner, now_ms)
    doing = str(beat.get("state", "stopped"))
    return "frozen" if state.is_frozen and doing in ("learning", "rewinding", "idle") else doing


def words_of_learner(beat: Beat | None) -> str | None:
    """How a learner fares that has not made a version yet; None where none is heard.

    >>> words_of_learner({"state": "failed", "last_error": "no module named shop"})
    'its learner has failed, and will not begin again: no module named shop'
    """
    state, error = (beat or {}).get("state"), _last_error(beat or {})
    told = f": {error}" if error else ""
    match state:
        case "failed":
            return f"its learner has failed, and will not begin again{told}"
        case "failing":
            return f"its learner is failing, and begins again and again{told}"
        case "starting" | "learning" | "idle":
            return f"its learner is {state}, and makes the first one soon{told}"
    return None


def _live(beat: Beat | None, now_ms: int) -> Beat:
    """The heartbeat, nothing if it is too old. It is unsigned, so nothing in it is sure."""
    at_ms = beat.get("at_ms") if beat else None
    is_live = isinstance(at_ms, int | float) and now_ms - at_ms <= _STALE_MS
    return beat if beat and is_live else {}


def _last_error(beat: Beat) -> str | None:
    """What ended the learner's last life, if nothing was committed since."""
    told = beat.get("last_error")
    return told[:_ERROR_MAX] if isinstance(told, str) else None


def _age_s(serving: Version | None, now_ms: int) -> float | None:
    return max(0, now_ms - serving.manifest.created_at_ms) / 1000 if serving else None


def metrics_view(manifest: Manifest) -> Body:
    """`GET …/metrics`: each score over its windows, null where it has no value.

    Beside them its baselines, between what its lifetime value lies, and that of what was served.
    """
    found: Body = {name: _filled(values) for name, values in manifest.metrics.items()}
    if not isinstance(manifest.served, UnsetType):
        for name, values in manifest.served.items():
            found[name]["served"] = {window: values.get(window) for window in SCORE_WINDOWS}
    return found


def _filled(values: Mapping[str, float | None]) -> Body:
    return {**dict.fromkeys(SCORE_WINDOWS), **values}


def calibration_view(manifest: Manifest) -> Body:
    """`GET …/calibration`: the reliability diagram.

    Raises:
        NotFound: the version has none.
    """
    found = manifest.calibration
    if not isinstance(found, Calibration):
        raise NotFound(
            f"{manifest.model} {manifest.name} has no calibration",
            advice="list ECE or Brier under `metrics:` in the model file, of a classifier with "
            "probabilities; it is there with the next version",
        )
    body: Body = msgspec.to_builtins(found)
    return {**body, "bins": list(body["bins"])}


def labels_view(manifest: Manifest) -> Body:
    """`GET …/labels`: what waits for its label, what became of labels, and how long they took."""
    counts, late = manifest.counts, manifest.late
    told = Late() if isinstance(late, UnsetType) else late
    refused = {name: counts.refused_by.get(f"label_{name}", 0) for name in _LABELS_REFUSED}
    delays = sorted((float(end), count) for end, count in told.delays.items())
    return {
        "pending": counts.pending,
        "oldest_at": None if told.oldest_ms is None else timestamp(told.oldest_ms),
        "matched": counts.labels,
        "expired": counts.expired,
        **refused,
        "topic_lost": sum(lost.times for lost in manifest.lost_topics.values()),
        "delay": {f"p{percent}": _percentile(delays, percent) for percent in (50, 90, 99)},
    }


def _percentile(bins: Sequence[tuple[float, int]], percent: int) -> float | None:
    """The upper end of the bin up to which so many of all lie; None of none."""
    needed = sum(count for _, count in bins) * percent / 100
    totals = accumulate(count for _, count in bins)
    return next(
        (end for (end, _), total in zip(bins, totals, strict=True) if total >= needed), None
    )


def _lifetime(manifest: Manifest) -> dict[str, float | None]:
    return {name: values.get("lifetime") for name, values in manifest.metrics.items()}


def version_item(
    version: Version, *, control: Control | None, serving: Collection[str] = ()
) -> Body:
    """An item of `GET …/versions`.

    Args:
        control: The standing orders, which pin and tag.
        serving: Ids of the versions that answer predictions now.
    """
    manifest, counts = version.manifest, version.manifest.counts
    return {
        "version": manifest.name,
        "id": version.id,
        "parent": manifest.parent,
        "kind": manifest.kind,
        "created_at": timestamp(made_at_ms(manifest)),
        "learned": counts.learned,
        "scored": counts.scored,
        "refused": counts.refused,
        "metrics": _lifetime(manifest),
        "offsets": _offsets(manifest),
        "bytes": manifest.bytes,
        "tags": _tags(control.record, version) if control else [],
        "pinned": _is_pinned(control, version),
        "serving": version.id in serving,
        "kept": True,  # what retention has dropped is not listed at all
    }


def made_at_ms(manifest: Manifest) -> int:
    """A commit is made as its snapshot is cut, a rollback or an import when it is ordered."""
    if manifest.kind == "import" and not isinstance(manifest.origin, UnsetType):
        return manifest.origin.at_ms
    return manifest.rollback.at_ms if manifest.rollback else manifest.created_at_ms


def version_view(
    version: Version, *, control: Control | None, serving: Collection[str] = ()
) -> Body:
    """`GET …/versions/v17`: the item and the whole manifest."""
    item = version_item(version, control=control, serving=serving)
    return {**item, "manifest": msgspec.json.decode(normal(version.manifest))}


def versions_page(
    found: Sequence[Entry],
    *,
    limit: int,
    control: Control | None,
    serving: Collection[str] = (),
) -> Body:
    """`GET …/versions`; versions that cannot be read stand apart, under `damaged`, if there are.

    Args:
        found: Newest first, one more than `limit` if there are more.
    """
    body = page(
        found,
        limit=limit,
        view=lambda each: (
            each
            if isinstance(each, Damaged)
            else version_item(each, control=control, serving=serving)
        ),
        place=lambda each: each.number,
    )
    damaged = [each for each in body["items"] if isinstance(each, Damaged)]
    if damaged:
        body["items"] = [each for each in body["items"] if not isinstance(each, Damaged)]
        body["damaged"] = [
            {"version": each.name, "id": each.id, "problem": str(each.problem)} for each in damaged
        ]
    return body


def _tags(record: ControlRecord, version: Version) -> list[str]:
    return sorted(tag for tag, pointer in record.tags.items() if pointer.id == version.id)


def _is_pinned(control: Control | None, version: Version) -> bool:
    pin = control.record.pin if control else None
    return pin is not None and pin.id == version.id


def slice_view(manifest: Manifest, segment: bytes | None, name: str) -> Body:
    """`GET …/metrics?slice=NAME`, from the raw bytes of a version's segment "slices".

    Raises:
        NotFound: The version has no slice of that name, or nothing was scored in it yet.
    """
    slices = {} if segment is None else msgspec.json.decode(segment)
    if name not in slices:
        there_are = f"it has {', '.join(slices)}" if slices else "it has none"
        raise NotFound(
            f"{manifest.model} {manifest.name} has no scores by {name[:80]!r}",
            advice=f"{there_are}; list the feature under `slices:` in the model file, it is there "
            "from the next scored event on",
        )
    return {"slice": name, "items": slices[name]}


def drifts_view(segment: bytes, *, limit: int = LIMIT_USUAL, before: int | None = None) -> Body:
    """`GET …/drifts`, from the raw bytes of a version's segment "drifts".

    The cursor counts detections from the first, so that it holds while new ones arrive.

    >>> segment = b'{"total": 1003, "items": [{"index": 9}, {"index": 5}, {"index": 2}]}'
    >>> drifts_view(segment, limit=2)
    {'total': 1003, 'items': [{'index': 9}, {'index': 5}], 'next': '1002'}
    >>> drifts_view(segment, limit=2, before=1002)
    {'total': 1003, 'items': [{'index': 2}], 'next': None}
    """
    log = msgspec.json.decode(segment)
    numbered = [(log["total"] - i, item) for i, item in enumerate(log["items"])]
    found = [each for each in numbered if before is None or each[0] < before]
    items = page(found, limit=limit, view=lambda each: each[1], place=lambda each: each[0])
    return {"total": log["total"], **items}


def audit_item(control: Control) -> Body:
    """An item of `GET …/audit`."""
    record, command = control.record, control.record.command
    return {
        "id": command.id,
        "at": timestamp(record.at_ms),
        "who": command.who,
        "command": command.command,
        "reason": command.reason,
        "from": command.from_,
        "to": command.to,
        "mode": command.mode,
        "tag": command.tag or None,
        "version": command.version,
        "outcome": command.outcome,
    }


def page(
    found: Sequence[T], *, limit: int, view: Callable[[T], Any], place: Callable[[T], int]
) -> Body:
    """A list body, from one more than `limit` of what there is.

    Args:
        found: Newest first; ask for `limit + 1` to learn whether there are more.
        view: The JSON of one.
        place: Its number, which the cursor after it names.
    """
    items = found[:limit]
    is_last = len(found) <= limit
    return {
        "items": [view(one) for one in items],
        "next": None if is_last else str(place(items[-1])),
    }


def page_limit(text: str | int | None) -> int:
    """The `limit` a caller asks for.

    Raises:
        BadCommand: It is no number from 1 to 1000.

    >>> page_limit(None), page_limit("7")
    (100, 7)
    """
    return LIMIT_USUAL if text is None else _number(text, "limit", at_most=LIMIT_MAX)


def page_start(cursor: str | None) -> int | None:
    """The place that `next` of an earlier page named.

    Raises:
        BadCommand: No page ended there.
    """
    return None if cursor is None else _number(cursor, "cursor", at_most=10**15)


def _number(text: str | int, what: str, *, at_most: int) -> int:
    digits = str(text)
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 17 else 0
    if not 1 <= number <= at_most:
        advice = "use `next` of the page before" if what == "cursor" else f"use 1 to {at_most}"
        raise BadCommand(f"{what} {digits[:40]!r} is no number from 1 to {at_most}", advice=advice)
    return number


def timestamp(at_ms: int) -> str:
    """RFC 3339, UTC, to the millisecond.

    >>> timestamp(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    """
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{at_ms % 1000:03d}Z"


def _offsets(manifest: Manifest) -> Body:
    return {topic: dict(partitions) for topic, partitions in manifest.offsets.items()}
