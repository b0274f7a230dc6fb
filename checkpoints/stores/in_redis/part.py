"""What the three parts of the store in Redis share: the connection, and reads that are capped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from checkpoints.records.line import Line
from checkpoints.stores.contract import OnStep
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.replies import capped

__all__ = ["SMALL_BYTES", "RedisPart", "batches", "milliseconds"]

T = TypeVar("T")

SMALL_BYTES = 1023  # of a pointer, a name or a token, at most
_BATCH = 16  # chunks or records in one round trip


class RedisPart:
    """A part of the store over one Redis or Valkey server, 7.0 or newer.

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

    def _change(
        self,
        step: str,
        line: Line,
        arguments: object,
        *envelopes: bytes,
        doing: str,
        script: str | None = None,
    ) -> Any:
        """Run the change's script; its user may die before it is sent, and after it was made."""
        self.on_step(f"{step}.before")
        reply = self._redis.run(script or step, line.prefix, arguments, *envelopes, doing=doing)
        self.on_step(f"{step}.after")
        return reply

    def _get(self, line: Line, name: str, bytes_max: int) -> bytes | None:
        """The value of one key, None where there is none; never more than one byte too many."""
        where = f"{line} {name[:30]}"
        value = self._redis.ask("GETRANGE", line.prefix + name, 0, bytes_max, doing=f"read {where}")
        return capped(value, bytes_max, where=where)


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items, as many at a time as one round trip carries."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def milliseconds(seconds: float) -> int:
    """As Redis takes a time to live: whole, and at least one."""
    return max(1, round(seconds * 1000))
