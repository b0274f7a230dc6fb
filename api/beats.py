"""Heartbeats: operators wait for those that serve, and what is served is not pruned."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from api.served import Place
from checkpoints.errors import CheckpointError
from checkpoints.line import Line
from checkpoints.store import Store

log = logging.getLogger(__name__)

BEAT_S = 1.0
_BEAT_TTL_S = 3.0


class Beats:
    """The heartbeats of one host's API.

    Args:
        store: Where they are left.
        clock_ms: Unix, UTC.
    """

    def __init__(self, store: Store, clock_ms: Callable[[], int]) -> None:
        self._store, self._clock_ms = store, clock_ms
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._beaten_at = 0.0
        self._said: dict[str, Place] = {}

    def say(self, places: Mapping[str, Place]) -> None:
        """Say how far we are, by model: at once where that is new, else every second."""
        is_due = time.monotonic() - self._beaten_at >= BEAT_S
        try:
            for name, place in places.items():
                if is_due or self._said.get(name) != place:
                    self._beat(name, place, state="serving")
                    self._said[name] = place
        except CheckpointError as error:
            log.warning("%s", error)
            self._said.clear()
        if is_due:
            self._beaten_at = time.monotonic()

    def end(self) -> None:
        """Say that nobody need wait for us any more."""
        for name, place in self._said.items():
            try:
                self._beat(name, place, state="stopped", ttl_s=1.0)
            except CheckpointError as error:
                log.warning("%s", error)
                return

    def _beat(self, name: str, place: Place, *, state: str, ttl_s: float = _BEAT_TTL_S) -> None:
        payload = {
            "state": state,
            "control_seq": place.control_seq,
            "serving": place.number,
            "at_ms": self._clock_ms(),
            "pid": os.getpid(),
        }
        serving = place.version_id if state == "serving" else None
        self._store.beat(
            Line(name), role="api", name=self._name, payload=payload, ttl_s=ttl_s, serving=serving
        )
