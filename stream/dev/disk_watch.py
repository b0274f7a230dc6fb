"""What `weir dev` says of the disk that its servers write to, when it fills and has room again."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from config.files import free_bytes, free_share, in_words, mount_point

LOW_SHARE = 0.10
# Kafka opens a segment with two indexes of 10 MiB; a store's file is written anew beside the old.
FULL_BYTES = 64 << 20
_ROOM_BYTES = 256 << 20  # so that it does not change its mind with each record
_LOOK_EVERY_S = 5.0


class Level(Enum):
    """How a disk is."""

    ROOM = auto()
    LOW = auto()
    FULL = auto()


def level_of(free: int, share: float, *, was: Level) -> Level:
    """How a disk with so many bytes and such a part of it free is, if it was so before.

    >>> level_of(10 << 20, 0.5, was=Level.ROOM).name, level_of(1 << 40, 0.09, was=Level.ROOM).name
    ('FULL', 'LOW')
    >>> level_of(100 << 20, 0.05, was=Level.FULL).name  # not yet
    'FULL'
    """
    if free < (_ROOM_BYTES if was is Level.FULL and share < LOW_SHARE else FULL_BYTES):
        return Level.FULL
    return Level.LOW if share < LOW_SHARE else Level.ROOM


class DiskWatch:
    """Says how the disk of a folder is, whenever that has changed.

    Args:
        folder: Of the data.
        say: Told in one line.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._level = Level.ROOM

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Look once."""
        free, share = free_bytes(self._folder), free_share(self._folder)
        was, self._level = self._level, level_of(free, share, was=self._level)
        if was is self._level:
            return
        where = f"the disk at {mount_point(self._folder)}, which {self._folder} is on,"
        self._say(f"{where} {_told(self._level, free, share)}")


def _told(level: Level, free: int, share: float) -> str:
    has = f"{in_words(free)} free ({share:.0%})"
    if level is Level.FULL:
        return (
            f"is full: {has}. Kafka takes no events and Redis no versions there: sending, learning "
            f"and commits stand still, predictions go on. Make room, at least "
            f"{in_words(_ROOM_BYTES)}: all goes on by itself"
        )
    if level is Level.LOW:
        return f"is filling: {has}; at less than {in_words(FULL_BYTES)} learning stands still"
    return f"has room again: {has}; what stood still goes on"
