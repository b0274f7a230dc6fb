"""What a caller and the process beside it say to each other: JSON over a socket pair.

First a `LoadFile`, answered by a `LoadedFile`; from then on `RowsAsked`, each answered by a list of
answers in the order of the rows.
"""

import socket

import msgspec

from config.processes.channel import Channel
from learner.values import Features

__all__ = ["LoadFile", "LoadedFile", "RowsAsked", "channel_of"]


class LoadFile(msgspec.Struct, frozen=True, kw_only=True):
    """What to load.

    Attributes:
        keys: Public keys that are believed, as PEM texts.
        trust: Packages that may be loaded.
    """

    file: str
    keys: tuple[str, ...]
    trust: tuple[str, ...]


class LoadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the version that answers from now on; or what is wrong, and nothing answers."""

    id: str = ""
    problem: str = ""


class RowsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows.

    Attributes:
        is_table: What is nested is called `outer.inner`.
    """

    rows: list[Features]
    is_table: bool


def channel_of(end: socket.socket) -> Channel[bytes]:
    """One end of the channel."""
    return Channel(end, _same, _same)


def _same(message: bytes) -> bytes:
    return message
