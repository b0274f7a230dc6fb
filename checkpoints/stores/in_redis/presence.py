"""Presence in Redis: beats that expire by themselves, and hints over publish and subscribe."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints.records.line import Line
from checkpoints.stores.in_redis.part import SMALL_BYTES, RedisPart, milliseconds
from checkpoints.stores.in_redis.replies import is_id, payload_of
from checkpoints.stores.presence import (
    BEAT_BYTES_MAX,
    BEAT_SHOWN_S,
    SURE_S,
    Beat,
    Hints,
    beat_text,
)

__all__ = ["RedisPresence"]

_BEATS_MAX = 1000  # of one line
_BEATS_FORGOTTEN_MS = 3_600_000  # clocks of two hosts may differ by so much


class RedisPresence(RedisPart):
    """The contract of presence over one server."""

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
        text = beat_text(line, role, name, payload)
        ttl_ms, now_ms = milliseconds(ttl_s), self._clock_ms()
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
            arguments["shown_ms"] = min(ttl_ms, milliseconds(BEAT_SHOWN_S))
        if serving is not None:
            arguments["serves"] = {"id": serving}
        self._redis.run("beat", line.prefix, arguments, text, doing=f"note that {name} is alive")

    def beats(self, line: Line, role: str) -> dict[str, Beat]:
        members = [member for member in self._members(line) if member.startswith(f"{role}/")]
        found = self._of_each(line, "beat", members, BEAT_BYTES_MAX, f"list who is alive on {line}")
        read = zip(members, map(payload_of, found), strict=True)
        return {member.partition("/")[2]: beat for member, beat in read if beat is not None}

    def in_use(self, line: Line) -> frozenset[str]:
        doing = f"list which versions of {line} are served"
        found = self._of_each(line, "serving", self._members(line), SMALL_BYTES, doing)
        return frozenset(one.decode() for one in found if is_id(one))

    def _of_each(
        self, line: Line, kind: str, members: Sequence[str], bytes_max: int, doing: str
    ) -> list[bytes]:
        prefix = f"{line.prefix}{kind}:"
        commands = [("GETRANGE", prefix + member, 0, bytes_max) for member in members]
        return self._redis.ask_all(commands, doing=doing)

    def _members(self, line: Line) -> list[str]:
        found = self._redis.ask(
            "ZRANGE", f"{line.prefix}beats", 0, _BEATS_MAX - 1, doing=f"list who is alive on {line}"
        )
        return [member.decode("utf-8", "replace") for member in found]

    def hints(self, lines: Sequence[Line], *, sure_s: float = SURE_S) -> Hints:
        return self._redis.hints([f"{line.prefix}moved" for line in lines], sure_s=sure_s)
