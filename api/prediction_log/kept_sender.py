"""The loader's part: it forks the sender, again when it dies, and lets it finish at the end."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from api.metrics import ApiMetrics
from api.prediction_log.sender import RecordSender, Sender
from config.model_file import ModelFile
from config.processes.fork import ended, fork
from config.processes.restarts import backoff_s, how_it_ended

log = logging.getLogger(__name__)

FINISH_S = 5.0
_KILL_AFTER_S = FINISH_S + 3.0  # it may wait for Kafka's driver
_SETTLED_AFTER_S = 1.0
_NICE = 5  # answers go before their log


class KeptSender:
    """The sender's process, kept.

    Args:
        models: Whose answers are written down, by name.
        record_sender: To Kafka; not used before the fork.
        metrics: Of the host.
        book: The sender's own of its tallies.
        folder: A private one, for its door.
    """

    def __init__(
        self,
        models: Mapping[str, ModelFile],
        record_sender: RecordSender,
        metrics: ApiMetrics,
        *,
        book: int,
        folder: Path,
    ) -> None:
        self.path = folder / "answers"
        self._door = _listening(self.path)
        self._models, self._records, self._metrics = models, record_sender, metrics
        self._book = book
        self._pid: int | None = None
        self._born_at = self._fork_at = 0.0
        self._early_deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self._door.close()

    def attend(self, forget: Callable[[], None] = lambda: None) -> None:
        """Fork it where there is none.

        Args:
            forget: Called in the new process: lets go of what is the loader's.
        """
        if self._pid is not None:
            self._look_after(self._pid)
        if self._pid is None and time.monotonic() >= self._fork_at:
            self._born_at = time.monotonic()
            self._pid = fork(lambda: self._work(forget))

    def finish(self) -> None:
        """Let it send what it has, for a few seconds. When the workers have gone."""
        if self._pid is None:
            return
        os.kill(self._pid, signal.SIGTERM)  # not waited for yet, so it is there
        kill_at = time.monotonic() + _KILL_AFTER_S
        while ended(self._pid, wait=False) is None:
            if time.monotonic() > kill_at:
                log.error("the sender of answers does not end: killed; what it had is not logged")
                os.kill(self._pid, signal.SIGKILL)
                ended(self._pid, wait=True)
                break
            time.sleep(0.01)
        self._pid = None
        self._say_what_is_missing()

    def _say_what_is_missing(self) -> None:
        """The counters end with us."""
        for model in self._models:
            noted, missing = self._metrics.logged_missing(model)
            if missing:
                log.warning(
                    "model %s: of %d answers %d are not in its predictions topic: Kafka did not "
                    "take them before the end", model, noted, missing,
                )  # fmt: skip

    def _look_after(self, pid: int) -> None:
        code = ended(pid, wait=False)
        if code is None:
            return
        self._pid = None
        lived_s = time.monotonic() - self._born_at
        self._early_deaths = self._early_deaths + 1 if lived_s < _SETTLED_AFTER_S else 0
        self._fork_at = time.monotonic() + (
            backoff_s(self._early_deaths) if self._early_deaths > 1 else 0.0
        )
        log.warning("the sender of answers %s: another takes its place", how_it_ended(code))

    def _work(self, forget: Callable[[], None]) -> int:
        forget()
        os.nice(_NICE)
        self._metrics.open(self._book)
        sender = Sender(self._door, self._models, self._records, self._metrics, finish_s=FINISH_S)
        return sender.run()


def _listening(path: Path) -> socket.socket:
    """Held by the loader, so that workers find it between two senders."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    door.listen(128)
    door.setblocking(False)
    return door
