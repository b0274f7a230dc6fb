"""The stretch of the log under suspicion, kept over restores by the keeper."""

import logging
from dataclasses import dataclass
from typing import TypeAlias

from stream.between.messages import Raised
from stream.kafka.client import dead_letter_topic

log = logging.getLogger(__name__)

LogPosition: TypeAlias = tuple[str, int, int]

_FIRST_RECORDS = 10_000
_RECORDS_MAX = 100_000


@dataclass(slots=True)
class Suspects:
    """How often the learner raised as it learned, and was restored for it.

    After each time so many records are tried by a copy before they are learned: what raises there
    costs no restore. That is the bound on restores: one in so many records, each time twice as
    many.

    >>> suspects = Suspects()
    >>> suspects.records
    0
    >>> suspects.restores += 2
    >>> suspects.records
    20000
    """

    restores: int = 0

    def add(self, model: str, raised: Raised) -> str:
        """The learner raised, and is restored for it; what happened, which is logged besides."""
        self.restores += 1
        what = f"learning {raised.topic}-{raised.partition}-{raised.offset} raised {raised.what}"
        log.error(
            "model %s: %s. The head is restored, for the %d. time; a copy tries the next %d "
            "records before they are learned, and what raises there is refused as learn_error "
            "without one more restore. Look at it in %s, and mend the events or the pipeline",
            model, what, self.restores, self.records, dead_letter_topic(raised.topic),
        )  # fmt: skip
        return what

    @property
    def records(self) -> int:
        """The records to be tried after the last restore, and after each that raises in a trial."""
        if not self.restores:
            return 0
        return min(_FIRST_RECORDS << min(self.restores - 1, 10), _RECORDS_MAX)
