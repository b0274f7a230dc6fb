"""The rolling scores over the events, a line a model, as a file that needs no other."""

from collections.abc import Sequence
from pathlib import Path

from config.files import write_asked
from config.text.plot import NoPictureError, Panel, Series, html_text, picture_for
from stream.errors import StreamError
from stream.trying.rows import TrialRow


class PlotError(StreamError):
    """There is no such way to plot. Nothing was tried."""

    exit_code = 2


def check_plot(path: Path) -> None:
    """See that there is such a plot.

    Raises:
        PlotError: The name says of no form that there is.
    """
    try:
        picture_for(path)
    except NoPictureError as error:
        raise PlotError(f"--plot {error}") from error


def write_plot(
    path: Path,
    rows: Sequence[TrialRow],
    labels: Sequence[str],
    *,
    source: str,
    table: Sequence[str],
) -> None:
    """A picture with a panel a score.

    Args:
        source: What the models were tried on.
        table: What a page shows besides.
    """
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    panels = [_panel(name, rows, labels) for name in names]
    draw, title = picture_for(path), f"Comparison on {source}"
    page = html_text(panels, title=title, below="\n".join(table))
    write_asked(path, page if draw is html_text else draw(panels, title=title))


def _panel(name: str, rows: Sequence[TrialRow], labels: Sequence[str]) -> Panel:
    lines = [
        Series(name=label, points=[(point.events, point.rolling.get(name)) for point in row.curve])
        for row, label in zip(rows, labels, strict=True)
        if name in row.metrics
    ]
    series = lines + _level(name, rows)
    return Panel(title=f"{name}, rolling", x_name="events learned", series=series)


def _level(name: str, rows: Sequence[TrialRow]) -> list[Series]:
    """The better baseline over the same window of events, of the first row that has the score."""
    row = next(row for row in rows if name in row.metrics)
    points = [(point.events, point.baseline.get(name)) for point in row.curve if point.baseline]
    if all(y is None for _, y in points):
        return []
    return [Series(name="the better baseline", points=points, is_beside=True)]
