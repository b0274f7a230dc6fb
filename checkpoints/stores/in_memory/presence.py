"""Presence in memory: beats by role and name, and hints through pipes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from checkpoints.records.line import Line
from checkpoints.stores.in_memory.books import KeptBeat, MemoryPart
from checkpoints.stores.in_memory.hints import MemoryHints
from checkpoints.stores.presence import BEAT_SHOWN_S, SURE_S, Beat, Hints, beat_text

__all__ = ["MemoryPresence"]


class MemoryPresence(MemoryPart):
    """The contract of presence over dictionaries."""

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
        read = msgspec.json.decode(beat_text(line, role, name, payload))
        with self._reading(line) as books:
            books.beats.pop((role, name), None)
            now = self._clock()
            shown_until = now + min(ttl_s, BEAT_SHOWN_S)
            books.beats[role, name] = KeptBeat(read, serving, shown_until, now + ttl_s)
            if is_news:
                self._tell(line)

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        with self._reading(line) as books:
            live = books.live(self._clock())
        return {name: beat.payload for (of, name), beat in live if of == role}

    def in_use(self, line: Line) -> frozenset[str]:
        with self._reading(line) as books:
            return books.served(self._clock())

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        del sure_s  # nothing is lost here
        found = MemoryHints(lines, on_close=self._forget_hints)
        with self._lock:
            self._hints.append(found)
        return found

    def _forget_hints(self, hints: MemoryHints) -> None:
        with self._lock:
            self._hints.remove(hints)
