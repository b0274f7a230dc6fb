"""The figures that have a goal, as a picture: how far each is from it."""

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

from benchmarks.report import GOALS, Goal, number

_WIDTH, _LABELS, _ROW, _TOP = 1000, 520, 24, 64
_MOST = 8.0  # times better, or worse, than the goal: the ends of the scale
_MARKS = {
    1 / 8: "1/8",
    1 / 4: "1/4",
    1 / 2: "1/2",
    1.0: "goal",
    2.0: "2 times",
    4.0: "4 times",
    8.0: "8 or more",
}
_REACHED, _MISSED, _INK, _FAINT = "#1a7f5a", "#c2410c", "#1f2937", "#d1d5db"


def picture(figures: Mapping[str, Mapping[str, float]], title: str) -> str:
    """An SVG, a row for each figure: its median and its spread, on a scale of the goal's own."""
    rows = [(name, figures[name], goal) for name, goal in GOALS.items() if name in figures]
    height = _TOP + _ROW * len(rows) + 16
    parts = [
        _element("rect", width=_WIDTH, height=height, fill="white"),
        _element("text", title, x=16, y=22, font_size=14),
        *_scale(height),
    ]
    for n, (name, each, goal) in enumerate(rows):
        parts += _row(_TOP + _ROW * n + _ROW // 2, name, each, goal)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
    look = f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">'
    return "\n".join([head + look, *parts, "</svg>", ""])


def _scale(height: int) -> list[str]:
    lines = []
    for times, what in _MARKS.items():
        x = _x(times)
        ink, width = (_INK, 1.5) if times == 1 else (_FAINT, 1.0)
        lines += [
            _line(x, x, _TOP - 8, height - 12, stroke=ink, stroke_width=width),
            _element("text", what, x=x, y=_TOP - 14, text_anchor="middle"),
        ]
    return lines


def _row(y: int, name: str, each: Mapping[str, float], goal: Goal) -> list[str]:
    middle, least, most = (_x(goal.score(each[which])) for which in ("median", "min", "max"))
    ink = _REACHED if goal.score(each["median"]) >= 1 else _MISSED
    told = f"{name}: {number(each['median'])}, goal {goal}"
    return [
        _element("text", told, x=_LABELS - 12, y=y + 4, text_anchor="end"),
        _line(least, most, y, y, stroke=ink, stroke_width=3),
        _element("circle", cx=middle, cy=y, r=5, fill=ink),
    ]


def _line(x1: float, x2: float, y1: float, y2: float, **look: object) -> str:
    return _element("line", x1=x1, x2=x2, y1=y1, y2=y2, **look)


def _element(kind: str, text: str = "", **attributes: object) -> str:
    """One SVG element; `_` in a name stands for `-`.

    >>> _element("text", "a < b", x=1.25, font_size=12)
    '<text x="1.2" font-size="12">a &lt; b</text>'
    """
    told = "".join(
        f' {name.replace("_", "-")}="{f"{value:.1f}" if isinstance(value, float) else value}"'
        for name, value in attributes.items()
    )
    return f"<{kind}{told}>{escape(text)}</{kind}>"


def _x(score: float) -> float:
    """Where a score lies: the goal in the middle, better to the right, by logarithm."""
    share = math.log(min(_MOST, max(1 / _MOST, score))) / math.log(_MOST)
    half = (_WIDTH - _LABELS - 32) / 2
    return _LABELS + half + share * half
