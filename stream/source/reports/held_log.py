"""Says when the publish gate begins to hold versions back, and when it ends: log and metric."""

import logging

from checkpoints.records.gate import HeldBack, PublishGate
from checkpoints.records.manifest import Manifest
from stream.source.reports.metrics import LearnerMetrics

log = logging.getLogger(__name__)


class HeldLog:
    """Follows the heads of one line, and what operators let through.

    Args:
        head: What the line stands at.
    """

    def __init__(self, metrics: LearnerMetrics, head: Manifest | None) -> None:
        self._metrics, self._head = metrics, head
        self._held: HeldBack | None = None
        self._looked_at: tuple[int, int] | None = None

    def head_is(self, manifest: Manifest) -> None:
        """The head is now this version."""
        self._head = manifest

    def look(self, released: int) -> None:
        """Tell what has changed since the last look.

        Args:
            released: The number of the version that operators have let through last, 0 for none.
        """
        head = self._head
        if head is None or self._looked_at == (head.number, released):
            return
        self._looked_at = head.number, released
        was, self._held = self._held, head.held_back(released)
        self._metrics.held(self._held is not None)
        if self._held is not None and (was is None or was.good != self._held.good):
            _say_held(head, self._held)
        elif was is not None and self._held is None:
            log.info("%s: no longer held back: %s is served", head.line, head.name)


def _say_held(head: Manifest, held: HeldBack) -> None:
    assert isinstance(head.gate, PublishGate), "it is held"
    rule = head.gate.rule
    log.warning(
        "%s: %s is held back and %s is served: rolling %s %s is worse than %s by more than %s. "
        "Once it is not, the head is served again; `weir release %s --reason …` serves it now",
        head.line, head.name, held.good.name, rule.score,
        head.metrics.get(rule.score, {}).get("rolling"), head.gate.best, rule.margin, head.model,
    )  # fmt: skip
