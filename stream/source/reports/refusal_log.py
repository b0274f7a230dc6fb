"""Says in the log that records are refused, and why: a line now and then, never one for each."""

import logging
from collections import Counter
from collections.abc import Mapping

from stream.kafka.client import dead_letter_topic

log = logging.getLogger(__name__)

_EVERY_S = 10.0


class RefusalLog:
    """Adds up what was refused of one model's records between two lines.

    The first refusal is told at once.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._refused: Counter[tuple[str, str]] = Counter()
        self._next_at = float("-inf")

    def add(self, refused: Mapping[tuple[str, str], int]) -> None:
        """So many of these topics for these reasons, each of which is a dead letter."""
        self._refused.update(refused)

    def say(self, now_s: float) -> None:
        """Tell what came since the last line, if it is time to.

        Args:
            now_s: By a clock that never goes back.
        """
        if not self._refused or now_s < self._next_at:
            return
        self._next_at = now_s + _EVERY_S
        told = ", ".join(
            f"{count} {reason} in {topic}" for (topic, reason), count in self._refused.most_common()
        )
        topics = ", ".join(sorted({dead_letter_topic(topic) for topic, _ in self._refused}))
        log.warning("model %s: refused %s; kept in %s", self._model, told, topics)
        self._refused.clear()
