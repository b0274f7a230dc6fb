"""The rolling score over the events, a line a model, as a file that needs no other."""

from collections.abc import Sequence
from pathlib import Path

from config.files import replace_file
from config.text.line_chart import ChartLine, html_page, line_chart
from stream.errors import StreamError
from stream.trying.rows import TrialRow

_ENDINGS = (".svg", ".html")


class PlotError(StreamError):
    """There is no such way to plot. Nothing was tried."""

    exit_code = 2


def check_plot(path: Path) -> None:
    """See that a plot can be written there.

    Raises:
        PlotError: The name says of no form that there is, or its folder is not there.
    """
    if path.suffix not in _ENDINGS:
        raise PlotError(f"--plot {path}: must end in {' or '.join(_ENDINGS)}")
    if not path.parent.is_dir():
        raise PlotError(f"--plot {path}: there is no folder {path.parent}")


def write_plot(
    path: Path,
    rows: Sequence[TrialRow],
    labels: Sequence[str],
    *,
    source: str,
    table: Sequence[str],
) -> None:
    """One image a score, or the first score alone in an SVG file.

    Args:
        source: What the models were tried on.
        table: What a page shows besides.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    if path.suffix == ".svg":
        replace_file(path, _image(names[0], rows, labels, source))
        return
    images = [_image(name, rows, labels, source) for name in names]
    replace_file(path, html_page(f"Comparison on {source}", images, "\n".join(table)))


def _image(name: str, rows: Sequence[TrialRow], labels: Sequence[str], source: str) -> str:
    lines = [
        ChartLine(label, [(point.events, point.rolling.get(name)) for point in row.curve])
        for row, label in zip(rows, labels, strict=True)
        if name in row.metrics
    ]
    return line_chart(f"{name}, rolling: {source}", "events learned", lines + _level(name, rows))


def _level(name: str, rows: Sequence[TrialRow]) -> list[ChartLine]:
    """What the better baseline scores over the life of the first row."""
    row = next(row for row in rows if name in row.metrics)
    baseline = row.metrics[name].baseline
    if baseline is None or not row.curve:
        return []
    ends = [(point.events, baseline) for point in (row.curve[0], row.curve[-1])]
    return [ChartLine(f"baseline, lifetime: {baseline:.4g}", ends, is_level=True)]
