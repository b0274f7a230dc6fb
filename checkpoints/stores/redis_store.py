"""The store in Redis: a Lua script for each atomic change, plain commands for every read.

Segments are kept in chunks of 1 MiB, named by their hash, which go away by themselves unless a
version names them. Records are immutable and named by their hash, so a reader follows a pointer
to them; nothing is fetched longer than its cap (GETRANGE), whoever wrote it. `lua/shared.lua`
lists the keys.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from checkpoints.errors import CheckpointCorrupt, TooLarge
from checkpoints.records.control import AUDIT_KEPT, CONTROL_BYTES_MAX, Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import MANIFEST_BYTES_MAX, SegmentRef, Version
from checkpoints.records.signing import digest
from checkpoints.stores.contract import (
    BEAT_BYTES_MAX,
    BEAT_SHOWN_S,
    CHUNK_BYTES,
    LINEAGE_BYTES_MAX,
    ORPHAN_S,
    REPEATS_S,
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
from checkpoints.stores.redis_connection import RedisConnection
from checkpoints.stores.redis_poll import RedisPoll
from checkpoints.stores.redis_removal import removed
from checkpoints.stores.redis_replies import (
    capped,
    id_of,
    is_id,
    line_of,
    number_of,
    payload_of,
    pointed,
    present,
    score_of,
    within,
)
from checkpoints.stores.redis_setup import SetupFinding

__all__ = ["RedisStore"]

T = TypeVar("T")

_BATCH = 16  # chunks or records in one round trip
_BEATS_MAX = 1000  # of one line
_FOLLOWED = 5  # times that a pointer may move away while it is being followed
_SCANS_MAX, _SCANNED = 100, 1000  # rounds, and keys in a round, to find the lines in
_SMALL = 1023  # bytes of a pointer, a name or a token, at most


class RedisStore:
    """The store contract over one Redis or Valkey server, 7.0 or newer.

    Args:
        connection: The server.
        clock_ms: Unix milliseconds; only orders the list of beats.
        on_step: Told each name of `STEPS` as it is reached, for the crash tests.
    """

    def __init__(
        self,
        connection: RedisConnection,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        on_step: OnStep = lambda _step: None,
    ) -> None:
        self._redis = connection
        self._clock_ms = clock_ms
        self.on_step = on_step
        self._poll = RedisPoll(connection)

    def findings(self) -> list[SetupFinding]:
        """What the server's set-up means for the versions it is to keep."""
        return self._redis.findings()

    def require_rights(self, line: Line) -> None:
        """See that a learner of `line` may do all that it must; raises StoreForbidden."""
        self._redis.require_rights(_prefix(line))

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    @contextmanager
    def _steps(self, change: str) -> Iterator[None]:
        self.on_step(f"{change}.before")
        yield
        self.on_step(f"{change}.after")

    # Writing -----------------------------------------------------------------------------------

    def acquire(self, line: Line, *, holder: str, lease_s: float) -> Granted | HeldBy:
        arguments = {
            "holder": holder,
            "nonce": secrets.token_hex(8),
            "lease_ms": _ms(lease_s),
            "manifest_bytes_max": MANIFEST_BYTES_MAX,
        }
        with self._steps("acquire"):
            reply = self._redis.run(
                "acquire", _prefix(line), arguments, doing=f"give the line {line} to a learner"
            )
        if reply[0] == b"HELD":
            return HeldBy(holder=reply[1].decode("utf-8", "replace"), remaining_s=reply[2] / 1000)
        _, token, head, envelope, highest = reply
        return Granted(
            token=token.decode(),
            head=within(envelope, MANIFEST_BYTES_MAX) or b"" if head else None,
            highest=number_of(highest, line),
            head_id=head.decode() or None,
        )

    def renew(self, line: Line, *, holder: str, token: str, lease_s: float) -> bool:
        with self._steps("renew"):
            return self._renew(line, holder=holder, token=token, lease_ms=_ms(lease_s))

    def release(self, line: Line, *, holder: str, token: str) -> None:
        with self._steps("release"):
            self._renew(line, holder=holder, token=token, lease_ms=0)

    def _renew(self, line: Line, *, holder: str, token: str, lease_ms: int) -> bool:
        arguments = {"holder": holder, "token": token, "lease_ms": lease_ms}
        reply = self._redis.run("renew", _prefix(line), arguments, doing=f"renew {line}'s lease")
        return bool(reply)

    def put_segment(self, line: Line, sha256: str, data: bytes) -> None:
        prefix, whole = _prefix(line), memoryview(data)
        chunks = [
            (f"{prefix}chunk:{sha256}:{index}", whole[start : start + CHUNK_BYTES])
            for index, start in enumerate(range(0, len(data), CHUNK_BYTES))
        ]
        with self._steps("put_segment"):
            for number, batch in enumerate(_batches(chunks)):
                if number:
                    self.on_step("put_segment.between")
                self._put_chunks(line, batch)

    def _put_chunks(self, line: Line, chunks: Sequence[tuple[str, memoryview]]) -> None:
        """GT leaves a chunk that a version names without an end, and gives the others time anew.

        Bytes that are there already are written over: many versions share a segment, and one that
        was damaged is whole again.
        """
        commands: list[tuple[object, ...]] = []
        for key, data in chunks:
            # In this order none can run out in between and be made anew without an end.
            commands.append(("EXPIRE", key, ORPHAN_S, "GT"))
            commands.append(("SET", key, "", "NX", "EX", ORPHAN_S))
            commands.append(("SETRANGE", key, 0, data))
        self._redis.ask_all(commands, doing=f"keep a segment of {line}")

    def commit(self, line: Line, *, token: str, version: Version) -> Outcome:
        arguments = {"token": token, "version": _told(version), "chunk_bytes": CHUNK_BYTES}
        with self._steps("commit"):
            reply = self._redis.run(
                "commit", _prefix(line), arguments, version.envelope, doing=f"commit {version}"
            )
        return Outcome(reply.decode())

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
        arguments = {
            "token": token,
            "head": head,
            "control": control.id if control else "",
            "drop": list(drop),
            "kept": list(lineages),
            "chunk_bytes": CHUNK_BYTES,
        }
        with self._steps("prune"):
            reply = self._redis.run(
                "prune", _prefix(line), arguments, *lineages.values(), doing=f"prune {line}"
            )
        return Outcome(reply.decode())

    # Commands ----------------------------------------------------------------------------------

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Reply:
        record = control.record
        arguments: dict[str, object] = {
            "control": {"id": control.id, "seq": record.seq, "previous": record.previous or ""},
            "named": sorted(named_by(control, version)),
            "idempotency": _hashed(idempotency_key) if idempotency_key else "",
            "repeats_s": REPEATS_S,
            "control_bytes_max": CONTROL_BYTES_MAX,
            "audit_kept": AUDIT_KEPT,
            "chunk_bytes": CHUNK_BYTES,
            "nonce": _nonce(f"{record.command.who[:80]}:{control.id[:16]}"),
        }
        envelopes = [control.envelope]
        if version is not None:
            arguments["version"] = _told(version)
            envelopes.append(version.envelope)
        with self._steps("command"):
            outcome, *earlier = self._redis.run(
                "command", _prefix(line), arguments, *envelopes,
                doing=f"{record.command.command} {line}",
            )  # fmt: skip
        where = f"{line}, an earlier command"
        first = capped(earlier[0], CONTROL_BYTES_MAX, where=where) if earlier else None
        return Reply(outcome=Outcome(outcome.decode()), earlier=first)

    def fence(self, line: Line, *, by: str) -> None:
        with self._steps("fence"):
            self._redis.run("fence", _prefix(line), {"nonce": _nonce(by)}, doing=f"fence {line}")

    def remove(self, line: Line, *, by: str) -> str | None:
        return removed(self._redis, line, by=by)

    def recall(self, line: Line, idempotency_key: str) -> bytes | None:
        name = f"repeat:{_hashed(idempotency_key)}"
        return self._get(line, name, CONTROL_BYTES_MAX)

    # Reading -----------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        cursor, names = 0, set[bytes]()
        for _ in range(_SCANS_MAX):
            cursor, keys = self._redis.ask(
                "SCAN", cursor, "MATCH", "weir:{*}:head", "COUNT", _SCANNED, doing="list the models"
            )
            names.update(keys)
            if not int(cursor):
                break
        return sorted(line for name in names if (line := line_of(name)))

    def head(self, line: Line) -> bytes | None:
        return self._follow(line, "head", "manifest", MANIFEST_BYTES_MAX)

    def control(self, line: Line) -> bytes | None:
        return self._follow(line, "control", "control", CONTROL_BYTES_MAX)

    def _follow(self, line: Line, pointer: str, kind: str, bytes_max: int) -> bytes | None:
        """What `pointer` names. It may move, and its old target be pruned, between two reads."""
        name = None
        for _ in range(_FOLLOWED):
            named = pointed(self._get(line, pointer, _SMALL), f"{line} {pointer}")
            if named is None:
                return None
            if named == name:
                break  # it has not moved
            name = named
            envelope = self._get(line, f"{kind}:{name}", bytes_max)
            if envelope is not None:
                return envelope
        raise CheckpointCorrupt(f"{line} {pointer} {name}", "it is named but missing")

    def manifest(self, line: Line, version_id: str) -> bytes | None:
        return self._get(line, f"manifest:{version_id}", MANIFEST_BYTES_MAX)

    def manifest_by_number(self, line: Line, number: int) -> bytes | None:
        found = self._listed(line, "versions", "manifest", 1, f"{number}", f"{number}")
        return found[0] if found else None

    def versions(self, line: Line, *, limit: int, before: int | None = None) -> list[Listed]:
        highest = f"({before}" if before is not None else "+inf"
        ids = self._ids(line, "versions", limit, highest, "-inf")
        fetched = (self._fetch(line, "versions", "manifest", batch) for batch in _batches(ids))
        return [
            Listed(number=score, id=name, envelope=within(envelope, MANIFEST_BYTES_MAX))
            for batch in fetched
            for name, envelope, score in batch
        ]

    def audit(self, line: Line, *, limit: int, before: int | None = None) -> list[bytes]:
        highest = f"({before}" if before is not None else "+inf"
        return self._listed(line, "audit", "control", limit, highest, "-inf")

    def _listed(
        self, line: Line, index: str, kind: str, limit: int, highest: str, lowest: str
    ) -> list[bytes]:
        """The envelopes that an index names, each of which must be there."""
        bytes_max = _BYTES_MAX[kind]
        ids = self._ids(line, index, limit, highest, lowest)
        fetched = (self._fetch(line, index, kind, batch) for batch in _batches(ids))
        envelopes = []
        for name, envelope, _ in (each for batch in fetched for each in batch):
            where = f"{line} {kind} {name[:12]}"
            envelopes.append(present(capped(envelope, bytes_max, where=where), where))
        return envelopes

    def _ids(
        self, line: Line, index: str, limit: int, highest: str, lowest: str
    ) -> Sequence[bytes]:
        key = _prefix(line) + index
        found: Sequence[bytes] = self._redis.ask(
            "ZREVRANGEBYSCORE", key, highest, lowest, "LIMIT", 0, limit, doing=f"list {line}"
        )
        return found

    def _fetch(
        self, line: Line, index: str, kind: str, ids: Sequence[bytes]
    ) -> list[tuple[str, bytes, int]]:
        """Id, record and number of `ids`, without those pruned since the ids were read."""
        bytes_max = _BYTES_MAX[kind]
        names = [id_of(one, f"{line} {index}") for one in ids]
        prefix = _prefix(line)
        commands: list[tuple[object, ...]] = []
        for name in names:
            commands.append(("GETRANGE", f"{prefix}{kind}:{name}", 0, bytes_max))
            commands.append(("ZSCORE", prefix + index, name))
        replies = self._redis.ask_all(commands, doing=f"read {line}'s {index}", together=True)
        found = zip(names, replies[::2], replies[1::2], strict=True)
        return [
            (name, record, score_of(score, f"{line} {index}"))
            for name, record, score in found
            if score is not None
        ]

    def lineage(self, line: Line, version_id: str) -> bytes | None:
        return self._get(line, f"lineage:{version_id}", LINEAGE_BYTES_MAX)

    def highest(self, line: Line) -> int:
        return number_of(self._get(line, "highest", _SMALL) or b"", line)

    def get_segment(self, line: Line, ref: SegmentRef) -> bytes:
        where = f"{line} segment {ref.sha256[:12]}"
        prefix = f"{_prefix(line)}chunk:{ref.sha256}:"
        due = [
            (f"{prefix}{index}", min(CHUNK_BYTES, ref.bytes - start))
            for index, start in enumerate(range(0, ref.bytes, CHUNK_BYTES))
        ]
        chunks: list[bytes] = []
        for batch in _batches(due):
            commands = [("GETRANGE", key, 0, length) for key, length in batch]
            found = self._redis.ask_all(commands, doing=f"read a segment of {line}")
            if [len(chunk) for chunk in found] != [length for _, length in batch]:
                raise CheckpointCorrupt(where, "a chunk of it is missing or of the wrong length")
            chunks += found
        data = b"".join(chunks)
        if digest(data) != ref.sha256:
            raise CheckpointCorrupt(where, "its bytes are not those that its name promises")
        return data

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        return self._poll.look(lines)

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        return self._redis.hints([f"{_prefix(line)}moved" for line in lines], sure_s=sure_s)

    def _get(self, line: Line, name: str, bytes_max: int) -> bytes | None:
        """The value of one key, None where there is none; never more than one byte too many."""
        value = self._redis.ask(
            "GETRANGE", _prefix(line) + name, 0, bytes_max, doing=f"read {line} {name[:30]}"
        )
        return capped(value, bytes_max, where=f"{line} {name[:30]}")

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
        ttl_ms, now_ms = _ms(ttl_s), self._clock_ms()
        arguments: dict[str, object] = {
            "role": role,
            "name": name,
            "ttl_ms": ttl_ms,
            "expires_at_ms": now_ms + ttl_ms,
            "forgotten_before_ms": now_ms - _BEATS_FORGOTTEN_MS,
            "beats_max": _BEATS_MAX,
            "is_news": is_news,
        }
        if role == "learner":
            arguments["shown_ms"] = min(ttl_ms, _ms(BEAT_SHOWN_S))
        if serving is not None:
            arguments["serves"] = {"id": serving}
        self._redis.run("beat", _prefix(line), arguments, text, doing=f"note that {name} is alive")

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        members = [member for member in self._members(line) if member.startswith(f"{role}/")]
        prefix = _prefix(line)
        found = self._redis.ask_all(
            [("GETRANGE", f"{prefix}beat:{member}", 0, BEAT_BYTES_MAX) for member in members],
            doing=f"list who is alive on {line}",
        )
        read = (
            (member.partition("/")[2], payload_of(text))
            for member, text in zip(members, found, strict=True)
        )
        return {name: payload for name, payload in read if payload is not None}

    def in_use(self, line: Line) -> frozenset[str]:
        prefix = _prefix(line)
        found = self._redis.ask_all(
            [("GETRANGE", f"{prefix}serving:{one}", 0, _SMALL) for one in self._members(line)],
            doing=f"list which versions of {line} are served",
        )
        return frozenset(one.decode() for one in found if is_id(one))

    def _members(self, line: Line) -> list[str]:
        key = f"{_prefix(line)}beats"
        found = self._redis.ask(
            "ZRANGE", key, 0, _BEATS_MAX - 1, doing=f"list who is alive on {line}"
        )
        return [member.decode("utf-8", "replace") for member in found]


_BEATS_FORGOTTEN_MS = 3_600_000  # clocks of two hosts may differ by so much


_BYTES_MAX = {"manifest": MANIFEST_BYTES_MAX, "control": CONTROL_BYTES_MAX}


def _prefix(line: Line) -> str:
    return line.prefix


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _nonce(by: str) -> str:
    """What a token says that an operator made."""
    return f"operator {by}"


def _hashed(idempotency_key: str) -> str:
    """A client's key is of any length and content; its hash is not."""
    return digest(idempotency_key.encode())


def _told(version: Version) -> dict[str, object]:
    """What the scripts need to know of a version; the number as text, for Lua's are floats."""
    segments = version.manifest.segments.values()
    return {
        "id": version.id,
        "number": str(version.number),
        "parent": version.manifest.parent or "",
        "control_seq": version.manifest.orders_seen,
        "segments": [{"sha256": ref.sha256, "bytes": ref.bytes} for ref in segments],
    }


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
