"""Hints by Redis's publish and subscribe: something has moved, look now instead of a little later.

A hint is lost only with its connection, for what Redis sends over one comes in order. So an answer
to a PING over the same connection proves that nothing had moved that was not told; where it does
not come, whoever follows a line is told to look, as if there were a hint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from checkpoints.stores.in_redis.wire import ErrorReply, RedisError, ReplyTimeout, Wire, sound

__all__ = ["RedisHints"]

log = logging.getLogger(__name__)

_CONFIRMED_S = 1.0
_AGAIN_S = 1.0  # between two attempts to subscribe while the server is away
_PROVED_S = 0.02  # for an answer that takes longer nobody waits: to look is as quick
_SILENT_MAX_S = 1.0  # then the connection is given up


class RedisHints:
    """Hints from some channels; it subscribes again by itself when its connection was lost.

    Args:
        open_wire: Makes a connection to the server.
        sure_s: How long a proof holds that nothing has moved unheard.
    """

    def __init__(
        self,
        open_wire: Callable[[], Wire],
        channels: Sequence[str],
        *,
        sure_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._channels, self._clock = open_wire, channels, clock
        self._sure_s = sure_s
        self._wire: Wire | None = None
        self._try_at = 0.0
        self._proved_at = self._heard_at = float("-inf")
        self._pings = 0
        self._said = False

    def fileno(self) -> int:
        """Readable when there may be a hint; -1 while there is no connection."""
        return -1 if self._wire is None else self._wire.fileno()

    def take(self) -> bool:
        """Whether something may have moved since the last call."""
        now = self._clock()
        try:
            found = self._hear(self._wire) if self._wire else self._subscribe(now)
            if now - self._proved_at >= self._sure_s:
                self._proved_at = now
                is_proved = self._wire is not None and self._is_proved(self._wire, now)
                found = found or not is_proved
        except RedisError as problem:
            if isinstance(problem, ErrorReply) and problem.code == "NOPERM" and not self._said:
                self._said = True
                log.warning("no hints: %s; Redis is asked %g times a second instead, until its "
                            "user may SUBSCRIBE to weir:*", problem, 1 / self._sure_s)  # fmt: skip
            self.close()
            self._try_at = now + _AGAIN_S
            return True
        return found

    def close(self) -> None:
        """Hear no more. In a forked child it closes the child's copy of the connection only."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _hear(self, wire: Wire) -> bool:
        """Whether there was a hint."""
        found = False
        while (said := sound(wire.next_within(0))) is not None:
            found = found or said[0] == b"message"  # and no confirmation
        return found

    def _is_proved(self, wire: Wire, now: float) -> bool:
        """Whether all that was told before now has been heard; a hint that comes first says no."""
        self._pings += 1
        mark = str(self._pings).encode()
        wire.send([("PING", mark)])
        give_up_at = now + _PROVED_S
        while (left_s := give_up_at - self._clock()) > 0:
            said = sound(wire.next_within(left_s))
            if said is not None and said[0] == b"message":
                return False
            if said == [b"pong", mark]:
                self._heard_at = now
                return True
        if now - self._heard_at > _SILENT_MAX_S + self._sure_s:
            raise ReplyTimeout("the subscription is silent")
        return False

    def _subscribe(self, now: float) -> bool:
        if now < self._try_at:
            return False
        self._wire = self._open()
        self._wire.send([("SUBSCRIBE", *self._channels)])
        for _ in self._channels:
            sound(self._wire.next_within(_CONFIRMED_S))
        self._heard_at = now
        return True  # what moved before was not heard of
