"""A store in memory, for tests and simulations; it obeys the whole contract of `contract.py`.

It keeps no file and no socket, takes its clock as an argument, and tells `on_step` each named
step of `STEPS`: a `DieAt` there ends its caller just where a crash would.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from checkpoints.errors import CheckpointCorrupt, TooLarge
from checkpoints.records.control import AUDIT_KEPT, Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef, Version
from checkpoints.records.signing import digest
from checkpoints.stores.contract import (
    BEAT_BYTES_MAX,
    BEAT_SHOWN_S,
    CHUNK_BYTES,
    ORPHAN_S,
    REPEATS_S,
    STEPS,
    SURE_S,
    Beat,
    Granted,
    HeldBy,
    Hints,
    Listed,
    OnStep,
    Outcome,
    Position,
    Reply,
    check_drop,
    named_by,
)
from checkpoints.stores.memory_hints import MemoryHints

__all__ = ["DieAt", "Died", "MemoryStore"]


class Died(BaseException):
    """The process that called the store died at a named step; what it sent may have arrived.

    No Exception: code under test must not live on by catching it.
    """


class DieAt:
    """An `on_step` that dies the `nth` time `step` is reached.

    >>> die = DieAt("commit.before", nth=2)
    >>> die("commit.before"); die("commit.after")
    >>> die("commit.before")
    Traceback (most recent call last):
    ...
    checkpoints.stores.memory_store.Died: commit.before
    """

    def __init__(self, step: str, *, nth: int = 1) -> None:
        if step not in STEPS:
            raise ValueError(f"{step!r} is no step of a store: {', '.join(STEPS)}")
        self._step, self._left = step, nth

    def __call__(self, step: str) -> None:
        if step != self._step:
            return
        self._left -= 1
        if self._left == 0:
            raise Died(step)


@dataclass(slots=True)
class _Chunk:
    data: bytes
    expires_at: float | None  # None: a version names it


@dataclass(slots=True)
class _Beat:
    payload: Beat
    serving: str | None
    shown_until: float
    expires_at: float


@dataclass(slots=True)
class _Books:
    """All that is kept of one line."""

    token_count: int = 0
    token: str = ""
    lease: tuple[str, float] | None = None  # holder, ends at
    head: str | None = None
    highest: int = 0
    versions: dict[str, Version] = field(default_factory=dict)
    lineages: dict[str, bytes] = field(default_factory=dict)
    chunks: dict[tuple[str, int], _Chunk] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)  # the audit, in order of seq
    ordered: str | None = None  # the control record that stands, by id
    repeats: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    beats: dict[tuple[str, str], _Beat] = field(default_factory=dict)  # newest last

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


class MemoryStore:
    """The store contract over dictionaries.

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
        self._lines: dict[Line, _Books] = {}
        self._hints: list[MemoryHints] = []

    @contextmanager
    def _change(self, line: Line, name: str) -> Iterator[_Books]:
        self.on_step(f"{name}.before")
        with self._lock:
            yield self._books(line)
        self.on_step(f"{name}.after")

    def _books(self, line: Line) -> _Books:
        with self._lock:
            return self._lines.setdefault(line, _Books())

    def close(self) -> None:
        """Nothing: there is no connection."""

    # Writing -----------------------------------------------------------------------------------

    def acquire(self, line: Line, *, holder: str, lease_s: float) -> Granted | HeldBy:
        with self._change(line, "acquire") as books:
            if books.lease is not None:
                owner, ends_at = books.lease
                if owner != holder and ends_at > self._clock():
                    return HeldBy(holder=owner, remaining_s=ends_at - self._clock())
            self._fence(books, secrets.token_hex(8))
            books.lease = (holder, self._clock() + lease_s)
            head = books.versions[books.head].envelope if books.head else None
            return Granted(token=books.token, head=head, highest=books.highest, head_id=books.head)

    def _fence(self, books: _Books, nonce: str) -> None:
        books.token_count += 1
        books.token = f"{books.token_count}:{nonce}"

    def renew(self, line: Line, *, holder: str, token: str, lease_s: float) -> bool:
        with self._change(line, "renew") as books:
            is_ours = books.token == token
            if is_ours:
                books.lease = (holder, self._clock() + lease_s)
        return is_ours

    def release(self, line: Line, *, holder: str, token: str) -> None:
        with self._change(line, "release") as books:
            if books.token == token and books.lease and books.lease[0] == holder:
                books.lease = None

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        self.on_step("put_segment.before")
        books = self._books(line)
        for index, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            if index:
                self.on_step("put_segment.between")
            self._put_chunk(books, (sha256, index), data[start : start + CHUNK_BYTES])
        self.on_step("put_segment.after")

    def _put_chunk(self, books: _Books, name: tuple[str, int], data: bytes) -> None:
        with self._lock:
            there = self._chunk(books, name)
            if there is None:
                books.chunks[name] = _Chunk(data, self._clock() + ORPHAN_S)
                return
            there.data = data
            if there.expires_at is not None:
                there.expires_at = self._clock() + ORPHAN_S

    def _chunk(self, books: _Books, name: tuple[str, int]) -> _Chunk | None:
        chunk = books.chunks.get(name)
        if chunk and chunk.expires_at is not None and chunk.expires_at <= self._clock():
            del books.chunks[name]
            return None
        return chunk

    def commit(self, line: Line, *, token: str, version: Version) -> Outcome:
        with self._change(line, "commit") as books:
            if books.head == version.id:
                outcome = Outcome.DUP
            elif books.token != token:
                outcome = Outcome.FENCED
            else:
                outcome = self._judge(books, version)
                if outcome is not Outcome.STALE and version.manifest.orders_seen > books.seq:
                    outcome = Outcome.STALE
            if outcome is Outcome.OK:
                self._adopt(books, version)
                self._tell(line)
        return outcome

    def _tell(self, line: Line) -> None:
        for hints in self._hints:
            hints.tell(line)

    def _judge(self, books: _Books, version: Version) -> Outcome:
        if books.head != version.manifest.parent or version.number <= books.highest:
            return Outcome.STALE
        whole = all(self._is_whole(books, ref) for ref in version.manifest.segments.values())
        return Outcome.OK if whole else Outcome.TORN

    def _is_whole(self, books: _Books, ref: SegmentRef) -> bool:
        chunks = (self._chunk(books, name) for name in _names(ref))
        lengths = (len(chunk.data) if chunk else 0 for chunk in chunks)
        return all(found == due for found, due in zip(lengths, _lengths(ref), strict=True))

    def _adopt(self, books: _Books, version: Version) -> None:
        for ref in version.manifest.segments.values():
            for name in _names(ref):
                books.chunks[name].expires_at = None
        books.versions[version.id] = version
        books.highest = version.number
        books.head = version.id

    def prune(
        self,
        line: Line,
        *,
        token: str,
        head: str,
        control: Control | None,
        drop: Sequence[str],
        lineages: Mapping[str, bytes],
    ) -> Outcome:
        check_drop(drop, head=head, control=control)
        seen = (head, control.id if control else None)
        with self._change(line, "prune") as books:
            if books.token != token:
                return Outcome.FENCED
            if (books.head, books.ordered) != seen or not set(lineages) <= books.readable:
                return Outcome.STALE
            if self._served(books) & set(drop):
                return Outcome.STALE
            self._forget(books, drop, lineages)
        return Outcome.OK

    def _forget(self, books: _Books, drop: Sequence[str], lineages: Mapping[str, bytes]) -> None:
        books.lineages.update(lineages)
        gone = [books.versions.pop(one) for one in drop if one in books.versions]
        for one in drop:
            books.lineages.pop(one, None)
        kept = {name for version in books.versions.values() for name in _all_names(version)}
        for version in gone:
            for name in set(_all_names(version)) - kept:
                books.chunks.pop(name, None)

    # Commands ----------------------------------------------------------------------------------

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Reply:
        with self._change(line, "command") as books:
            reply = self._judge_command(books, control, version, idempotency_key)
            if reply.outcome is Outcome.OK:
                self._obey(books, control, version, idempotency_key)
                self._tell(line)
        return reply

    def _judge_command(
        self, books: _Books, control: Control, version: Version | None, key: str | None
    ) -> Reply:
        if control.id in books.controls:
            return Reply(outcome=Outcome.DUP)
        earlier = self._repeat(books, key)
        if earlier is not None:
            return Reply(outcome=Outcome.REPEATED, earlier=earlier)
        if control.record.previous != books.ordered or control.record.seq != books.seq + 1:
            return Reply(outcome=Outcome.STALE)
        if books.audited >= control.record.seq:
            return Reply(outcome=Outcome.STALE)
        outcome = self._judge(books, version) if version else Outcome.OK
        if outcome is Outcome.OK and not named_by(control, version) <= books.readable:
            outcome = Outcome.TORN
        return Reply(outcome=outcome)

    def _obey(
        self, books: _Books, control: Control, version: Version | None, key: str | None
    ) -> None:
        books.controls[control.id], books.ordered = control, control.id
        for surplus in list(books.controls)[:-AUDIT_KEPT]:
            del books.controls[surplus]
        if key is not None:
            books.repeats[key] = (control.envelope, self._clock() + REPEATS_S)
        if version is not None:
            self._fence(books, f"operator:{control.id[:16]}")
            self._adopt(books, version)

    def _repeat(self, books: _Books, key: str | None) -> bytes | None:
        envelope, until = books.repeats.get(key or "", (None, 0.0))
        return envelope if until > self._clock() else None

    def fence(self, line: Line, *, by: str) -> None:
        with self._change(line, "fence") as books:
            nonce = f"operator {by}"
            if books.token.partition(":")[2] != nonce:
                self._fence(books, nonce)

    def remove(self, line: Line, *, by: str) -> str | None:
        del by  # nobody comes in between
        with self._lock:
            books = self._books(line)
            if books.lease is not None and books.lease[1] > self._clock():
                return books.lease[0]
            del self._lines[line]
            self._tell(line)
        return None

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        with self._lock:
            return self._repeat(self._books(line), idempotency_key)

    # Reading -----------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        with self._lock:
            return sorted(line for line, books in self._lines.items() if books.head)

    def head(self, line: Line) -> bytes | None:
        with self._lock:
            books = self._books(line)
            return _present(books.versions[books.head]) if books.head else None

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        with self._lock:
            version = self._books(line).versions.get(version_id)
            return (version.envelope or None) if version else None

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        with self._lock:
            versions = self._books(line).versions.values()
            return next((_present(one) for one in versions if one.number == number), None)

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        with self._lock:
            newest = sorted(self._books(line).versions.values(), key=lambda one: -one.number)
        below = [one for one in newest if before is None or one.number < before][:limit]
        return [
            Listed(number=one.number, id=one.id, envelope=one.envelope or None) for one in below
        ]

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        with self._lock:
            return self._books(line).lineages.get(version_id)

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        with self._lock:
            books = self._books(line)
            chunks = [self._chunk(books, name) for name in _names(ref)]
        data = b"".join(chunk.data for chunk in chunks if chunk)
        if len(data) != ref.bytes or digest(data) != ref.sha256:
            raise CheckpointCorrupt(f"{line} segment {ref.sha256[:12]}", "it is not whole")
        return data

    def control(self, line: Line) -> bytes | None:
        with self._lock:
            newest = self._books(line).control
            return newest.envelope if newest else None

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        with self._lock:
            newest = list(reversed(self._books(line).controls.values()))
        below = [one.envelope for one in newest if before is None or one.record.seq < before]
        return below[:limit]

    def highest(self, line: Line) -> int:
        with self._lock:
            return self._books(line).highest

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        with self._lock:
            return {line: self._position(self._books(line)) for line in lines}

    def _position(self, books: _Books) -> Position:
        learners = [beat for (role, _), beat in self._live(books) if role == "learner"]
        is_shown = bool(learners) and learners[-1].shown_until > self._clock()
        learner = learners[-1].payload if is_shown else None
        return Position(head=books.head, control=books.ordered, learner=learner)

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        del sure_s  # nothing is lost here
        found = MemoryHints(lines, on_close=self._forget_hints)
        with self._lock:
            self._hints.append(found)
        return found

    def _forget_hints(self, hints: MemoryHints) -> None:
        with self._lock:
            self._hints.remove(hints)

    # Heartbeats --------------------------------------------------------------------------------

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
        text = msgspec.json.encode(payload)
        if len(text) > BEAT_BYTES_MAX:
            raise TooLarge(f"{line} {role} {name}", bytes_found=len(text), bytes_max=BEAT_BYTES_MAX)
        with self._lock:
            beats = self._books(line).beats
            beats.pop((role, name), None)
            read = msgspec.json.decode(text)
            now = self._clock()
            beats[role, name] = _Beat(read, serving, now + min(ttl_s, BEAT_SHOWN_S), now + ttl_s)
            if is_news:
                self._tell(line)

    def _live(self, books: _Books) -> list[tuple[tuple[str, str], _Beat]]:
        now = self._clock()
        return [(who, beat) for who, beat in books.beats.items() if beat.expires_at > now]

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        with self._lock:
            live = self._live(self._books(line))
        return {name: beat.payload for (of, name), beat in live if of == role}

    def in_use(self, line: Line) -> frozenset[str]:
        with self._lock:
            return self._served(self._books(line))

    def _served(self, books: _Books) -> frozenset[str]:
        return frozenset(beat.serving for _, beat in self._live(books) if beat.serving)


def _present(version: Version) -> bytes:
    """Its record; an empty one is how tests write that it is gone."""
    if not version.envelope:
        raise CheckpointCorrupt(str(version), "it is named but missing")
    return version.envelope


def _lengths(ref: SegmentRef) -> list[int]:
    """The length due to each chunk: a full MiB, and what is left."""
    starts = range(0, ref.bytes, CHUNK_BYTES)
    return [min(CHUNK_BYTES, ref.bytes - start) for start in starts]


def _names(ref: SegmentRef) -> list[tuple[str, int]]:
    return [(ref.sha256, index) for index in range(len(_lengths(ref)))]


def _all_names(version: Version) -> list[tuple[str, int]]:
    return [name for ref in version.manifest.segments.values() for name in _names(ref)]
