"""Rows of values as lines of a table, as a terminal shows them; pure."""

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """A line for the header and for each row, in columns; nothing is shown as a dash.

    >>> table(["model", "learned"], [["a", 12], ["long", None]])
    ['model  learned', 'a      12', 'long   -']
    """
    cells = [[*header], *(["-" if v is None else str(v) for v in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{v:<{w}}" for v, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def short(value: float | None) -> str:
    """Four digits of a score.

    >>> short(0.853333), short(None)
    ('0.8533', '-')
    """
    return "-" if value is None else f"{value:.4g}"


def signed(change: float | None) -> str:
    """A difference, with its sign; of what is less than a ten-thousandth, none.

    >>> signed(0.0123), signed(-2.5), signed(1e-9), signed(None)
    ('+0.0123', '-2.5', '0', '-')
    """
    if change is None:
        return "-"
    return "0" if abs(change) < 5e-5 else f"{change:+.3g}"
