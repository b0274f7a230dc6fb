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
        under_way = getattr(fetcher, "_fetch_futures", None)
        config = getattr(fetcher, "config", None)
        if under_way is None or config is None:
            raise TypeError("this kafka-python has another fetcher: see stream/kafka/fetching.py")
        self._under_way, self._config, self._wait_ms = under_way, config, wait_ms
        self._bell = Bell()

    def pace(self, *, is_idle: bool) -> None:
        """How the fetches to come wait: for the first record, or for many."""
        self._config["fetch_min_bytes"] = 1 if is_idle else _BYTES_MIN
        self._config["fetch_max_wait_ms"] = _IDLE_WAIT_MS if is_idle else self._wait_ms

    def rest(self, others: Sequence[HasFileno], timeout_s: float) -> None:
        """Wait until a fetch has come back, one of `others` is readable, or the time is over."""
        # One that has come back since the last poll rings at once.
        for fetch in list(self._under_way):
            fetch.add_both(self._ring)
        select.select([self._bell, *others], [], [], timeout_s)
        self._bell.hush()

    def _ring(self, _: object) -> None:
        self._bell.ring()

    def close(self) -> None:
        """Give the bell back, when the consumer is closed."""
        self._bell.close()
