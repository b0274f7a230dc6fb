"""Hints by Redis's publish and subscribe: something has moved, look now instead of a little later.

A hint may be lost, with its connection or without, and costs nothing but that: whoever follows a
line polls it besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

__all__ = ["RedisHints"]

_CONFIRMED_S = 1.0
_AGAIN_S = 1.0  # between two attempts to subscribe while the server is away


class RedisHints:
    """Hints from some channels; it subscribes again by itself when its connection was lost."""

    def __init__(
        self,
        client: Redis,
        channels: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._channels, self._clock = client, channels, clock
        self._subscription: Any = None  # the driver leaves its class without types
        self._try_at = 0.0

    def fileno(self) -> int:
        """Readable when there may be a hint; -1 while there is no connection."""
        connection = self._subscription.connection if self._subscription else None
        link = connection._sock if connection else None
        return -1 if link is None else int(link.fileno())

    def take(self) -> bool:
        """Whether something may have moved since the last call."""
        try:
            if self._subscription is None:
                return self._subscribe()
            found = False
            while (message := self._subscription.get_message(timeout=0)) is not None:
                found = found or message["type"] == "message"  # and no confirmation
        except (RedisError, OSError):
            self.close()
            self._try_at = self._clock() + _AGAIN_S
            return True
        return found

    def close(self) -> None:
        """Hear no more. In a forked child it closes the child's copy of the connection only."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _subscribe(self) -> bool:
        if self._clock() < self._try_at:
            return False
        open_one: Callable[[], Any] = self._client.pubsub
        self._subscription = open_one()
        self._subscription.subscribe(*self._channels)
        for _ in self._channels:
            self._subscription.get_message(timeout=_CONFIRMED_S)
        return True  # what moved before was not heard of
