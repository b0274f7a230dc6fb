"""The contract of presence: who is alive, what they serve, and hints that something has moved.

All of it is a courtesy: some may be lost, and nothing that must be true rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from checkpoints.errors import TooLarge
from checkpoints.records.line import Line

__all__ = ["BEAT_BYTES_MAX", "BEAT_SHOWN_S", "BEAT_TTL_S", "SURE_S", "Beat", "Hints", "Presence",
           "beat_text"]  # fmt: skip

BEAT_BYTES_MAX = 64 << 10
# An order waits for whoever has beaten within this time; it must be shorter than an order waits,
# and so long that a process which only stands still for a while is not taken for dead.
BEAT_TTL_S = 9.0
SURE_S = 0.1  # who follows a line knows within this time what has moved
BEAT_SHOWN_S = 3.0  # users are shown as silent who has not beaten for so long

Beat = Mapping[str, Any]


class Hints(Protocol):
    """Says that something has moved, sooner than a poll would: a courtesy, some may be lost."""

    def fileno(self) -> int:
        """Readable when there may be a hint; -1 while there can be none."""

    def take(self) -> bool:
        """Whether something may have moved since the last call; does not wait for hints.

        It is also True, every `sure_s`, while the store cannot be heard: it is to be asked then.
        """

    def close(self) -> None:
        """Give the connection back."""


class Presence(Protocol):
    """Who is alive on a line, and the hints of what has moved there."""

    def beat(
        self,
        line: Line,
        *,
        role: str,
        name: str,
        payload: Beat,
        ttl_s: float,
        serving: str | None = None,
        is_news: bool = False,
    ) -> None:
        """Say that `name` is alive for `ttl_s`; `is_news` hints at it.

        `serving` keeps the version of that id from pruning; it is "" for one that serves none yet,
        None for one that never does.

        A waiting stand-by uses a role of its own: `poll` shows the newest beat of "learner", and
        that for `BEAT_SHOWN_S` at the most. A beat takes the place of the one of the same name.
        """

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        """The beats of a role that still stand, by name; some may be of processes that are gone."""

    def in_use(self, line: Line) -> frozenset[str]:
        """Ids of the versions that somebody says to be serving whose beat still stands."""

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        """Hints of these lines' new heads, commands and states; never raises for a store that is
        away. What nothing was heard of for `sure_s` has not moved, but for what somebody writes
        who is none of ours.
        """


def beat_text(line: Line, role: str, name: str, payload: Beat) -> bytes:
    """A beat as it is kept.

    Raises:
        TooLarge: it is longer than `BEAT_BYTES_MAX`.
    """
    text = msgspec.json.encode(payload)
    if len(text) > BEAT_BYTES_MAX:
        raise TooLarge(f"{line} {role} {name}", bytes_found=len(text), bytes_max=BEAT_BYTES_MAX)
    return text
