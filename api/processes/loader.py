"""The process of `weir serve`: it follows the store, loads what is to be served, keeps the workers.

    loader            one thread, no loop; owns the listening socket, follows the store, verifies
      │               and loads each version once, sends its heartbeats
      ├─ worker       forked, so it shares what is loaded; accepts from the listening socket
      ├─ worker
      └─ …            replaced when it dies; all are killed by the kernel when the loader dies

A large model reaches the workers by forking them anew (26 to 40 ms at a time of unpickling would
hold up every answer of a process that loads it itself), a small one is sent to them. One that is
kept warm is in their memory from their birth: to serve it, they need only be told. While the
loader is busy with a load it goes on looking after everything else, between two frames of it.

    state      what is done                         what moves it on
    serving    a turn: it looks where the lines     something is to be loaded: loading. A signal:
               stand, tells the workers, replaces   draining. The store never answered in time, or
               those that died, sends heartbeats    forbids for long: ended
    loading    a version is verified and unpickled, loaded, failed, or given up for an order:
               with a turn every 5 ms               serving. A signal gives it up, too: draining
    draining   nothing is looked at nor loaded;     the last worker is gone, 6.5 s have passed, or a
               workers finish what they answer      second signal: ended
    ended      the workers are killed; the last heartbeat says `stopped`

If the loader dies in any of them the kernel kills its workers. Nothing is lost: versions and orders
are in the store, its heartbeats lapse, and until then operators are told who has not obeyed.
"""

import contextlib
import gc
import logging
import select
import signal
import socket
import time
from collections.abc import Generator, Mapping
from types import FrameType

from api.app import create_app
from api.dashboard.letters import Letters
from api.prediction_log.kept_sender import KeptSender
from api.prediction_log.sender import RecordSender
from api.processes.generations import Asked
from api.processes.handover import Passage, listen
from api.processes.heartbeat import Beats, name_of
from api.processes.server import DRAIN_S
from api.processes.shared_counters import SharedCounters
from api.processes.worker import Job
from api.processes.workers import Workers, books_of
from api.routes.events import Publisher
from api.serving.follow import Following
from checkpoints.errors import StoreForbidden
from checkpoints.reading.going_back import AskLog
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from checkpoints.stores.patience import Patience
from checkpoints.stores.presence import Hints
from checkpoints.unpickle import GivenUp
from config.model_file import ModelFile
from config.processes.scratch import private_folder
from config.settings import Settings

log = logging.getLogger(__name__)

_ATTEND_S = 0.005  # during a load
_STOP_S = 6.5  # from the first signal to the end of the last worker
_TURN_MAX_S = 0.1


class Loader:
    """The loader.

    Args:
        following: What it loads.
        crew: Its workers.
        beats: Its heartbeats.
        hints: Wake it when something moves.
        sender: Sends the log of predictions, where there is one.
        start_wait_s: How long the store may be silent at start.
    """

    def __init__(
        self,
        following: Following,
        crew: Workers,
        beats: Beats,
        hints: Hints,
        *,
        start_wait_s: float,
        sender: KeptSender | None = None,
    ) -> None:
        self._sender = sender
        self._following, self._crew, self._beats, self._hints = following, crew, beats, hints
        self._give_up_at = time.monotonic() + start_wait_s
        self._patience = Patience()
        self._attended_at = 0.0
        self._signals = 0
        self._kill_at: float | None = None
        # A signal that comes just before a wait must end it.
        self._wakes, self._wakened = socket.socketpair()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a second signal ends it at once.

        Raises:
            StoreUnavailable: The store did not answer at all.
            StoreForbidden: It has let us do nothing, and only an administrator can mend that.
        """
        with self._signalled():
            try:
                while not self._has_ended():
                    self._attend()
                    if self._kill_at is not None or not self._following.load(self._meanwhile):
                        self._wait()
            finally:
                self._crew.kill()
        self._beats.end()

    def _attend(self) -> None:
        """All that a turn does besides loading."""
        following, crew = self._following, self._crew
        self._look()
        unheard = self._beats.unheard or following.unheard
        if unheard is not None and time.monotonic() > self._give_up_at:
            raise unheard
        if isinstance(unheard, StoreForbidden):
            self._patience.refused(unheard)
        crew.tell(following.standings)
        asked = Asked(following.generation, following.ordered, following.has_more)
        crew.attend(asked, following.at_hand)
        if self._sender is not None and self._kill_at is None:
            self._sender.attend(crew.forget)
        self._beats.say(crew.places)
        self._attended_at = time.monotonic()

    def _look(self) -> None:
        """See where the lines stand, but never unseen: who gives orders waits for us first."""
        hinted = self._hints.take()
        if not self._beats.stand:
            self._beats.say(self._crew.places)
        if self._kill_at is not None:
            return
        if not self._beats.stand:
            self._following.lose_store()
            return
        self._following.look(hinted=hinted)
        if self._following.is_away:
            self._beats.doubt()

    def _meanwhile(self) -> None:
        if time.monotonic() - self._attended_at < _ATTEND_S:
            return
        self._attend()
        if self._signals:
            raise GivenUp

    def _has_ended(self) -> bool:
        if self._signals and self._kill_at is None:
            self._kill_at = time.monotonic() + _STOP_S
            self._crew.drain()
        if self._kill_at is None:
            return False
        is_over = self._signals > 1 or time.monotonic() > self._kill_at
        return is_over or not self._crew.pids

    def _wait(self) -> None:
        """Until there may be something to do."""
        poll = select.poll()
        poll.register(self._wakened, select.POLLIN)
        for link in self._crew.links:
            poll.register(link, select.POLLIN | (select.POLLOUT if link.has_unsent else 0))
        if self._hints.fileno() >= 0:
            poll.register(self._hints, select.POLLIN)
        rests_s = self._following.rests_s if self._beats.stand else self._beats.rests_s
        if not poll.poll(1000 * min(rests_s, _TURN_MAX_S)) and self._crew.is_settled:
            self._following.rest()
        with contextlib.suppress(BlockingIOError):
            self._wakened.recv(100)

    @contextlib.contextmanager
    def _signalled(self) -> Generator[None, None, None]:
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self._on_signal) for each in handled}
        self._wakes.setblocking(False)
        self._wakened.setblocking(False)
        wakes_before = signal.set_wakeup_fd(self._wakes.fileno())
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakes_before)
            for each, handler in before.items():
                signal.signal(each, handler)
            self._wakes.close()
            self._wakened.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signals += 1


def run_api(
    settings: Settings,
    models: Mapping[Line, ModelFile],
    store: Store,
    keys: Keys,
    publisher: Publisher | None,
    *,
    letters: Letters | None = None,
    record_sender: RecordSender | None = None,
    ask_log: AskLog | None = None,
    drain_s: float = DRAIN_S,
) -> int:
    """Answer until SIGTERM; the exit code. Call it in the main thread of a process without others.

    Args:
        letters: Finds dead letters in Kafka; None: they cannot be seen.
        record_sender: How the log of predictions reaches Kafka; None: it does not.
        ask_log: Whether Kafka has what a rewind is to replay; None: the learner finds out.

    Raises:
        SettingsError: The API may not start as it is set up.
        PortTakenError: Somebody else listens there.
        StoreUnavailable: The store did not answer at all within `learner.start_wait_seconds`.
        StoreForbidden: It answered, and let us do nothing.
    """
    workers = settings.api.workers
    app = create_app(
        settings, models, store, keys, publisher,
        letters=letters,
        tallies=SharedCounters(books_of(workers)),
        ask_log=ask_log,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    gc.set_threshold(50_000, 20, 100)
    app.openapi()  # takes too long to be made while others wait for answers
    with contextlib.ExitStack() as held:
        door = held.enter_context(listen(settings.api.host, settings.api.port))
        passage = held.enter_context(contextlib.closing(Passage()))
        scratch = held.enter_context(private_folder(None))
        following = Following(
            models, store, keys.verifier,
            on_load=lambda model, outcome: app.metrics.loads(model, outcome).add(),
            scratch=scratch,
            warm_bytes_max=settings.api.warm_max_bytes,
        )  # fmt: skip
        hints = held.enter_context(contextlib.closing(store.hints(list(models))))
        sender = None
        if app.notes.logs and record_sender is not None:
            logged = {it.name: it for it in models.values() if it.name in app.notes.logs}
            sender = held.enter_context(
                KeptSender(
                    logged, record_sender, app.metrics, book=books_of(workers) - 1, folder=scratch
                )
            )
        job = Job(
            app=app, models=models, publisher=publisher, door=door, passage=passage,
            scratch=scratch, notes_to=None if sender is None else sender.path, drain_s=drain_s,
        )  # fmt: skip
        beats = Beats(store, lambda: time.time_ns() // 1_000_000, name=name_of(door))
        wait_s = settings.learner.start_wait_seconds
        loader = Loader(
            following,
            Workers(job, workers),
            beats,
            hints,
            start_wait_s=wait_s,
            sender=sender,
        )
        log.info("answering at http://%s:%d", settings.api.host, door.getsockname()[1])
        gc.collect()
        gc.freeze()
        loader.run()
    return 0
