"""The HTTP server: one process, started and ended by the program that holds it."""

import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Generator, Iterable
from types import FrameType

import uvicorn

from api.app import Api, create_app
from api.events import Publisher
from api.receive_deadline import DeadlineProtocol
from checkpoints.signing import Keys
from checkpoints.store import Store
from config.errors import Problem, SettingsError
from config.model_file import ModelFile
from config.settings import Settings

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 65  # longer than the idle limit of usual proxies (60 s)
_GRACEFUL_S = 5
# From "not ready" to closing the door: load balancers that ask once a second have noticed.
DRAIN_S = 1.0
_BACKLOG = 2048


class PortTakenError(Exception):
    """The API cannot listen where it should.

    Operator: choose another port (WEIR_API__PORT), or end what listens there.
    """

    exit_code = 1

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({cause.strerror}): choose another WEIR_API__PORT, or "
            "end what listens there"
        )


class Server(uvicorn.Server):
    """uvicorn that says it is not ready before it stops, and ends with our own exit code.

    Args:
        app: What answers.
        config: Of uvicorn.
        drain_s: How long it goes on answering after the first signal.
        start_wait_s: How long the store may be silent at start.
    """

    def __init__(
        self,
        app: Api,
        config: uvicorn.Config,
        *,
        drain_s: float = DRAIN_S,
        start_wait_s: float = 60.0,
    ) -> None:
        super().__init__(config)
        self._served = app.served
        self._drain_s = drain_s
        self._began_at, self._start_wait_s = time.monotonic(), start_wait_s
        self._drained_at: float | None = None
        self.failure: BaseException | None = None

    def begin_drain(self) -> None:
        """Not ready from now on; the door closes a little later."""
        self._served.is_draining = True
        self._drained_at = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; asked ten times a second."""
        now = time.monotonic()
        if self._drained_at is not None and now >= self._drained_at:
            self.should_exit = True
        if self._served.failure is not None:
            self.failure = self._served.failure
            self.should_exit = True
        unheard = self._served.store_problem
        if unheard is not None and now > self._began_at + self._start_wait_s:
            self.failure = unheard
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals end us in order, and are not raised again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in handled}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, a second one ends at once."""
        del sig, frame
        if self._drained_at is None:
            self.begin_drain()
        else:
            self.should_exit = self.force_exit = True


def run_api(
    settings: Settings,
    model_files: Iterable[ModelFile],
    store: Store,
    keys: Keys,
    publisher: Publisher | None,
) -> int:
    """Answer until SIGTERM; the exit code.

    Raises:
        SettingsError: The API may not start as it is set up.
        PortTakenError: Somebody else listens there.
        StoreUnavailable: The store did not answer at all within `learner.start_wait_seconds`.
    """
    _refuse_workers(settings)
    app = create_app(settings, model_files, store, keys, publisher)
    door = listen(settings.api.host, settings.api.port)
    server = make_server(app, start_wait_s=settings.learner.start_wait_seconds)
    # A model makes few cycles; at the usual 700 a large one would be walked through all the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    log.info("answering at http://%s:%d", settings.api.host, door.getsockname()[1])
    server.run(sockets=[door])
    if server.failure is not None:
        raise server.failure
    return 0


def make_server(app: Api, *, drain_s: float = DRAIN_S, start_wait_s: float = 60.0) -> Server:
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
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACEFUL_S,
        backlog=_BACKLOG,
    )
    return Server(app, config, drain_s=drain_s, start_wait_s=start_wait_s)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: any free one.

    Raises:
        PortTakenError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise PortTakenError(host, port, error) from error
    door.setblocking(False)
    return door


def _refuse_workers(settings: Settings) -> None:
    if settings.api.workers > 1:
        message = "several workers come with a later release: leave it at 1, start more processes"
        raise SettingsError([Problem(file="settings", line=0, key="api.workers", message=message)])
