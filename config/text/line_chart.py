"""Lines over a number of events, as an SVG image that needs nothing else. Pure."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 860, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 48
_LEGEND_ROW = 18
_TICKS = 6
# Okabe and Ito's palette, which the colour-blind can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_DASHES = ("none", "7 4", "2 3")
LINES_MAX = len(_COLOURS) * len(_DASHES)


class ChartLine(NamedTuple):
    """One line: its points by x, of which those without a value are gaps.

    Attributes:
        is_level: It is a constant to compare with, drawn thin and grey.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    is_level: bool = False


class _Scale(NamedTuple):
    """From values to places along one side of the image."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.begin + share * (self.end - self.begin)


def line_chart(title: str, x_name: str, lines: Sequence[ChartLine]) -> str:
    """The image of these lines, of which at most 21 can be told apart.

    >>> image = line_chart("Accuracy, rolling", "events", [ChartLine("m", [(0, 0.5), (9, 0.75)])])
    >>> image.startswith("<svg"), image.count("<polyline")
    (True, 1)
    """
    shown = lines[:LINES_MAX]
    values = [(x, y) for line in shown for x, y in line.points if _is_number(y)]
    xs, ys = [x for x, _ in values] or [0.0, 1.0], [float(y or 0) for _, y in values] or [0.0, 1.0]
    height = _HEIGHT + _LEGEND_ROW * len(shown)
    across = _Scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    margin = (max(ys) - min(ys)) * 0.05 or 0.5
    up = _Scale(min(ys) - margin, max(ys) + margin, _HEIGHT - _BOTTOM, _TOP)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_grid(across, up, x_name),
        *(part for n, line in enumerate(shown) for part in _line(n, line, across, up)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def html_page(title: str, images: Sequence[str], text: str = "") -> str:
    """A page with these images, and a text set as it is; one file that needs no other."""
    body = "\n".join(images)
    shown = f"<pre>{escape(text)}</pre>\n" if text else ""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        "<style>body{font-family:sans-serif;margin:2em}svg{max-width:100%;height:auto}"
        "pre{overflow-x:auto}</style>\n"
        f"<h1>{escape(title)}</h1>\n{shown}{body}</html>\n"
    )


def _grid(across: _Scale, up: _Scale, x_name: str) -> Iterator[str]:
    for value in _ticks(up.low, up.high):
        y = up(value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>'
    bottom = _HEIGHT - _BOTTOM
    for value in _ticks(across.low, across.high):
        x = across(value)
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:,.10g}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">{escape(x_name)}</text>'


def _line(n: int, line: ChartLine, across: _Scale, up: _Scale) -> Iterator[str]:
    colour = "#888888" if line.is_level else _COLOURS[n % len(_COLOURS)]
    dash = "1 3" if line.is_level else _DASHES[n // len(_COLOURS) % len(_DASHES)]
    look = f'stroke="{colour}" stroke-dasharray="{dash}" stroke-width="1.6" fill="none"'
    for stretch in _without_gaps(line.points):
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in stretch)
        yield f'<polyline points="{points}" {look}><title>{escape(line.name)}</title></polyline>'
    y = _HEIGHT + _LEGEND_ROW * n
    yield f'<line x1="{_LEFT}" x2="{_LEFT + 28}" y1="{y}" y2="{y}" {look}/>'
    yield f'<text x="{_LEFT + 36}" y="{y + 4}">{escape(line.name)}</text>'


def _without_gaps(
    points: Sequence[tuple[float, float | None]],
) -> Iterator[list[tuple[float, float]]]:
    stretch: list[tuple[float, float]] = []
    for x, y in points:
        if y is not None and math.isfinite(y):
            stretch.append((x, y))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two, six or so.

    >>> _ticks(0.0, 45_312.0)
    [0.0, 10000.0, 20000.0, 30000.0, 40000.0]
    """
    rough = (high - low) / _TICKS or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
