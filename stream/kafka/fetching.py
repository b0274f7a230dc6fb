"""When the consumer fetches, and waiting for what it has fetched.

kafka-python fetches on a thread of its own, and `poll` waits for that thread alone. The source
waits for several things at once, and rests where nothing comes; so this file knows two attributes
of the fetcher that are not documented, and refuses to work without them.
"""

import select
from collections.abc import Sequence
from typing import Any

from stream.between.bell import Bell, HasFileno

# While records come, a fetch waits until there are so many bytes, or for its time.
_BYTES_MIN = 64 << 10
# While none come, it waits so long for the first one: less than a request may take.
_IDLE_WAIT_MS = 5_000
_UNDER_WAY = "_fetch_futures"  # the fetcher's list of them, those of the last poll included


class Fetching:
    """The fetches of a consumer.

    Args:
        consumer: A `KafkaConsumer`.
        wait_ms: How long a fetch gathers records while they come one by one: what a fetch costs is
            paid so seldom, and so late may a record be.

    Raises:
        TypeError: kafka-python is not built as it was.
    """

    def __init__(self, consumer: Any, wait_ms: int) -> None:
        fetcher = getattr(consumer, "_fetcher", None)
        if not (hasattr(fetcher, _UNDER_WAY) and hasattr(fetcher, "config")):
            raise TypeError("this kafka-python has another fetcher: see stream/kafka/fetching.py")
        self._fetcher: Any = fetcher
        self._wait_ms = wait_ms
        self._bell = Bell()

    def pace(self, *, is_idle: bool) -> None:
        """How the fetches to come wait: for the first record, or for many."""
        self._fetcher.config["fetch_min_bytes"] = 1 if is_idle else _BYTES_MIN
        self._fetcher.config["fetch_max_wait_ms"] = _IDLE_WAIT_MS if is_idle else self._wait_ms

    @property
    def has_news(self) -> bool:
        """Whether to poll: a fetch has come back, or there is none under way."""
        return not self._under_way or any(fetch.is_done for fetch in self._under_way)

    @property
    def _under_way(self) -> list[Any]:
        """Those of the last poll; asked anew, for the fetcher drops what is done with its list."""
        return list(getattr(self._fetcher, _UNDER_WAY))

    def rest(self, others: Sequence[HasFileno], timeout_s: float) -> None:
        """Wait until a fetch has come back, one of `others` is readable, or the time is over."""
        for fetch in self._under_way:  # one that has come back rings at once
            fetch.add_both(self._ring)
        select.select([self._bell, *others], [], [], timeout_s)
        self._bell.hush()

    def _ring(self, _: object) -> None:
        self._bell.ring()

    def close(self) -> None:
        """Give the bell back, when the consumer is closed."""
        self._bell.close()
