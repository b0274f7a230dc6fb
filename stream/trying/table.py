"""Rows as a table for people: a line a model, the baselines below, and what was refused."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import UNSET

from stream.trying.beside.verdicts import beaten_by
from stream.trying.rows import BASELINES, RowScore, TrialRow
from stream.trying.value_paths import told_settings

_NONE = "-"
_LARGE, _HUGE = 1_000, 1_000_000


def labels_of(rows: Sequence[TrialRow]) -> list[str]:
    """What to call each: by its model, its file or its settings, whatever tells them apart."""
    told = [" ".join(told_settings(row.set)) for row in rows]
    if len({row.file for row in rows}) == 1:
        return [text or row.model for row, text in zip(rows, told, strict=True)]
    by_name = len({row.model for row in rows}) == len({row.file for row in rows})
    names = [row.model if by_name else row.file for row in rows]
    return [" ".join(filter(None, each)) for each in zip(names, told, strict=True)]


def as_table(
    rows: Sequence[TrialRow], labels: Sequence[str], above: Mapping[int, str] = MappingProxyType({})
) -> list[str]:
    """The lines of the table.

    Args:
        labels: What to call each row.
        above: What stands on a line of its own above a row, by the row's place.

    >>> score = RowScore(lifetime=0.81234, rolling=0.8, fading=None, baseline=0.4, no_change=0.4)
    >>> row = TrialRow(model="m", file="m.yaml", set={}, learned=2000, scored=2000, refused=1,
    ...           refused_by={"not_json": 1}, nonfinite=0, pending=0, expired=0, drifts=0,
    ...           metrics={"Accuracy": score}, events_per_second=900.0, bytes=1500)
    >>> print("\\n".join(as_table([row], ["m"])))
                 Accuracy  rolling  learned  refused  drifts  events/s   bytes
    m              0.8123   0.8000    2,000        1       0       900  1.5 kB
    (no change)    0.4000
    m: refused 1 (not_json 1)
    """
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    compared = {name for row in rows for name, s in row.metrics.items() if s.difference}
    head = ["", *(cell for name in names for cell in _heads(name, is_compared=name in compared))]
    head += ["learned", "refused", "drifts", "events/s", "bytes"]
    lines = [
        [label, *_cells(row, names, compared)] for row, label in zip(rows, labels, strict=True)
    ]
    lines += list(_baselines(rows, names, compared))
    first, *others = _aligned([head, *lines])
    told = [text for n, line in enumerate(others) for text in (above.get(n), line) if text]
    return [first, *told, *_notes(rows, labels)]


def _heads(name: str, *, is_compared: bool) -> list[str]:
    return [name, "rolling", *(["to the first"] if is_compared else [])]


def _cells(row: TrialRow, names: Sequence[str], compared: set[str]) -> Iterator[str]:
    for name in names:
        score = row.metrics.get(name)
        yield _short(score.lifetime if score else None)
        yield _short(score.rolling if score else None)
        if name in compared:
            yield _difference(score)
    yield from (f"{row.learned:,}", f"{row.refused:,}", f"{row.drifts:,}")
    yield from (f"{row.events_per_second:,.0f}", _size(row.bytes))


def _baselines(
    rows: Sequence[TrialRow], names: Sequence[str], compared: set[str]
) -> Iterator[list[str]]:
    """What predictors score that read no feature, of the first row that has the score."""
    for baseline in BASELINES:
        cells, is_known = [f"({baseline.replace('_', ' ')})"], False
        for name in names:
            score = next(row.metrics[name] for row in rows if name in row.metrics)
            value = getattr(score, baseline)
            value = None if value is UNSET else value
            is_known = is_known or value is not None
            cells += ["" if value is None else _short(value), ""]
            cells += [""] if name in compared else []
        if is_known:
            yield cells


def _notes(rows: Sequence[TrialRow], labels: Sequence[str]) -> Iterator[str]:
    for row, label in zip(rows, labels, strict=True):
        if row.refused:
            why = ", ".join(f"{reason} {count:,}" for reason, count in row.refused_by.items())
            yield f"{label}: refused {row.refused:,} ({why})"
        if row.nonfinite:
            what = f"its scores and baselines are of the {row.scored:,} events that were scored"
            yield f"{label}: {row.nonfinite:,} predictions were NaN or infinite: {what}"
        if row.pending or row.expired:
            yield f"{label}: {row.pending:,} events wait for their label, {row.expired:,} had none"
        if row.failed:
            yield f"{label}: ended: {row.failed}"
    for name, baseline, value in beaten_by(rows):
        yield f"{name}: no model is better than {baseline} ({_short(value)})"


def _difference(score: RowScore | None) -> str:
    found = score.difference if score else None
    if not found:
        return ""
    mean, low, high = (
        None if v is None else _signed(v) for v in (found.mean, found.low, found.high)
    )
    return f"{mean}" if low is None else f"{mean} ({low} to {high})"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else ''}{_short(value)}"


def _short(value: float | None) -> str:
    """A score for people.

    >>> _short(0.53721), _short(1234.56), _short(10_744_561_018.7), _short(None)
    ('0.5372', '1,234.6', '1.074e+10', '-')
    """
    if value is None:
        return _NONE
    if abs(value) < _LARGE:
        return f"{value:.4f}"
    return f"{value:,.1f}" if abs(value) < _HUGE else f"{value:.4g}"


def _size(count: int | None) -> str:
    """Bytes for people.

    >>> _size(900), _size(15_300), _size(None)
    ('900 B', '15.3 kB', '-')
    """
    if count is None:
        return _NONE
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, values to the right."""
    width = max(map(len, cells))
    full = [[*row, *[""] * (width - len(row))] for row in cells]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in full]


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.rjust(width) if place else cell.ljust(width)
