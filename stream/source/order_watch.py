"""The watch thread: keeps the lease, beats, and sees what operators order and who moves the head.

The learner never asks the store anything between two records; it reads the shared numbers, which
are written here.

    state      what is done                          what moves it on
    watching   lease, beat and orders are looked at  the head is not ours: moved. The store is away:
                                                     blind
    blind      the last orders stay in force         the store answers: watching, all looked at anew
    moved      nothing                               the source ends; the keeper forks the next one

If the thread dies the process does. An order that was not seen is seen by the next life before its
first record; the lease runs out by itself, and never was the safety.
"""

import contextlib
import logging
import select
import threading
import time

from checkpoints.errors import CheckpointError, StoreForbidden, StoreUnavailable
from checkpoints.records.control import Rewinding, open_control
from checkpoints.records.line import Line
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.patience import Patience
from checkpoints.stores.presence import Hints
from stream.between.bell import Bell, HasFileno
from stream.between.shared_numbers import SharedNumbers
from stream.source.reports.heartbeat import Status
from stream.source.reports.metrics import LearnerMetrics
from stream.source.store_check import StoreCheck

log = logging.getLogger(__name__)

_TURN_S = 0.5  # where nothing wakes us; a lease is renewed each third of it, and never too late
_LOOK_EVERY_S = 5.0  # without a hint: for what is written by none of ours
_SURE_S = 4.0  # a subscription that is dead is noticed so soon
_BEAT_EVERY_S = 1.0
_BEAT_IDLE_S = 2.0  # shorter than the time for which a beat is shown
_BEAT_MOVING_S = 0.5  # while lag or uncommitted records change
_SAY_EVERY_S = 3.0


class OrderWatch(threading.Thread):
    """Watches one line for the learner that holds `token`.

    Args:
        store: Asked when it hints, and every few seconds.
        holder: Whose lease is renewed.
        lease_s: How long the lease stands after the last renewal.
        board: Freeze and thaw are written here.
        status: Set by the source's loop, told to the world here.
        check: Looks from time to time how the store is set up.
        orders_seen: Orders up to this one were obeyed before: no news any more.
        patience: How long a missing right is borne.
        rewind: The rewind that is carried out; None: none is.

    Attributes:
        moved: The head is no longer ours: a rollback, or another learner.
        refused: The store does not let us any more, and only an administrator can mend that.
    """

    def __init__(
        self,
        store: Store,
        verifier: Verifier,
        line: Line,
        *,
        holder: str,
        token: str,
        lease_s: float,
        board: SharedNumbers,
        status: Status,
        metrics: LearnerMetrics,
        check: StoreCheck,
        orders_seen: int = 0,
        patience: Patience | None = None,
        rewind: Rewinding | None = None,
    ) -> None:
        super().__init__(name=f"watch-{line.model}", daemon=True)
        self._store, self._verifier, self._line = store, verifier, line
        self._holder, self._token, self._lease_s = holder, token, lease_s
        self._board, self._status, self._metrics = board, status, metrics
        self._check, self._patience = check, patience or Patience()
        self._orders_seen, self._rewind = orders_seen, rewind
        self.moved = False
        self.refused: StoreForbidden | None = None
        self._ended = threading.Event()
        self._bell = Bell()
        self._control_id: str | None = None
        self._looked_at = self._beat_at = self._renewed_at = self._said_at = float("-inf")
        self._said_news: tuple[str, int] = ("", -1)
        self._said_numbers: tuple[int | None, int] = (None, 0)

    def run(self) -> None:
        """Look when there is a hint, and when it is time to, until `end`."""
        with contextlib.closing(self._store.hints([self._line], sure_s=_SURE_S)) as hints:
            while not self._ended.is_set():
                self._wait(hints)
                self._turn(hinted=hints.take())

    def see_news(self) -> None:
        """Called by the source's loop: what is to be told at once is told at once."""
        if self._news != self._said_news:
            self._bell.ring()

    @property
    def _news(self) -> tuple[str, int]:
        return self._status.told_state, self._board.obeyed_seq

    def _wait(self, hints: Hints) -> None:
        """Until there may be a hint, or news, or for a turn."""
        waited_for: list[HasFileno] = [self._bell]
        if hints.fileno() >= 0:
            waited_for.append(hints)
        select.select(waited_for, [], [], min(_TURN_S, self._lease_s / 6))
        self._bell.hush()

    def _turn(self, *, hinted: bool) -> None:
        try:
            self.look(hinted=hinted)
            self._check.look()
        except StoreUnavailable as error:
            self._metrics.dependency("redis", is_up=False)
            self._say("%s", error)
            if isinstance(error, StoreForbidden):
                self._bear(error)
        except CheckpointError as error:
            self._say("an order that cannot be trusted is not obeyed: %s", error)

    def _bear(self, error: StoreForbidden) -> None:
        try:
            self._patience.refused(error)
        except StoreForbidden as lasting:
            self.refused = lasting
            self._board.source_bell.ring()

    def rewind_is_over(self, seq: int) -> None:
        """The rewind of this order has taken over: it is no news any more."""
        self._orders_seen, self._rewind = max(self._orders_seen, seq), None

    def end(self) -> None:
        """Stop looking; the heartbeat runs out by itself."""
        self._ended.set()
        self._bell.ring()
        self.join(timeout=2.0)

    def look(self, *, hinted: bool = True) -> None:
        """Read head and control, keep the lease, beat: what is due."""
        now = time.monotonic()
        if hinted or now - self._looked_at > _LOOK_EVERY_S:
            self._read()
            self._looked_at = now
        if now - self._renewed_at > self._lease_s / 3:
            self._renewed_at = now
            self._renew()
        self._beat_if_due(now)

    def _read(self) -> None:
        found = self._store.poll([self._line])[self._line]
        own_heads = self._status.own_heads
        if found.head is not None and own_heads and found.head not in own_heads:
            self._has_moved()
        if found.control != self._control_id:
            self._obey(found.control)

    def _beat_if_due(self, now: float) -> None:
        """State and orders obeyed at once, numbers twice a second, else every second or two.

        Only who may write is served: that the store can be read says little.
        """
        news = self._news
        numbers = (self._status.lag_in_all, self._board.uncommitted)
        usual_s = _BEAT_IDLE_S if news[0] == "idle" else _BEAT_EVERY_S
        every_s = usual_s if numbers == self._said_numbers else _BEAT_MOVING_S
        if news == self._said_news and now - self._beat_at <= every_s:
            return
        self.beat(is_news=news != self._said_news)
        self._said_news, self._said_numbers, self._beat_at = news, numbers, now
        self._metrics.dependency("redis", is_up=True)
        self._patience.answered()

    def beat(self, *, is_news: bool = True) -> None:
        """Say that we are alive, and how it goes; `is_news`: whoever follows is to look at once."""
        self._status.send(self._store, self._line, self._holder, is_news=is_news)

    def _obey(self, control_id: str | None) -> None:
        envelope = self._store.control(self._line)
        if envelope is None:
            if self._board.control_seq:
                self._say("control record %d is gone: ignored", self._board.control_seq)
            self._control_id = control_id
            return
        record = open_control(envelope, self._verifier, self._line).record
        self._control_id = control_id
        if record.seq < self._board.control_seq:
            self._say(
                "control record %d came after %d: ignored", record.seq, self._board.control_seq
            )
            return
        if record.seq > max(self._board.control_seq, self._orders_seen):
            command = record.command
            log.info("%s: %s by %s: %s", self._line, command.command, command.who, command.reason)
        if record.rewinding(self._orders_seen) != self._rewind:
            self._has_moved()  # the next life carries it out, or goes on from the head
            return
        self._board.frozen, self._board.released = record.frozen, record.let_through
        self._board.control_seq = record.seq
        self._board.ring()

    def _renew(self) -> None:
        stands = self._store.renew(
            self._line, holder=self._holder, token=self._token, lease_s=self._lease_s
        )
        if not stands:
            self._has_moved()

    def _has_moved(self) -> None:
        self.moved = True
        self._board.source_bell.ring()

    def _say(self, what: str, *facts: object) -> None:
        now = time.monotonic()
        if now - self._said_at > _SAY_EVERY_S:
            self._said_at = now
            log.warning(what, *facts)
