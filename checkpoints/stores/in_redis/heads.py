"""Heads in Redis: a Lua script for each change, and pointers that are followed to their records.

A pointer names a record by its hash, so a reader follows it to what it was meant to show.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.control import AUDIT_KEPT, CONTROL_BYTES_MAX, Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import MANIFEST_BYTES_MAX, Version
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
from checkpoints.stores.in_redis.part import SMALL_BYTES, RedisPart, milliseconds
from checkpoints.stores.in_redis.poll import RedisPoll
from checkpoints.stores.in_redis.records import hashed
from checkpoints.stores.in_redis.replies import capped, line_of, number_of, pointed, within
from checkpoints.stores.records import CHUNK_BYTES

__all__ = ["RedisHeads"]

_FOLLOWED = 5  # times that a pointer may move away while it is being followed
_SCANS_MAX, _SCANNED = 100, 1000  # rounds, and keys in a round, to find the lines in
_REMOVING_MS = 60_000  # longer than one round of a removal takes


class RedisHeads(RedisPart):
    """The contract of heads over one server."""

    def acquire(self, line: Line, *, holder: str, lease_s: float) -> Granted | HeldBy:
        arguments = {
            "holder": holder,
            "nonce": secrets.token_hex(8),
            "lease_ms": milliseconds(lease_s),
            "manifest_bytes_max": MANIFEST_BYTES_MAX,
        }
        doing = f"give the line {line} to a learner"
        reply = self._change("acquire", line, arguments, doing=doing)
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
        arguments = {"holder": holder, "token": token, "lease_ms": milliseconds(lease_s)}
        return bool(self._change("renew", line, arguments, doing=f"renew {line}'s lease"))

    def release(self, line: Line, *, holder: str, token: str) -> None:
        arguments = {"holder": holder, "token": token, "lease_ms": 0}
        self._change("release", line, arguments, doing=f"renew {line}'s lease", script="renew")

    def commit(self, line: Line, *, token: str, version: Version) -> Outcome:
        arguments = {"token": token, "version": _told(version), "chunk_bytes": CHUNK_BYTES}
        reply = self._change("commit", line, arguments, version.envelope, doing=f"commit {version}")
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
        reply = self._change("prune", line, arguments, *lineages.values(), doing=f"prune {line}")
        return Outcome(reply.decode())

    def command(
        self,
        line: Line,
        *,
        control: Control,
        version: Version | None = None,
        idempotency_key: str | None = None,
        is_fencing: bool = False,
    ) -> Reply:
        record = control.record
        arguments: dict[str, object] = {
            "control": {"id": control.id, "seq": record.seq, "previous": record.previous or ""},
            "named": sorted(named_by(control, version)),
            "idempotency": hashed(idempotency_key) if idempotency_key else "",
            "repeats_s": REPEATS_S,
            "control_bytes_max": CONTROL_BYTES_MAX,
            "audit_kept": AUDIT_KEPT,
            "chunk_bytes": CHUNK_BYTES,
            "nonce": _nonce(f"{record.command.who[:80]}:{control.id[:16]}"),
            "is_fencing": is_fencing or version is not None,
        }
        envelopes = [control.envelope]
        if version is not None:
            arguments["version"] = _told(version)
            envelopes.append(version.envelope)
        doing = f"{record.command.command} {line}"
        outcome, *earlier = self._change("command", line, arguments, *envelopes, doing=doing)
        where = f"{line}, an earlier command"
        first = capped(earlier[0], CONTROL_BYTES_MAX, where=where) if earlier else None
        return Reply(outcome=Outcome(outcome.decode()), earlier=first)

    def fence(self, line: Line, *, by: str) -> None:
        self._change("fence", line, {"nonce": _nonce(by)}, doing=f"fence {line}")

    def remove(self, line: Line, *, by: str) -> str | None:
        """The pointers go first, in one step. What they led to goes in rounds, so that the server
        is not held up; while they last, the line is held in the operator's name, so that no
        learner writes what is about to be removed.
        """
        lease, doing = f"{line.prefix}lease".encode(), f"remove {line}"
        arguments = {"holder": f"weir remove by {by[:80]}", "lease_ms": _REMOVING_MS}
        cursor = 0
        while True:
            holder = self._redis.run("remove", line.prefix, arguments, doing=doing)
            if holder:
                return str(holder.decode("utf-8", "replace"))
            cursor, keys = self._scan(cursor, f"{line.prefix}*", doing)
            ours = [key for key in keys if key != lease]
            if ours:
                self._redis.ask("UNLINK", *ours, doing=doing)
            if not cursor:
                self._redis.ask("DEL", lease, doing=doing)
                return None

    def lines(self) -> list[Line]:
        cursor, names = 0, set[bytes]()
        for _ in range(_SCANS_MAX):
            cursor, keys = self._scan(cursor, "weir:{*}:head", "list the models")
            names.update(keys)
            if not cursor:
                break
        return sorted(line for name in names if (line := line_of(name)))

    def _scan(self, cursor: int, pattern: str, doing: str) -> tuple[int, list[bytes]]:
        """One round over the server's keys; the cursor is 0 after the last."""
        reply = self._redis.ask("SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED, doing=doing)
        return int(reply[0]), reply[1]

    def head(self, line: Line) -> bytes | None:
        return self._follow(line, "head", "manifest", MANIFEST_BYTES_MAX)

    def control(self, line: Line) -> bytes | None:
        return self._follow(line, "control", "control", CONTROL_BYTES_MAX)

    def _follow(self, line: Line, pointer: str, kind: str, bytes_max: int) -> bytes | None:
        """What `pointer` names. It may move, and its old target be pruned, between two reads."""
        name = None
        for _ in range(_FOLLOWED):
            named = pointed(self._get(line, pointer, SMALL_BYTES), f"{line} {pointer}")
            if named is None:
                return None
            if named == name:
                break  # it has not moved
            name = named
            envelope = self._get(line, f"{kind}:{name}", bytes_max)
            if envelope is not None:
                return envelope
        raise CheckpointCorrupt(f"{line} {pointer} {name}", "it is named but missing")

    def highest(self, line: Line) -> int:
        return number_of(self._get(line, "highest", SMALL_BYTES) or b"", line)

    @functools.cached_property
    def _poll(self) -> RedisPoll:
        return RedisPoll(self._redis)

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        return self._poll.look(lines)


def _nonce(by: str) -> str:
    """What a token says that an operator made."""
    return f"operator {by}"


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
