"""Lines whose head is held back by the publish gate."""

from __future__ import annotations

from typing import Any

from checkpoints.records.gate import GateRule, HeldBack, PublishGate
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.stores.contract import Store
from tests.checkpoints.builders import committed, pointer

RULE = GateRule(score="Accuracy", margin=0.05, window=1000, is_bigger_better=True)
SINCE_MS = 1_700_000_000_000


def held_for(good: Version) -> PublishGate:
    """The gate of a version that is held back, and `good` served in its place."""
    held = HeldBack(good=pointer(good), since_ms=SINCE_MS)
    return PublishGate(rule=RULE, best=0.9, best_scored=1000, held=held)


def held_back(store: Store, line: Line, token: str, head: Version, good: Version) -> Version:
    """A head that follows `head` and is held back for `good`."""
    number = head.number + 1
    more: dict[str, Any] = {"model": b"weights %d" % number, "gate": held_for(good)}
    return committed(store, line, token, number=number, parent=head, **more)
