"""Commands that look at scores over time, and at two models side by side."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checkpoints.operating.connection import Connection, Model, Told
from checkpoints.operating.tables import short, signed, table
from checkpoints.reading.reader import Damaged
from checkpoints.reading.score_views import (
    best_of,
    compared,
    nearest_pair,
    score_columns,
    scores_view,
)
from checkpoints.records.manifest import BASELINES, Version

if TYPE_CHECKING:
    from config.text.plot import Panel

Table = Annotated[
    Path | None, typer.Option("--csv", help="Write every score to this file.", metavar="FILE")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Draw them: FILE.svg or FILE.html.", metavar="FILE")
]
First = Annotated[str, typer.Argument(help="A model's name.", metavar="A")]
Second = Annotated[str, typer.Argument(help="Another model's name.", metavar="B")]

_FACTS = ("version", "kind", "created_at", "learned", "scored")
_DRAWN = ("lifetime", "rolling", *BASELINES)
_DRAWN_FROM = 100  # scored events: a score of fewer says little, and would set the scale


def scores(at: Connection, model: Model, *, csv_file: Table = None, plot: Plot = None) -> Told:
    """The scores of the versions kept, oldest first, over the events that each had learned."""
    from config.files import write_asked
    from config.text.plot import picture_for

    kept = _sound(at, model)
    best, kept = best_of(kept), kept[::-1]
    body = scores_view(model, kept, best=best)
    draw = None if plot is None else picture_for(plot)
    if csv_file is not None:
        write_asked(csv_file, _as_csv(body["items"]))
    if plot is not None and draw is not None:
        write_asked(plot, draw(_panels(body["items"]), title=f"{model}: scores by version"))
    return Told(body=body, lines=_score_lines(body["items"]))


def compare(at: Connection, model: First, other: Second) -> Told:
    """The scores of two models of the same events, side by side, where both had read as much."""
    pair = nearest_pair(_sound(at, model), _sound(at, other))
    body = compared(pair)
    return Told(body=body, lines=_compared_lines(body))


def _sound(at: Connection, model: str) -> list[Version]:
    """The versions kept that can be believed, newest first; of others it is said."""
    reader, _ = at.state(model)
    found = []
    for each in reader.kept():
        if isinstance(each, Damaged):
            typer.echo(f"weir: {model} {each.name} is left out: {each.problem}", err=True)
        else:
            found.append(each)
    return found


def _score_lines(items: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for name, _ in score_columns(items)))
    header = ["version", "learned", "scored", ""]
    header += [key for name in names for key in (name, "rolling")]
    rows = [
        [item["version"], item["learned"], item["scored"], "best" if item["best"] else ""]
        + [short(item["metrics"].get(name, {}).get(w)) for name in names for w in _DRAWN[:2]]
        for item in items
    ]
    return [*table(header, rows), *_beside(items[-1])]


def _beside(item: Mapping[str, Any]) -> list[str]:
    """What the newest version's scores stand beside."""
    return [
        f"{name} of {', '.join(f'{key} {short(score[key])}' for key in known)}"
        for name, score in item["metrics"].items()
        if (known := [key for key in BASELINES if score.get(key) is not None])
    ]


def _as_csv(items: Sequence[Mapping[str, Any]]) -> str:
    """A row a version, with every score in full."""
    columns, text = score_columns(items), io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*_FACTS, *(f"{name}.{key}" for name, key in columns)])
    for item in items:
        values = [item["metrics"].get(name, {}).get(key) for name, key in columns]
        out.writerow([*(item[fact] for fact in _FACTS), *values])
    return text.getvalue()


def _panels(items: Sequence[Mapping[str, Any]]) -> "list[Panel]":
    """A panel for each score, a line for each of its windows and baselines."""
    from config.text.plot import Panel, Series

    items = [item for item in items if item["scored"] >= _DRAWN_FROM] or items
    columns = [(name, key) for name, key in score_columns(items) if key in _DRAWN]
    panels = []
    for score in dict.fromkeys(name for name, _ in columns):
        lines = [(key, _points(items, score, key)) for name, key in columns if name == score]
        series = [
            Series(name=key, points=points, is_beside=key in BASELINES)
            for key, points in lines
            if any(y is not None for _, y in points)
        ]
        panels.append(Panel(title=score, x_name="events learned", series=series))
    return panels


def _points(
    items: Sequence[Mapping[str, Any]], score: str, key: str
) -> list[tuple[float, float | None]]:
    """Where a score stood at each version; a rollback, which has learned less, begins anew."""
    points: list[tuple[float, float | None]] = []
    for item in items:
        if points and item["learned"] < points[-1][0]:
            points.append((item["learned"], None))
        points.append((item["learned"], item["metrics"].get(score, {}).get(key)))
    return points


def _compared_lines(body: Mapping[str, Any]) -> list[str]:
    topic, places = body["topic"], body["models"]
    names = [each["model"] for each in places]
    lines = [
        f"{each['model']} {each['version']}: {each['read']:,} records of {topic} read, "
        f"{each['learned']:,} learned, {each['scored']:,} scored"
        for each in places
    ]
    if apart := body["records_apart"]:
        lines.append(f"they are {abs(apart):,} records apart: no two versions kept are nearer")
    if not body["began_alike"]:
        lines.append("they began at other records: what is over the life is of other events")
    rows = [
        [name, window, *map(short, of["values"]), signed(of["difference"]), of["better"] or ""]
        for name, score in body["metrics"].items()
        for window, of in score.items()
    ]
    return [*lines, *table(["score", "window", *names, "difference", "better"], rows)]
