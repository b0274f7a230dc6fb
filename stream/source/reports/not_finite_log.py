"""Says in the log that a model answers NaN: a line now and then, never one for each prediction."""

import logging

from checkpoints.records.manifest import Counts

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class NotFiniteLog:
    """Compares the counts of one model's heads; the first prediction that is not finite is told
    at once, and those after it together.

    >>> told = NotFiniteLog("flow")
    >>> told.head_is(Counts(learned=9, nonfinite=0), now_s=0.0)
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._told = Counts()
        self._next_at = float("-inf")

    def head_is(self, counts: Counts, now_s: float) -> None:
        """Tell what came since the last line, if it is time to.

        Args:
            now_s: By a clock that never goes back.
        """
        if counts.learned < self._told.learned or counts.nonfinite < self._told.nonfinite:
            self._told = counts  # a rollback
        wild = counts.nonfinite - self._told.nonfinite
        if not wild or now_s < self._next_at:
            return
        log.warning(
            "model %s: %d of the last %d predictions were NaN or infinite; they were learned and "
            "not scored. A weight that has gone NaN stays so: roll back to a version before it",
            self._model, wild, counts.learned - self._told.learned,
        )  # fmt: skip
        self._told, self._next_at = counts, now_s + _EVERY_S
