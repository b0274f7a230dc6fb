"""Heartbeats: operators wait for those that serve, and what is served is not pruned."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from api.http.complaints import Complaints
from api.serving.served import ServedPosition
from checkpoints.errors import CheckpointError
from checkpoints.records.line import Line
from checkpoints.records.signing import digest
from checkpoints.stores.presence import BEAT_TTL_S, Presence

log = logging.getLogger(__name__)

BEAT_S = 3.0  # a third of what it stands for
_AWAY_S = 0.5  # between two beats while the store is down


class Beats:
    """The heartbeats of one host's API.

    Args:
        store: Where they are left.
        clock_ms: Unix, UTC.
        name: Ours, and that of whoever was here before us; see `name_of`.

    Attributes:
        unheard: Why the store has never taken one yet.
    """

    def __init__(self, store: Presence, clock_ms: Callable[[], int], *, name: str) -> None:
        self._store, self._clock_ms, self._name = store, clock_ms, name
        self._said: dict[Line, ServedPosition] = {}
        self._round_at: float | None = None  # all lines were said
        self._retry_at = 0.0
        self._is_known = False
        self._complaints = Complaints()
        self.unheard: CheckpointError | None = None

    @property
    def stand(self) -> bool:
        """Whether operators see us: only then may we look for what they order."""
        return self._round_at is not None and time.monotonic() - self._round_at < BEAT_TTL_S

    @property
    def rests_s(self) -> float:
        """Seconds until there is another try, while they do not stand."""
        return max(0.0, self._retry_at - time.monotonic())

    def say(self, places: Mapping[Line, ServedPosition]) -> None:
        """Say how far we are, by model: at once where that is new, else every few seconds."""
        now = time.monotonic()
        if now < self._retry_at:
            return
        is_due = self._round_at is None or now - self._round_at >= BEAT_S
        try:
            for line, place in places.items():
                if is_due or self._said.get(line) != place:
                    self._beat(line, place, state="serving")
                    self._said[line] = place
        except CheckpointError as error:
            if self._complaints.is_due(error):
                log.warning("%s; what is loaded goes on answering", error)
            self.unheard = None if self._is_known else error
            self.doubt()
            return
        if is_due:
            self._round_at, self._is_known, self.unheard = now, True, None
            self._complaints.ended()

    def doubt(self) -> None:
        """The store is away, and may have lost what we said: say it anew when it answers."""
        self._said.clear()
        self._round_at, self._retry_at = None, time.monotonic() + _AWAY_S

    def end(self) -> None:
        """Say that nobody need wait for us any more."""
        for line, place in self._said.items():
            try:
                self._beat(line, place, state="stopped", ttl_s=1.0)
            except CheckpointError as error:
                log.warning("%s", error)
                return

    def _beat(
        self, line: Line, place: ServedPosition, *, state: str, ttl_s: float = BEAT_TTL_S
    ) -> None:
        payload = {
            "state": state,
            "control_seq": place.control_seq,
            "serving": place.number,
            "at_ms": self._clock_ms(),
            "pid": os.getpid(),
        }
        serving = (place.version_id or "") if state == "serving" else ""
        self._store.beat(
            line, role="api", name=self._name, payload=payload, ttl_s=ttl_s, serving=serving
        )


def name_of(door: socket.socket) -> str:
    """`host:port` and a mark of this machine, network and address.

    Nobody else can listen there while we do, so whoever does so next takes over our heartbeat: it
    has not to run out. The mark tells apart machines and containers that have one host name.
    """
    address, port = door.getsockname()[:2]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    network = Path("/proc/self/ns/net").stat().st_ino
    return f"{socket.gethostname()}:{port} {digest(f'{boot} {network} {address}'.encode())[:6]}"
