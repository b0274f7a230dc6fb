"""Series of numbers as a picture: SVG text that stands by itself, or a page with it.

No library, no script, no address in it: it opens in any browser and can be mailed as it is.
"""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, islice
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

# x, and y; None: the line is broken there.
Point: TypeAlias = tuple[float, float | None]

# What is drawn at most; series beyond are named, points are thinned.
PANELS_MAX, SERIES_MAX, POINTS_MAX = 20, 24, 1_000
_WIDTH, _PLOT_HEIGHT, _GAP = 900, 220, 24
_LEFT, _RIGHT, _TOP = 72, 72, 48
_KEY_ROW, _KEY_LINE, _CHARACTER, _NAME_MAX, _END_ROW = 18, 28, 7, 40, 12
_ACROSS = _WIDTH - _LEFT - _RIGHT
_TICKS_ACROSS, _TICKS_UP = 8, 5
_INK, _FAINT, _NEUTRAL = "#1f2937", "#e5e7eb", "#6b7280"
# Okabe and Ito's colours, which people tell apart who see fewer, and a dark red; grey is for what
# the others are measured by. When they are used up, the next round is dashed.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255")
_ROUNDS = ("", "9 3", "2 3", "9 3 2 3")
_BESIDE = ("5 4", "1 3")
_HOVER = "<style>.line:hover{stroke-width:5}</style>"
_STYLE = 'font-family="system-ui, sans-serif" font-size="12"'


class Series(Struct, frozen=True, kw_only=True):
    """One line.

    Attributes:
        name: As the key has it.
        points: In the order in which they are joined.
        is_beside: What the others are measured by: drawn thin and dashed.
    """

    name: str
    points: Sequence[Point]
    is_beside: bool = False


class Panel(Struct, frozen=True, kw_only=True):
    """Series that share two axes.

    Attributes:
        title: What y is.
        x_name: What x is.
        series: The lines.
    """

    title: str
    x_name: str
    series: Sequence[Series]


class Draw(Protocol):
    """From panels to the text of a file."""

    def __call__(self, panels: Sequence[Panel], *, title: str) -> str:
        """The text."""
        ...


class NoPictureError(ValueError):
    """The name of a file says of no picture that can be drawn. Operator: end it so."""

    exit_code = 2


def picture_for(path: Path) -> Draw:
    """How to draw what is to go to `path`.

    Raises:
        NoPictureError: It ends neither with .svg nor with .html.
    """
    draw: dict[str, Draw] = {".svg": svg_text, ".html": html_text}
    found = draw.get(path.suffix.lower())
    if found is None:
        raise NoPictureError(f"{path}: a picture is FILE.svg or FILE.html")
    return found


def html_text(panels: Sequence[Panel], *, title: str, below: str = "") -> str:
    """A page with the picture, and below it a text as it is."""
    head = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    head += f"\n<title>{_escaped(title)}</title>"
    style = "<style>body{margin:2rem;max-width:60rem}svg{width:100%;height:auto}"
    style += "pre{overflow-x:auto}</style>"
    text = f"<pre>{_escaped(below)}</pre>\n" if below else ""
    return f"{head}\n{style}\n{svg_text(panels, title=title)}{text}</html>\n"


def svg_text(panels: Sequence[Panel], *, title: str) -> str:
    """The panels, one below the other.

    >>> up = Series(name="up", points=[(0, 1.0), (10, 2.0)])
    >>> text = svg_text([Panel(title="Accuracy", x_name="events", series=[up])], title="m")
    >>> text.startswith("<svg "), text.count('class="line"'), "Accuracy" in text
    (True, 1, True)
    """
    drawn = panels[:PANELS_MAX]
    looks = _looks(drawn)
    parts, y = _legend(looks)
    for panel in drawn:
        parts += _panel(panel, y, looks)
        y += _PLOT_HEIGHT + 3 * _GAP
    if len(panels) > len(drawn):
        parts.append(_text(f"{len(panels) - len(drawn)} more are not drawn", _LEFT, y))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + _GAP}" role="img" '
        f'{_STYLE} fill="{_INK}">\n<title>{_escaped(title)}</title>{_HOVER}'
    )
    paper = f'<rect width="{_WIDTH}" height="{y + _GAP}" fill="white"/>'
    name = f'<text x="{_LEFT}" y="24" font-size="16">{_escaped(title)}</text>'
    return "\n".join([head, paper, name, *parts, "</svg>", ""])


def thinned(points: Sequence[Point], most: int = POINTS_MAX) -> list[Point]:
    """As many points at most; every stretch keeps its lowest, its highest, and where it breaks.

    >>> thinned([(n, n % 7) for n in range(10_000)], 100)[:3]
    [(0, 0), (300, 6), (308, 0)]
    """
    if len(points) <= most:
        return list(points)
    length = math.ceil(len(points) / (most // 3))
    kept: list[Point] = []
    for first in range(0, len(points), length):
        stretch = points[first : first + length]
        values = [(y, place) for place, (_, y) in enumerate(stretch) if y is not None]
        breaks = (place for place, (_, y) in enumerate(stretch) if y is None)
        places = {min(values)[1], max(values)[1]} if values else set()
        kept += [stretch[place] for place in sorted(places | set(islice(breaks, 1)))]
    return kept


def _panel(panel: Panel, top: int, looks: Mapping[str, str]) -> list[str]:
    series = panel.series[:SERIES_MAX]
    more = len(panel.series) - len(series)
    heading = f"{panel.title} ({more} more lines are not drawn)" if more else panel.title
    parts = [_text(heading, _LEFT, top + 12, 'font-weight="600"')]
    points = [point for each in series for point in each.points]
    xs = [x for x, y in points if y is not None and math.isfinite(y)]
    ys = [y for _, y in points if y is not None and math.isfinite(y)]
    if not ys:
        return [*parts, _text("no value yet", _LEFT, top + _PLOT_HEIGHT // 2)]
    upper, lower = top + _GAP, top + _GAP + _PLOT_HEIGHT
    across = _Scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT, ticks=_TICKS_ACROSS)
    up = _Scale(min(ys), max(ys), lower, upper, ticks=_TICKS_UP)
    parts += _axes(across, up, panel.x_name)
    for each in reversed(series):  # the first lies above the others
        parts += _line(each, looks[each.name], across, up)
    return [*parts, *_lasts(series, looks, up, lower)]


class _Scale:
    """From values to places; round numbers stand at its ends and between, about so many."""

    def __init__(self, least: float, most: float, first: float, last: float, *, ticks: int) -> None:
        step = _round_step((most - least) / ticks or abs(most) / ticks or 1.0)
        low, high = math.floor(least / step), math.ceil(most / step)
        high = max(high, low + 1)
        self.ticks = [n * step for n in range(low, high + 1)]
        self._least, self._span = low * step, (high - low) * step
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        share = (value - self._least) / self._span
        return self._first + share * (self._last - self._first)


def _round_step(least: float) -> float:
    """The next of 1, 2 and 5 times a power of ten.

    >>> [_round_step(size) for size in (0.03, 0.7, 1200.0)]
    [0.05, 1.0, 2000.0]
    """
    power = 10.0 ** math.floor(math.log10(least))
    factor = next(each for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9))
    return float(f"{factor * power:.12g}")


def _axes(across: _Scale, up: _Scale, x_name: str) -> Iterator[str]:
    left, right = across(across.ticks[0]), across(across.ticks[-1])
    bottom = up(up.ticks[0])
    for tick in up.ticks:
        y = up(tick)
        yield f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{_FAINT}"/>'
        yield _text(f"{tick:.6g}", left - 8, y + 4, 'text-anchor="end"')
    for tick in across.ticks:
        yield _text(f"{tick:,.6g}", across(tick), bottom + 16, 'text-anchor="middle"')
    yield _text(x_name, right, bottom + 32, 'text-anchor="end"')


def _line(series: Series, look: str, across: _Scale, up: _Scale) -> Iterator[str]:
    """A path for each unbroken stretch; a stretch of one point is a dot."""
    points = thinned(series.points)
    for has_value, run in groupby(points, lambda point: _is_drawn(point[1])):
        if not has_value:
            continue
        places = [(across(x), up(y)) for x, y in run if y is not None]
        told = f"<title>{_escaped(series.name)}</title>"
        if len(places) == 1:
            ((x, y),) = places
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" {look}>{told}</circle>'
        else:
            d = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            yield f'<path class="line" d="M{d}" fill="none" {look}>{told}</path>'


def _is_drawn(y: float | None) -> bool:
    return y is not None and math.isfinite(y)


def _looks(panels: Sequence[Panel]) -> dict[str, str]:
    """How each name is drawn, in every panel alike."""
    drawn = {each.name: each for panel in panels for each in panel.series[:SERIES_MAX]}
    beside = [name for name, each in drawn.items() if each.is_beside]
    looks = {
        name: f'stroke="{_NEUTRAL}" stroke-width="1.5" stroke-dasharray="{_at(_BESIDE, place)}"'
        for place, name in enumerate(beside)
    }
    lines = [name for name in drawn if name not in looks]
    for place, name in enumerate(lines):
        dashes = _at(_ROUNDS, place // len(_COLOURS))
        width = 3 if place == 0 and len(lines) > len(_COLOURS) else 2
        look = f'stroke="{_at(_COLOURS, place)}" stroke-width="{width}"'
        looks[name] = look + (f' stroke-dasharray="{dashes}"' if dashes else "")
    return {name: looks[name] for name in drawn}


def _at(listed: Sequence[str], place: int) -> str:
    return listed[place % len(listed)]


def _legend(looks: Mapping[str, str]) -> tuple[list[str], int]:
    """The names, some side by side, and where what is below them begins."""
    longest = max((len(name[:_NAME_MAX]) for name in looks), default=0)
    in_row = max(1, min(4, _ACROSS // (_KEY_LINE + (longest + 3) * _CHARACTER)))
    parts, y = [], _TOP
    for place, (name, look) in enumerate(looks.items()):
        row, column = divmod(place, in_row)
        x, y = _LEFT + column * (_ACROSS // in_row), _TOP + row * _KEY_ROW
        parts.append(f'<path d="M{x} {y - 4}h22" {look}/>')
        parts.append(_text(name[:_NAME_MAX], x + _KEY_LINE, y))
    return parts, y + _GAP


def _lasts(
    series: Sequence[Series], looks: Mapping[str, str], up: _Scale, lower: float
) -> Iterator[str]:
    """The last value of each line at its end; those that would overlap stand one below another."""
    ends = [
        (up(y), y, looks[each.name])
        for each in series
        if (y := next((y for _, y in reversed(each.points) if _is_drawn(y)), None)) is not None
    ]
    ends.sort(key=lambda end: end[0])
    x = _WIDTH - _RIGHT + 4
    for place, (_, y, look) in zip(_apart([at for at, _, _ in ends], lower), ends, strict=True):
        yield f'<path d="M{x} {place:.1f}h16" {look}/>'
        yield _text(f"{y:.4g}", x + 20, place + 4)


def _apart(places: Sequence[float], lower: float) -> list[float]:
    """Places from above to below, moved so that texts fit between them, down to `lower`.

    >>> _apart([10.0, 11.0, 50.0], 90.0), _apart([40.0, 41.0], 45.0)
    ([10.0, 22.0, 50.0], [33.0, 45.0])
    """
    down = accumulate(places, lambda above, place: max(place, above + _END_ROW))
    up = accumulate(
        [*down][::-1], lambda below, place: min(place, below - _END_ROW), initial=lower + _END_ROW
    )
    return [*up][:0:-1]


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _text(text: str, x: float, y: float, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{_escaped(text)}</text>'
