"""How a store is set up, and what that means for the versions that it is to keep.

It is looked at before a learner starts, and again and again while it runs.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from checkpoints.errors import StoreUnavailable, UnsafeStore

__all__ = ["Level", "SetupFinding", "refuse_unsafe"]

Level = Literal["ok", "warn", "refuse"]


class SetupFinding(Struct, frozen=True, kw_only=True):
    """One thing looked at: fine, worth a warning, or a reason to refuse.

    Args:
        name: What was looked at: `version`, `role`, `eviction` or `persistence`.
    """

    name: str
    level: Level
    what: str
    mend: str = ""


def refuse_unsafe(address: str, findings: Iterable[SetupFinding]) -> None:
    """Let a learner begin only where what it writes is kept.

    Raises:
        StoreUnavailable: Nothing can be written there now: a replica, which may be promoted.
        UnsafeStore: Versions might be lost without a word.
    """
    for found in findings:
        if found.level != "refuse":
            continue
        if found.name == "role":
            raise StoreUnavailable(
                address, doing="be written to", cause=found.what, advice=found.mend
            )
        raise UnsafeStore(address, found.what, advice=found.mend)
