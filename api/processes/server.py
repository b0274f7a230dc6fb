"""The HTTP server of one process: uvicorn with our limits, our door and our way to end."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator
from functools import partial
from socket import socket

import uvicorn

from api.app import Api
from api.processes.handover import Passage, Reception
from api.processes.http_protocol import DeadlineProtocol

_KEEP_ALIVE_S = 65  # longer than the idle limit of usual proxies (60 s)
_GRACEFUL_S = 5
# From "not ready" to closing the door: load balancers that ask once a second have noticed.
DRAIN_S = 1.0


class Server(uvicorn.Server):
    """Says that it is not ready before it stops, and can leave its connections to others.

    Args:
        app: What answers.
        config: Of uvicorn.
        door: The listening socket.
        passage: How connections come from other processes, and go to them; None: they do not.
        on_open: Called when connections are let in.
        on_left: Called when, after `hand_over`, no request is begun here any more.
        drain_s: How long it goes on answering after it was told to stop.
    """

    def __init__(
        self,
        app: Api,
        config: uvicorn.Config,
        door: socket,
        passage: Passage | None = None,
        *,
        on_open: Callable[[], None] = lambda: None,
        on_left: Callable[[], None] = lambda: None,
        drain_s: float = DRAIN_S,
    ) -> None:
        super().__init__(config)
        self._served = app.served
        self._door, self._passage, self._drain_s = door, passage, drain_s
        self._on_open, self._on_left = on_open, on_left
        self._reception: Reception | None = None
        self._drained_at: float | None = None
        self._is_leaving = False
        self._leaving: asyncio.Task[None] | None = None

    def begin_drain(self) -> None:
        """Not ready from now on; the door closes a little later."""
        self._served.is_draining = True
        if self._drained_at is None:
            self._drained_at = time.monotonic() + self._drain_s

    def hand_over(self) -> None:
        """Let nobody in any more, and leave each connection to others as soon as it rests."""
        if self._is_leaving:
            return
        self._is_leaving = True
        if self._reception is not None:
            self._reception.close()
            self._leaving = asyncio.create_task(self._leave_after(self._reception))

    @property
    def is_empty(self) -> bool:
        """Whether nobody is connected, and nobody will be."""
        is_quiet = self._reception is not None and self._reception.is_quiet
        return is_quiet and not self.server_state.connections

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Open the door."""
        del sockets
        await super().startup(sockets=[])
        if self._is_leaving:  # told so before it began
            self.should_exit = True
            return
        make = partial(
            DeadlineProtocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self._reception = Reception(self._door, self._passage, make)
        self._on_open()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the door, and end when what is under way is answered."""
        if self._reception is not None:
            self._reception.close()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; asked ten times a second."""
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            self.should_exit = True
        if self._is_leaving:
            self.should_exit = self.should_exit or self.is_empty
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are for those who hold the server."""
        yield

    async def _leave_after(self, reception: Reception) -> None:
        """Leave also those connections that are on their way in."""
        await reception.quiet()
        assert self._passage is not None, "there is nowhere to go"
        for connection in list(self.server_state.connections):
            assert isinstance(connection, DeadlineProtocol)
            connection.leave(self._passage)
        self._on_left()


def make_server(
    app: Api,
    door: socket,
    passage: Passage | None = None,
    *,
    on_open: Callable[[], None] = lambda: None,
    on_left: Callable[[], None] = lambda: None,
    drain_s: float = DRAIN_S,
) -> Server:
    """A server for `app`: uvloop, httptools, our limits."""
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody asks who the client is
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACEFUL_S,
    )
    return Server(app, config, door, passage, on_open=on_open, on_left=on_left, drain_s=drain_s)
