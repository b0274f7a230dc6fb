"""Hints by Redis's publish and subscribe: something has moved, look now instead of a little later.

A hint is lost only with its connection, for what Redis sends over one comes in order. So an answer
to a PING over the same connection proves that nothing had moved that was not told; where it does
not come, whoever follows a line is told to look, as if there were a hint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError
from redis.exceptions import TimeoutError as TimedOutError

__all__ = ["RedisHints"]

log = logging.getLogger(__name__)

_CONFIRMED_S = 1.0
_AGAIN_S = 1.0  # between two attempts to subscribe while the server is away
_PROVED_S = 0.02  # for an answer that takes longer nobody waits: to look is as quick
_SILENT_MAX_S = 1.0  # then the connection is given up


class RedisHints:
    """Hints from some channels; it subscribes again by itself when its connection was lost.

    Args:
        sure_s: How long a proof holds that nothing has moved unheard.
    """

    def __init__(
        self,
        client: Redis,
        channels: Sequence[str],
        *,
        sure_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._channels, self._clock = client, channels, clock
        self._sure_s = sure_s
        self._subscription: Any = None  # the driver leaves its class without types
        self._try_at = 0.0
        self._proved_at = self._heard_at = float("-inf")
        self._pings = 0
        self._said = False

    def fileno(self) -> int:
        """Readable when there may be a hint; -1 while there is no connection."""
        connection = self._subscription.connection if self._subscription else None
        link = connection._sock if connection else None
        return -1 if link is None else int(link.fileno())

    def take(self) -> bool:
        """Whether something may have moved since the last call."""
        now = self._clock()
        try:
            found = self._hear() if self._subscription else self._subscribe(now)
            if now - self._proved_at >= self._sure_s:
                self._proved_at = now
                found = not self._is_proved(now) or found
        except (RedisError, OSError) as problem:
            if isinstance(problem, NoPermissionError) and not self._said:
                self._said = True
                log.warning("no hints: %s; Redis is asked %g times a second instead, until its "
                            "user may SUBSCRIBE to weir:*", problem, 1 / self._sure_s)  # fmt: skip
            self.close()
            self._try_at = now + _AGAIN_S
            return True
        return found

    def close(self) -> None:
        """Hear no more. In a forked child it closes the child's copy of the connection only."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _hear(self) -> bool:
        """Whether there was a hint."""
        found = False
        while (message := self._subscription.get_message(timeout=0)) is not None:
            found = found or message["type"] == "message"  # and no confirmation
        return found

    def _is_proved(self, now: float) -> bool:
        """Whether all that was told before now has been heard; a hint that comes first says no."""
        if self._subscription is None:
            return False
        self._pings += 1
        mark = str(self._pings).encode()
        self._subscription.ping(mark.decode())
        give_up_at = now + _PROVED_S
        while (left_s := give_up_at - self._clock()) > 0:
            message = self._subscription.get_message(timeout=left_s)
            if message is not None and message["type"] == "message":
                return False
            if message is not None and message["data"] == mark:
                self._heard_at = now
                return True
        if now - self._heard_at > _SILENT_MAX_S + self._sure_s:
            raise TimedOutError("the subscription is silent")
        return False

    def _subscribe(self, now: float) -> bool:
        if now < self._try_at:
            return False
        open_one: Callable[[], Any] = self._client.pubsub
        self._subscription = open_one()
        self._subscription.subscribe(*self._channels)
        for _ in self._channels:
            self._subscription.get_message(timeout=_CONFIRMED_S)
        self._heard_at = now
        return True  # what moved before was not heard of
