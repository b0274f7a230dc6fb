"""Whether Redis is set up to keep versions: looked at before the learner begins, and ever after.

Only a learner that starts may refuse to. One that is at work goes on, for to end it would save no
version; it says what has changed, once, and shows it until it is mended.
"""

import logging
import time
from collections.abc import Callable, Sequence

from checkpoints.errors import StoreForbidden, StoreUnavailable
from checkpoints.stores.setup import SetupFinding, refuse_unsafe
from stream.source.reports.metrics import LearnerMetrics

__all__ = ["StoreCheck"]

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class StoreCheck:
    """Looks at one server's set-up for one learner.

    Args:
        ask: How it is set up now; raises StoreForbidden where a learner lacks a right.
        address: As it may be shown.
        metrics: Shows what is not as it should be.
    """

    def __init__(
        self,
        ask: Callable[[], Sequence[SetupFinding]],
        address: str,
        metrics: LearnerMetrics,
        *,
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._address, self._metrics = ask, address, metrics
        self._every_s, self._clock = every_s, clock
        self._told: dict[str, SetupFinding] = {}
        self._look_at = 0.0

    def begin(self, *, may_refuse: bool) -> None:
        """Look before the line is taken.

        Args:
            may_refuse: The program starts: nothing has been learned that would stand still.

        Raises:
            StoreUnavailable, StoreForbidden: It does not answer, or does not let us.
            UnsafeStore: It might lose versions, and `may_refuse`.
        """
        found = self._ask()
        if may_refuse:
            refuse_unsafe(self._address, found)
        self._tell(found)

    def look(self) -> None:
        """Look again, if it is time to; whether it answers at all is for others to say."""
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + self._every_s
        try:
            self._tell(self._ask())
        except StoreForbidden as error:
            lacking = SetupFinding(
                name="rights", level="refuse", what=error.what, mend=error.advice
            )
            self._tell([*self._told.values(), lacking])
        except StoreUnavailable as error:
            log.debug("how Redis is set up is not known now: %s", error)

    def _tell(self, found: Sequence[SetupFinding]) -> None:
        """Show all of it, and say what is new."""
        self._look_at = self._clock() + self._every_s
        by_name = {"rights": SetupFinding(name="rights", level="ok", what="all that it must do")}
        by_name.update((each.name, each) for each in found)
        for name, now in by_name.items():
            self._metrics.store_unsafe(name, now.level != "ok")
            before = self._told.get(name)
            if now.level != "ok" and now != before:
                log.error("Redis at %s: %s; %s", self._address, now.what, now.mend)
            elif now.level == "ok" and before is not None and before.level != "ok":
                log.info("Redis at %s: mended: %s", self._address, now.what)
        self._told = by_name
