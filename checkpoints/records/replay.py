"""What a rewind has replayed, kept with the version that it made. Pure.

The order in which the records were taken again, without those that were left out: so whoever
rebuilds the version, or one that went on from it, leaves out the same without knowing why.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from checkpoints.records.manifest import Place, Run

__all__ = ["SEGMENT", "Replay", "joined"]

SEGMENT = "replay"


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs in order, adjoining ones of one partition made one.

    >>> joined([("t", 0, 0, 5), ("t", 0, 5, 9), ("t", 1, 0, 2), ("t", 0, 9, 10)])
    (('t', 0, 0, 9), ('t', 1, 0, 2), ('t', 0, 9, 10))
    """
    whole: list[Run] = []
    for topic, partition, first, following in runs:
        if whole and whole[-1][:2] == (topic, partition) and whole[-1][3] == first:
            whole[-1] = (topic, partition, whole[-1][2], following)
        else:
            whole.append((topic, partition, first, following))
    return tuple(whole)


class Replay(Struct, frozen=True, array_like=True):
    """From the version that was gone back to, up to the version that keeps it.

    Attributes:
        runs: What was taken, in order.
        skipped: What was left out; each topic, partition, first offset, next offset.
        raised: Records on which learning raised, which were refused.
    """

    runs: tuple[Run, ...] = ()
    skipped: tuple[Run, ...] = ()
    raised: tuple[Place, ...] = ()

    def then(self, later: Replay) -> Replay:
        """This one, and what was replayed after it."""
        return Replay(
            runs=joined((*self.runs, *later.runs)),
            skipped=joined((*self.skipped, *later.skipped)),
            raised=(*self.raised, *later.raised),
        )

    def to_bytes(self) -> bytes:
        """As a segment.

        >>> replay = Replay(runs=(("e", 0, 5, 9),), skipped=(("e", 0, 9, 11),))
        >>> Replay.from_bytes(replay.to_bytes()) == replay
        True
        """
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Replay:
        """From a segment whose hash was checked.

        Raises:
            msgspec.DecodeError, msgspec.ValidationError: It is none.
        """
        return msgspec.msgpack.decode(raw, type=cls)
