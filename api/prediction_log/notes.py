"""The worker's part: a note of each answer, handed to the sender every few milliseconds.

To note costs a request two copied references. Where the sender is away or does not keep up, notes
wait here up to a bound; what comes after that is dropped and counted.
"""

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from api.metrics import ApiMetrics
from api.prediction_log.records import Note, notes_from_bytes, notes_to_bytes
from config.model.answer_log import AnswerLog
from config.processes.channel import Channel, ChannelClosedError
from config.traces.context import current

_EVERY_S = 0.005
_AWAY_EVERY_S = 0.1
_WAITING_BYTES_MAX = 8 << 20
_NOTE_BYTES = 100  # of a note, beside the two bodies

Notes = Channel[Sequence[Note]]


def channel(end: socket.socket) -> Notes:
    """Either end of the way from a worker to the sender."""
    return Channel(end, notes_to_bytes, notes_from_bytes)


def _trace() -> bytes:
    """The span that is being answered, where it is traced."""
    traced = current()
    return b"" if traced is None else traced.header


class AnswerNotes:
    """What one worker hands to the sender.

    Args:
        logs: Of each model that has one, which answers are written down.
        metrics: Told of what was handed over, and of what was dropped.
        clock_ms: Unix, UTC.
    """

    def __init__(
        self, logs: Mapping[str, AnswerLog], metrics: ApiMetrics, clock_ms: Callable[[], int]
    ) -> None:
        self.logs, self._clock_ms = logs, clock_ms
        self._noted = {name: metrics.logged(name, "noted") for name in logs}
        self._handed = {name: metrics.logged(name, "handed") for name in logs}
        self._dropped = {name: metrics.logged(name, "dropped") for name in logs}
        self._door: Path | None = None
        self.enter(None)

    def enter(self, door: Path | None) -> None:
        """Be in a process of its own, just forked; `door` is the sender's socket."""
        self._door = door
        self._waiting: list[Note] = []
        self._waiting_bytes = 0
        self._sent: list[Note] = []  # the sender may not have all of them yet
        self._timer: asyncio.TimerHandle | None = None
        self._channel: Notes | None = None
        self._is_heard = False

    def add(self, model: str, ids: Sequence[str], request: bytes, answer: bytes) -> None:
        """Note one request's answers, which have these ids."""
        log = self.logs[model]
        count = len(ids) if log.predictions >= 1 else sum(map(log.holds, ids))
        if not count:
            return
        self._noted[model].add(count)
        if self._waiting_bytes > _WAITING_BYTES_MAX:
            self._dropped[model].add(count)
            return
        self._waiting.append(Note(model, self._clock_ms(), count, request, answer, _trace()))
        self._waiting_bytes += len(request) + len(answer) + _NOTE_BYTES
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._turn)

    def close(self, limit_s: float) -> None:
        """Hand over what waits, for so long at most; what is left is dropped. The worker's last."""
        give_up_at = time.monotonic() + limit_s
        with contextlib.suppress(ChannelClosedError):
            while self._waiting and time.monotonic() < give_up_at:
                if not self._hand_over():
                    time.sleep(_EVERY_S)
            while self._channel is not None and self._channel.has_unsent:
                rest_s = give_up_at - time.monotonic()
                if rest_s <= 0:
                    break
                select.select([], [self._channel], [], rest_s)
                self._flushed(self._channel)
        for note in self._waiting:
            self._dropped[note.model].add(note.count)
        self._waiting.clear()
        self._lose_channel()

    def _turn(self) -> None:
        """Hand over what waits; come again while something does."""
        self._timer = None
        is_handed = self._hand_over()
        if self._waiting or (self._channel is not None and self._channel.has_unsent):
            again_s = _EVERY_S if is_handed or self._is_heard else _AWAY_EVERY_S
            self._timer = asyncio.get_running_loop().call_later(again_s, self._turn)

    def _hand_over(self) -> bool:
        """Send what waits, unless the sender is away or has not taken the last yet."""
        try:
            channel = self._heard_channel()
            if channel is None:
                return False
            if not self._flushed(channel):
                return False
            self._sent, self._waiting, self._waiting_bytes = self._waiting, [], 0
            channel.post(self._sent)
            self._flushed(channel)
        except ChannelClosedError:
            self._lose_channel()
            return False
        return True

    def _flushed(self, channel: Notes) -> bool:
        """Whether the sender, or the system on its behalf, has all that was sent."""
        channel.flush()
        if channel.has_unsent:
            return False
        for note in self._sent:
            self._handed[note.model].add(note.count)
        self._sent = []
        return True

    def _heard_channel(self) -> Notes | None:
        """The way to a sender that said that it listens. Until then what is sent may be lost."""
        if self._channel is None and self._door is not None:
            end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            end.setblocking(False)
            try:
                end.connect(str(self._door))
            except OSError:  # nobody listens, or too many wait to be heard
                end.close()
                return None
            self._channel, self._is_heard = channel(end), False
        if self._channel is not None:
            self._is_heard = bool(self._channel.payloads()) or self._is_heard
        return self._channel if self._is_heard else None

    def _lose_channel(self) -> None:
        """What was sent in part only is lost."""
        for note in self._sent:
            self._dropped[note.model].add(note.count)
        if self._channel is not None:
            self._channel.close()
        self._channel, self._is_heard, self._sent = None, False, []
