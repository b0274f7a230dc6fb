"""The store contract: what any place that keeps versions must do, and how it answers.

The safety is in three comparisons that the store makes in one atomic step: the fencing token of
the writer, the parent against the head, and the presence of every byte the version names. Leases
are a courtesy. Reads return signed envelopes as they are: the caller verifies them.

Who needs a part of it only asks for that part: records, heads, or presence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from checkpoints.stores.heads import Heads
from checkpoints.stores.presence import Presence
from checkpoints.stores.records import Records

__all__ = ["STEPS", "OnStep", "Store"]

OnStep = Callable[[str], None]

# Where a process that uses a store can die, in the order of a line's life: before a change is
# sent, between two chunks, and after it was made but before the caller knows.
STEPS = (
    *("acquire.before", "acquire.after"),
    *("put_segment.before", "put_segment.between", "put_segment.after"),
    *("commit.before", "commit.after"),
    *("command.before", "command.after"),
    *("fence.before", "fence.after"),
    *("prune.before", "prune.after"),
    *("renew.before", "renew.after"),
    *("release.before", "release.after"),
)


class Store(Records, Heads, Presence, Protocol):
    """Where versions are kept. Every method is safe to call from several threads.

    All may raise StoreUnavailable; a change that raised it may or may not have been made.
    """

    def close(self) -> None:
        """Give up the connection; the store is not used again."""
