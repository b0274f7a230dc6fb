"""Which row is the best: only rows that scored the same events are ranked by what they score.

A prediction that is NaN or infinite is not scored. A model that gives hardly any other could
otherwise be the best by the few events on which it did.
"""

import math
from collections.abc import Sequence

from config.model.better import is_bigger_better
from stream.trying.rows import TrialRow

# Of the events that the others were asked about; a learner's first few may have no prediction.
SCORED_SHARE_MIN = 0.99


def why_unfit(rows: Sequence[TrialRow]) -> list[str]:
    """Of each row why it cannot be the best of them; empty where it can.

    It scored fewer than 99 % of the events on which the row asked most often was asked.

    >>> def row(scored, nonfinite):
    ...     return TrialRow(model="m", file="m.yaml", set={}, learned=3000, scored=scored,
    ...         refused=0, refused_by={}, nonfinite=nonfinite, pending=0, expired=0, drifts=0,
    ...         metrics={}, events_per_second=9.0, bytes=1)
    >>> why_unfit([row(2_999, 0), row(3, 2_997), row(1_500, 0)])
    ['', '2,997 predictions were not finite', '1,500 events were scored, of 3,000 elsewhere']
    """
    most = max((row.scored + row.nonfinite for row in rows), default=0)
    return [_why_unfit(row, most) for row in rows]


def _why_unfit(row: TrialRow, most: int) -> str:
    if row.failed is not None or row.scored >= SCORED_SHARE_MIN * most:
        return ""
    if most - row.nonfinite < SCORED_SHARE_MIN * most:
        return f"{row.nonfinite:,} predictions were not finite"
    return f"{row.scored:,} events were scored, of {most:,} elsewhere"


def value_of(row: TrialRow, metric: str, window: str = "lifetime") -> float:
    """The score, such that more is better; minus infinity where there is none, or none finite.

    >>> from stream.trying.rows import failed_row
    >>> value_of(failed_row("m", "m.yaml", {}, "it raised"), "Accuracy")
    -inf
    """
    score = row.metrics.get(metric) if row.failed is None else None
    value: float | None = getattr(score, window, None)
    if value is None or not math.isfinite(value):
        return -math.inf
    return value if is_bigger_better(metric) else -value


def best_of(rows: Sequence[TrialRow], metric: str) -> int | None:
    """The place of the row with the best lifetime score; of equal ones the first. None: no score.

    >>> best_of([], "Accuracy") is None
    True
    """
    able = [
        (value, -place)
        for place, (row, why) in enumerate(zip(rows, why_unfit(rows), strict=True))
        if not why and (value := value_of(row, metric)) > -math.inf
    ]
    return -max(able)[1] if able else None
