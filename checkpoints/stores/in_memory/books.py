"""All that the store in memory keeps of one line, and what its parts share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef, Version
from checkpoints.stores.contract import OnStep
from checkpoints.stores.in_memory.hints import MemoryHints
from checkpoints.stores.presence import Beat
from checkpoints.stores.records import chunks_of

__all__ = ["LineBooks", "KeptBeat", "KeptChunk", "MemoryPart", "chunk_names", "present"]


@dataclass(slots=True)
class KeptChunk:
    """A piece of a segment; it ends by itself until a version names it."""

    data: bytes
    expires_at: float | None  # None: a version names it


@dataclass(slots=True)
class KeptBeat:
    """What a process said last of itself, and how long that holds."""

    payload: Beat
    serving: str | None
    shown_until: float
    expires_at: float


@dataclass(slots=True)
class LineBooks:
    """All that is kept of one line."""

    token_count: int = 0
    token: str = ""
    lease: tuple[str, float] | None = None  # holder, ends at
    head: str | None = None
    highest: int = 0
    versions: dict[str, Version] = field(default_factory=dict)
    lineages: dict[str, bytes] = field(default_factory=dict)
    chunks: dict[tuple[str, int], KeptChunk] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)  # the audit, in order of seq
    ordered: str | None = None  # the control record that stands, by id
    repeats: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    beats: dict[tuple[str, str], KeptBeat] = field(default_factory=dict)  # newest last

    @property
    def control(self) -> Control | None:
        return self.controls[self.ordered] if self.ordered else None

    @property
    def readable(self) -> set[str]:
        """Ids of the kept versions whose record is there."""
        return {one.id for one in self.versions.values() if one.envelope}

    @property
    def seq(self) -> int:
        """The number of the control record that stands, 0 for none."""
        return self.control.record.seq if self.control else 0

    @property
    def audited(self) -> int:
        """The highest number in the audit."""
        return max((one.record.seq for one in self.controls.values()), default=0)

    def chunk(self, name: tuple[str, int], now: float) -> KeptChunk | None:
        """The chunk, unless it has ended."""
        chunk = self.chunks.get(name)
        if chunk and chunk.expires_at is not None and chunk.expires_at <= now:
            del self.chunks[name]
            return None
        return chunk

    def repeat(self, key: str | None, now: float) -> bytes | None:
        """The control envelope that an idempotency key stands for, while it is remembered."""
        envelope, until = self.repeats.get(key or "", (None, 0.0))
        return envelope if until > now else None

    def live(self, now: float) -> list[tuple[tuple[str, str], KeptBeat]]:
        """The beats that still stand, by role and name, newest last."""
        return [(who, beat) for who, beat in self.beats.items() if beat.expires_at > now]

    def served(self, now: float) -> frozenset[str]:
        """Ids of the versions that somebody says to be serving."""
        return frozenset(beat.serving for _, beat in self.live(now) if beat.serving)


class MemoryPart:
    """A part of the store over dictionaries.

    Args:
        clock: Seconds, monotonic; leases, orphans and beats end by it.
        on_step: Told each name of `STEPS` as it is reached; may raise to end the caller there.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_step: OnStep = lambda _step: None,
    ) -> None:
        self._clock = clock
        self.on_step = on_step
        self._lock = threading.RLock()
        self._lines: dict[Line, LineBooks] = {}
        self._hints: list[MemoryHints] = []

    @contextmanager
    def _change(self, line: Line, name: str) -> Iterator[LineBooks]:
        self.on_step(f"{name}.before")
        with self._lock:
            yield self._books(line)
        self.on_step(f"{name}.after")

    def _books(self, line: Line) -> LineBooks:
        with self._lock:
            return self._lines.setdefault(line, LineBooks())

    @contextmanager
    def _reading(self, line: Line) -> Iterator[LineBooks]:
        with self._lock:
            yield self._books(line)

    def _tell(self, line: Line) -> None:
        for hints in self._hints:
            hints.tell(line)


def chunk_names(ref: SegmentRef) -> list[tuple[str, int]]:
    """What the chunks of a segment are kept under."""
    return [(ref.sha256, index) for index in range(len(chunks_of(ref)))]


def present(version: Version) -> bytes:
    """Its record; an empty one is how tests write that it is gone."""
    if not version.envelope:
        raise CheckpointCorrupt(str(version), "it is named but missing")
    return version.envelope
