"""What is to be said of rows that a reader of the table might miss."""

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from config.model.better import is_bigger_better
from stream.trying.beside.ranks import why_unfit
from stream.trying.rows import BASELINES, RowScore, TrialRow


def beaten_by(rows: Sequence[TrialRow]) -> Iterator[tuple[str, str, float]]:
    """Each score by which no row is better than its baselines: the best of them, and its value.

    >>> score = RowScore(lifetime=80.0, rolling=80.0, fading=None, baseline=64.9, no_change=64.9,
    ...                  mean=131.8, beats_baseline=False)
    >>> row = TrialRow(model="m", file="m.yaml", set={}, learned=9, scored=9, refused=0,
    ...           refused_by={}, nonfinite=0, pending=0, expired=0, drifts=0,
    ...           metrics={"MAE": score}, events_per_second=9.0, bytes=1)
    >>> list(beaten_by([row]))
    [('MAE', 'no_change', 64.9)]
    """
    # Of few events the baselines are others, too: such a row says nothing here.
    able = [row for row, why in zip(rows, why_unfit(rows), strict=True) if not why]
    for name in dict.fromkeys(name for row in able for name in row.metrics):
        scores = [row.metrics[name] for row in able if name in row.metrics]
        told = [score for score in scores if score.beats_baseline is not UNSET]
        if told and not any(score.beats_baseline for score in told):
            best = max if is_bigger_better(name) else min
            score = best(told, key=lambda each: each.lifetime or 0.0)
            baseline = _named(score)
            if baseline is not None:
                yield name, *baseline


def _named(score: RowScore) -> tuple[str, float] | None:
    for name in BASELINES:
        value = getattr(score, name)
        if value is not UNSET and value is not None and value == score.baseline:
            return name, value
    return None


def nothing_learned(rows: Sequence[TrialRow]) -> str | None:
    """What to say where no row has learned an event, though there were some; None: it is not so."""
    row = max(rows, key=lambda each: (each.refused, each.pending))
    if any(each.learned or each.failed for each in rows) or not (row.refused or row.pending):
        return None
    told = [f"{reason} {count:,}" for reason, count in row.refused_by.items()]
    parts = [f"refused {', '.join(told)}, the first for {row.first_refused}"] if told else []
    parts += [f"{row.pending:,} events wait for their label"] if row.pending else []
    return f"nothing was learned: {'; '.join(parts)}"
