"""The watch thread: keeps the lease, beats, and sees what operators order and who moves the head.

The learner never asks the store anything between two records; it reads the board, which is written
here.
"""

import logging
import threading
import time

from checkpoints.control import open_control
from checkpoints.errors import CheckpointError, StoreUnavailable
from checkpoints.line import Line
from checkpoints.signing import Verifier
from checkpoints.store import BEAT_SHOWN_S, BEAT_TTL_S, Store
from stream.board import Board
from stream.metrics import LearnerMetrics
from stream.status import Status

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1
_BEAT_EVERY_S = 0.5
_SAY_EVERY_S = 3.0


class Watch(threading.Thread):
    """Watches one line for the learner that holds `token`.

    Args:
        store: Polled ten times a second.
        holder: Whose lease is renewed.
        lease_s: How long the lease stands after the last renewal.
        board: Freeze and thaw are written here.
        status: Set by the source's loop, told to the world here.
        orders_seen: Orders up to this one were obeyed before: no news any more.

    Attributes:
        moved: The head is no longer ours: a rollback, or another learner.
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
        board: Board,
        status: Status,
        metrics: LearnerMetrics,
        orders_seen: int = 0,
    ) -> None:
        super().__init__(name=f"watch-{line.model}", daemon=True)
        self._store, self._verifier, self._line = store, verifier, line
        self._holder, self._token, self._lease_s = holder, token, lease_s
        self._board, self._status, self._metrics = board, status, metrics
        self._orders_seen = orders_seen
        self.moved = False
        self._ended = threading.Event()
        self._control_id: str | None = None
        self._beat_at = self._renewed_at = self._said_at = float("-inf")
        self._beat_was: tuple[str, int] = ("", -1)

    def run(self) -> None:
        """Look ten times a second until `end`."""
        while not self._ended.wait(_LOOK_EVERY_S):
            try:
                self.look()
                self._metrics.dependency("redis", is_up=True)
            except StoreUnavailable as error:
                self._metrics.dependency("redis", is_up=False)
                self._say("%s", error)
            except CheckpointError as error:
                self._say("an order that cannot be trusted is not obeyed: %s", error)

    def end(self) -> None:
        """Stop looking; the heartbeat runs out by itself."""
        self._ended.set()
        self.join(timeout=2.0)

    def look(self) -> None:
        """Read head and control, keep the lease, beat."""
        found = self._store.poll([self._line])[self._line]
        own_heads = self._status.own_heads
        if found.head is not None and own_heads and found.head not in own_heads:
            self.moved = True
        if found.control != self._control_id:
            self._obey(found.control)
        now = time.monotonic()
        if now - self._renewed_at > self._lease_s / 4:
            self._renewed_at = now
            self._renew()
        what = (self._status.state, self._board.obeyed_seq)
        if what != self._beat_was or now - self._beat_at > _BEAT_EVERY_S:
            self._beat_was, self._beat_at = what, now
            self.beat()

    def beat(self) -> None:
        """Say that we are alive, and how it goes."""
        self._store.beat(
            self._line,
            role="learner",
            name=self._holder,
            payload=self._status.beat(self._holder),
            ttl_s=BEAT_SHOWN_S if self._status.state == "stopped" else BEAT_TTL_S,
        )

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
        self._board.frozen = record.frozen
        self._board.control_seq = record.seq

    def _renew(self) -> None:
        stands = self._store.renew(
            self._line, holder=self._holder, token=self._token, lease_s=self._lease_s
        )
        if not stands:
            self.moved = True

    def _say(self, what: str, *facts: object) -> None:
        now = time.monotonic()
        if now - self._said_at > _SAY_EVERY_S:
            self._said_at = now
            log.warning(what, *facts)
