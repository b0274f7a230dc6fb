"""What came of a trial: one row, as JSON and CSV have it, and as a run for who keeps trials."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from config.model.better import is_better, is_bigger_better
from config.runs import TrialRun
from stream.trying.value_paths import flow

BASELINES = ("no_change", "majority", "mean")
# What a run is told of: of each score, and of the row.
_LOGGED_SCORES = ("lifetime", "rolling", "fading", "baseline", *BASELINES, "low", "high")
_LOGGED_DIFFERENCE = ("mean", "low", "high")
_LOGGED = ("learned", "scored", "refused", "drifts", "events_per_second", "bytes")
# By name, `(events learned, value)`.
_Series = dict[str, list[tuple[int, float | None]]]


class ScoreDifference(Struct, frozen=True, kw_only=True):
    """A lifetime score less that of the first row, event by event.

    Attributes:
        low, high: A 95 % confidence sequence; None where there is none yet.
        events: Those that both scored.
    """

    mean: float
    low: float | None
    high: float | None
    events: int


class RowScore(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One score.

    Attributes:
        baseline: The better of the two that stand beside it, over the life.
        no_change, majority, mean: The lifetime score of each baseline that the task has.
        low, high: Between which the lifetime value lies.
        beats_baseline: Whether the lifetime value is better than that baseline's; where both are.
        difference: To the first row; of a score that is a mean over events.
    """

    lifetime: float | None
    rolling: float | None
    fading: float | None
    baseline: float | None
    no_change: float | UnsetType | None = UNSET
    majority: float | UnsetType | None = UNSET
    mean: float | UnsetType | None = UNSET
    low: float | None = None
    high: float | None = None
    beats_baseline: bool | UnsetType = UNSET
    difference: ScoreDifference | UnsetType = UNSET


class Point(Struct, frozen=True, kw_only=True):
    """The rolling scores after so many events learned.

    Attributes:
        baseline: Of each score the better baseline's, over the same window; of every other point.
    """

    events: int
    rolling: dict[str, float | None]
    baseline: dict[str, float | None] = {}


class TrialRow(Struct, frozen=True, kw_only=True):
    """One model, and what came of it.

    Attributes:
        model: Its name.
        file: Its model file, as it was named.
        set: What was set otherwise than in the file, by path.
        learned, scored, nonfinite, refused, pending, expired: As a version counts them.
        refused_by: The commonest reason first.
        drifts: Detections.
        metrics: By name, in the model file's order.
        events_per_second: Learned, by the time that learning took: reading is not counted.
        bytes: What a version takes in the store; None where none can be made.
        failed: Why it could not go on; None: it could.
        first_refused: What was refused first, and why; None: nothing was.
        curve: The rolling scores on the way, where they were asked for.
        began_ms, ended_ms: When it was tried, since the epoch.
    """

    model: str
    file: str
    set: dict[str, Any]
    learned: int
    scored: int
    refused: int
    refused_by: dict[str, int]
    nonfinite: int
    pending: int
    expired: int
    drifts: int
    metrics: dict[str, RowScore]
    events_per_second: float
    bytes: int | None
    failed: str | None = None
    first_refused: str | None = None
    curve: list[Point] = []
    began_ms: int | None = None
    ended_ms: int | None = None


# What is for plots, and for who keeps trials: no part of a row that is printed.
_UNPRINTED = frozenset({"curve", "began_ms", "ended_ms"})


def failed_row(model: str, file: str, settings: Mapping[str, Any], why: str) -> TrialRow:
    """The row of a model of which nothing is known but why."""
    return TrialRow(
        model=model, file=file, set=dict(settings), learned=0, scored=0, refused=0, refused_by={},
        nonfinite=0, pending=0, expired=0, drifts=0, metrics={}, events_per_second=0.0, bytes=None,
        failed=why,
    )  # fmt: skip


def of_scores(name: str, told: Mapping[str, float | None]) -> RowScore:
    """A score as a trainer reports it."""
    known = [value for key in BASELINES if (value := told.get(key)) is not None]
    best = max if is_bigger_better(name) else min
    lifetime, baseline = told["lifetime"], best(known, default=None)
    return RowScore(
        lifetime=lifetime,
        rolling=told["rolling"],
        fading=told["fading"],
        baseline=baseline,
        beats_baseline=(
            UNSET if lifetime is None or baseline is None else is_better(name, lifetime, baseline)
        ),
        low=told["low"],
        high=told["high"],
        no_change=told.get("no_change", UNSET),
        majority=told.get("majority", UNSET),
        mean=told.get("mean", UNSET),
    )


def as_json(rows: Sequence[TrialRow]) -> dict[str, Any]:
    """As `weir try --json` prints them: what is NaN or infinite is null."""
    plain: list[dict[str, Any]] = _finite(msgspec.to_builtins(rows))
    return {"rows": [{k: v for k, v in row.items() if k not in _UNPRINTED} for row in plain]}


def json_text(body: Mapping[str, Any], *, indent: int | None = None) -> str:
    """What `as_json` gives, with what stands beside it, as JSON that every parser reads.

    >>> json_text({"rows": [], "mean": float("nan")})
    '{"rows": [], "mean": null}'
    """
    return json.dumps(_finite(body), ensure_ascii=False, allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    """The same, with None for each number that is NaN or infinite."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(rows: Sequence[TrialRow]) -> str:
    r"""One line a model, one column a value; the columns of all, empty where a row has none.

    >>> score = RowScore(lifetime=0.5, rolling=0.5, fading=None, baseline=0.4)
    >>> row = TrialRow(model="m", file="m.yaml", set={}, learned=2, scored=2, refused=0,
    ...           refused_by={}, nonfinite=0, pending=0, expired=0, drifts=0,
    ...           metrics={"Accuracy": score}, events_per_second=9.0, bytes=1)
    >>> print(as_csv([row]).splitlines()[1])
    m,m.yaml,2,2,0,0,0,0,0,9.0,1,,,0.5,0.5,0.4
    """
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for each in flat for name in each))
    # Reasons differ from row to row: they come last.
    columns.sort(key=lambda name: name.startswith("refused_by."))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: TrialRow) -> dict[str, Any]:
    plain = as_json([row])["rows"][0]
    nested = {name: plain.pop(name) for name in ("set", "refused_by", "metrics")}
    settings = {path: flow(value) for path, value in nested["set"].items()}
    flat = {"model": plain.pop("model"), "file": plain.pop("file"), **settings, **plain}
    for name, score in nested["metrics"].items():
        difference = score.pop("difference", {})
        kept = {key: value for key, value in score.items() if value is not None}
        flat |= {f"{name}.{key}": value for key, value in kept.items()}
        flat |= {f"{name}.difference.{key}": value for key, value in difference.items()}
    return flat | {f"refused_by.{reason}": n for reason, n in nested["refused_by"].items()}


def run_of_all(
    name: str,
    rows: Sequence[TrialRow],
    labels: Sequence[str],
    table: Sequence[str],
    *,
    best: int | None,
    params: Mapping[str, str],
    files: Mapping[str, str],
) -> TrialRun:
    """What all trials have in common, with their table, and the scores of the best of them.

    Args:
        labels: What each is called.
        best: Its place; None: there is none.
        params: What was tried, on what.
        files: Other files that belong to it, by name.
    """
    tables = {
        "rows.json": json_text(as_json(rows), indent=1),
        "rows.csv": as_csv(rows),
        "table.txt": "\n".join(table) + "\n",
    }
    return TrialRun(
        name=name,
        params=params,
        metrics={}
        if best is None
        else {**_logged_scores(rows[best]), **_logged_counts(rows[best])},
        tags={} if best is None else {"weir.best": labels[best]},
        artefacts={**tables, **files},
        began_ms=min(_known(row.began_ms for row in rows), default=None),
        ended_ms=max(_known(row.ended_ms for row in rows), default=None),
    )


def _known(moments: Iterable[int | None]) -> list[int]:
    return [moment for moment in moments if moment is not None]


def runs_of(rows: Sequence[TrialRow], labels: Sequence[str]) -> list[TrialRun]:
    """A run for each row: what was set, its scores on the way and at the end.

    Args:
        labels: What to call each.

    >>> score = RowScore(lifetime=0.5, rolling=0.75, fading=None, baseline=0.4, majority=0.4)
    >>> row = TrialRow(model="m", file="m.yaml", set={"a.b": 0.1}, learned=9, scored=9, refused=0,
    ...           refused_by={}, nonfinite=0, pending=0, expired=0, drifts=0,
    ...           metrics={"Accuracy": score}, events_per_second=9.0, bytes=1,
    ...           curve=[Point(events=5, rolling={"Accuracy": 0.5})])
    >>> (run,) = runs_of([row], ["a.b=0.1"])
    >>> run.params, run.metrics["Accuracy.rolling"], run.metrics["Accuracy.majority"]
    ({'model': 'm', 'a.b': '0.1'}, [(5, 0.5), (9, 0.75)], [(9, 0.4)])
    """
    return [_run(row, label) for row, label in zip(rows, labels, strict=True)]


def _run(row: TrialRow, label: str) -> TrialRun:
    tags = {"weir.model": row.model, "weir.file": row.file}
    settings = {path: flow(value) for path, value in row.set.items()}
    return TrialRun(
        name=label,
        params={"model": row.model, **settings},
        metrics={**_logged_scores(row), **_logged_curve(row), **_logged_counts(row)},
        tags=tags if row.failed is None else {**tags, "weir.failed": row.failed},
        began_ms=row.began_ms,
        ended_ms=row.ended_ms,
    )


def _logged_scores(row: TrialRow) -> _Series:
    """What there is of each score at the end, under the names that it has in CSV."""
    found: _Series = {}
    for name, score in row.metrics.items():
        values = {of: _value(score, of) for of in _LOGGED_SCORES}
        if score.difference is not UNSET:
            away = score.difference
            values |= {f"difference.{of}": getattr(away, of) for of in _LOGGED_DIFFERENCE}
        found |= {f"{name}.{of}": [(row.learned, value)] for of, value in values.items()}
    return found


def _value(score: RowScore, of: str) -> float | None:
    value: float | UnsetType | None = getattr(score, of)
    return None if value is UNSET else value


def _logged_curve(row: TrialRow) -> _Series:
    """The rolling scores by events learned; while nothing is learned, there is one point."""
    found: _Series = {}
    for name, score in row.metrics.items():
        points = {at.events: at.rolling.get(name) for at in row.curve} | {
            row.learned: score.rolling
        }
        found[f"{name}.rolling"] = sorted(points.items())
    return found


def _logged_counts(row: TrialRow) -> _Series:
    return {name: [(row.learned, getattr(row, name))] for name in _LOGGED}
