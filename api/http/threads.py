"""Threads on which the API waits for the store: some of anyio's, counted apart.

A Kafka that is away may hold all of asyncio's usual ones.
"""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 8  # calls of one process that wait for the store; more wait for their turn


class Threads:
    """Calls of the store, beside the process's other work."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` returns, or raises."""
        work = partial(call, *args, **kwargs)
        return await run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
