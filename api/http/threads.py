"""Threads of the API's own, on which it waits for the store.

Not asyncio's usual ones: a Kafka that is away may hold all of those.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads, made when they are needed.

    Args:
        count: Calls that may wait at once; more wait for their turn.
    """

    def __init__(self, count: int = 8) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="store")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` returns, or raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(call, *args, **kwargs))

    def end(self) -> None:
        """Start no more calls."""
        self._executor.shutdown(wait=False, cancel_futures=True)
