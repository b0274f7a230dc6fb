"""Heads in memory: each change is judged and made while one lock is held."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from checkpoints.records.control import AUDIT_KEPT, Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef, Version
from checkpoints.stores.heads import (
    REPEATS_S,
    Granted,
    HeldBy,
    Outcome,
    Position,
    Reply,
    check_drop,
    named_by,
)
from checkpoints.stores.in_memory.books import LineBooks, MemoryPart, chunk_names, present
from checkpoints.stores.records import chunks_of

__all__ = ["MemoryHeads"]


class MemoryHeads(MemoryPart):
    """The contract of heads over dictionaries."""

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

    def _fence(self, books: LineBooks, nonce: str) -> None:
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

    def _judge(self, books: LineBooks, version: Version) -> Outcome:
        if books.head != version.manifest.parent or version.number <= books.highest:
            return Outcome.STALE
        whole = all(self._is_whole(books, ref) for ref in version.manifest.segments.values())
        return Outcome.OK if whole else Outcome.TORN

    def _is_whole(self, books: LineBooks, ref: SegmentRef) -> bool:
        chunks = (books.chunk(name, self._clock()) for name in chunk_names(ref))
        return [len(chunk.data) if chunk else 0 for chunk in chunks] == chunks_of(ref)

    def _adopt(self, books: LineBooks, version: Version) -> None:
        for name in _chunks_named(version):
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
            if books.served(self._clock()) & set(drop):
                return Outcome.STALE
            self._forget(books, drop, lineages)
        return Outcome.OK

    def _forget(self, books: LineBooks, drop: Sequence[str], lineages: Mapping[str, bytes]) -> None:
        books.lineages.update(lineages)
        gone = [books.versions.pop(one) for one in drop if one in books.versions]
        for one in drop:
            books.lineages.pop(one, None)
        kept = {name for version in books.versions.values() for name in _chunks_named(version)}
        for version in gone:
            for name in set(_chunks_named(version)) - kept:
                books.chunks.pop(name, None)

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
        is_fencing: bool = False,
    ) -> Reply:
        with self._change(line, "command") as books:
            reply = self._judge_command(books, control, version, idempotency_key)
            if reply.outcome is Outcome.OK:
                if is_fencing or version is not None:
                    self._fence(books, f"operator:{control.id[:16]}")
                self._obey(books, control, version, idempotency_key)
                self._tell(line)
        return reply

    def _judge_command(
        self, books: LineBooks, control: Control, version: Version | None, key: str | None
    ) -> Reply:
        if control.id in books.controls:
            return Reply(outcome=Outcome.DUP)
        earlier = books.repeat(key, self._clock())
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
        self, books: LineBooks, control: Control, version: Version | None, key: str | None
    ) -> None:
        books.controls[control.id], books.ordered = control, control.id
        for surplus in list(books.controls)[:-AUDIT_KEPT]:
            del books.controls[surplus]
        if key is not None:
            books.repeats[key] = (control.envelope, self._clock() + REPEATS_S)
        if version is not None:
            self._adopt(books, version)

    def fence(self, line: Line, *, by: str) -> None:
        with self._change(line, "fence") as books:
            nonce = f"operator {by}"
            if books.token.partition(":")[2] != nonce:
                self._fence(books, nonce)

    def remove(self, line: Line, *, by: str) -> str | None:
        del by  # nobody comes in between
        with self._reading(line) as books:
            if books.lease is not None and books.lease[1] > self._clock():
                return books.lease[0]
            del self._lines[line]
            self._lines.pop(line.candidate, None)
            self._tell(line)
        return None

    def lines(self) -> list[Line]:
        with self._lock:
            found = (line for line, books in self._lines.items() if books.head)
            return sorted(line for line in found if not line.is_candidate)

    def head(self, line: Line) -> bytes | None:
        with self._reading(line) as books:
            return present(books.versions[books.head]) if books.head else None

    def control(self, line: Line) -> bytes | None:
        with self._reading(line) as books:
            return books.control.envelope if books.control else None

    def highest(self, line: Line) -> int:
        with self._reading(line) as books:
            return books.highest

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        with self._lock:
            return {line: self._position(self._books(line)) for line in lines}

    def _position(self, books: LineBooks) -> Position:
        now = self._clock()
        learners = [beat for (role, _), beat in books.live(now) if role == "learner"]
        is_shown = bool(learners) and learners[-1].shown_until > now
        learner = learners[-1].payload if is_shown else None
        return Position(head=books.head, control=books.ordered, learner=learner)


def _chunks_named(version: Version) -> list[tuple[str, int]]:
    return [name for ref in version.manifest.segments.values() for name in chunk_names(ref)]
