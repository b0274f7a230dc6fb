"""The process that sends the log of predictions to Kafka.

    state      what is done                             what moves it on
    listening  workers come and hand over notes; their  SIGTERM, when the workers have gone:
               records wait for Kafka, up to a bound    draining
    draining   what the workers left is read and sent   all is settled, or the time is up: ended

When it dies, what it held is lost: the next one counts it as dropped before it listens, for workers
hand nothing to a sender that has not greeted them. Kafka may have some of it.
"""

import contextlib
import logging
import select
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from api.metrics import ApiMetrics
from api.prediction_log.notes import Notes, channel
from api.prediction_log.records import LogRecord, Note, records
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError

log = logging.getLogger(__name__)

RECORDS_MAX, BYTES_MAX = 20_000, 32 << 20  # of one model, on their way to Kafka
_SETTLE_S = 0.5  # between two looks at what Kafka has said
_SAY_EVERY_S = 60.0


class RecordSender(Protocol):
    """Sends records to Kafka, on a thread of its own."""

    def start(self) -> None:
        """Begin, in the process that it is to work in."""

    def send(
        self, topic: str, records: Sequence[LogRecord], settled: Callable[[int, int, bool], None]
    ) -> None:
        """Queue records.

        Args:
            settled: Called on any thread until all are told of once: how many of them, the bytes
                of their keys and values, and whether Kafka has them.
        """

    def close(self, limit_s: float) -> None:
        """Deliver what is queued for so long at most; the rest settles as not delivered."""


class Sender:
    """The sender.

    Args:
        door: Where workers come; listening.
        models: Whose answers are sent, by name.
        records: To Kafka.
        metrics: Whose book is its own: told what became of each.
        finish_s: From SIGTERM on, at most.
    """

    def __init__(
        self,
        door: socket.socket,
        models: Mapping[str, ModelFile],
        record_sender: RecordSender,
        metrics: ApiMetrics,
        *,
        finish_s: float,
    ) -> None:
        self._door, self._models, self._records = door, models, record_sender
        self._acknowledged = {it: metrics.logged(it, "acknowledged") for it in models}
        self._lost = {it: metrics.logged(it, "lost") for it in models}
        self._logs = {
            name: found for name, it in models.items() if (found := it.answer_log) is not None
        }
        self._finish_s = finish_s
        self._channels: list[Notes] = []
        self._settled: deque[tuple[str, int, int, bool]] = deque()  # model, records, bytes, taken
        self._settlers = {it: self._settler(it) for it in models}
        self._made: dict[str, list[LogRecord]] = {it: [] for it in models}  # in this turn
        self._under_way: Counter[str] = Counter()
        self._under_way_bytes: Counter[str] = Counter()
        self._dropped_since: Counter[str] = Counter()
        self._said_at = -_SAY_EVERY_S
        self._taken = 0  # records made
        self._is_draining = False
        self._unsettled = metrics.logged_unsettled

    def run(self) -> int:
        """Send until SIGTERM; 0."""
        with obeying(signal.SIGTERM, self._drain) as wakened:
            for name, lost in self._lost.items():
                lost.add(self._unsettled(name))
            self._records.start()
            while self._channels or not self._is_draining:
                self._turn(wakened)
            self._finish()
        return 0

    def _finish(self) -> None:
        """Let what is under way arrive."""
        give_up_at = time.monotonic() + self._finish_s
        while self._under_way.total() and time.monotonic() < give_up_at:
            time.sleep(0.01)
            self._settle()
        self._records.close(max(0.0, give_up_at - time.monotonic()))
        self._settle()

    def _turn(self, wakened: socket.socket) -> None:
        """Wait for workers, or for Kafka's word; hear them all."""
        poll = select.poll()
        poll.register(self._door, select.POLLIN)
        poll.register(wakened, select.POLLIN)
        for worker in self._channels:
            poll.register(worker, select.POLLIN)
        poll.poll(1000 * _SETTLE_S if self._under_way.total() else None)
        with contextlib.suppress(BlockingIOError):
            wakened.recv(100)
        self._settle()
        self._welcome()
        for worker in list(self._channels):
            self._hear(worker)
        self._send()
        self._say_what_is_dropped()

    def _welcome(self) -> None:
        try:
            end, _ = self._door.accept()
        except BlockingIOError:
            return
        self._channels.append(channel(end))
        self._channels[-1].post([])

    def _hear(self, worker: Notes) -> None:
        try:
            for notes in worker.receive():
                for note in notes:
                    self._take_or_drop(note)
        except ChannelClosedError:
            worker.close()
            self._channels.remove(worker)

    def _take_or_drop(self, note: Note) -> None:
        """One request, whatever stands in it, must not cost what others were answered."""
        before = self._taken
        try:
            self._take(note)
        except Exception:  # the border: it is logged, and what is missing of it counted
            log.exception("model %s: an answer cannot be written down", note.model)
            self._drop(note.model, note.count - (self._taken - before))

    def _take(self, note: Note) -> None:
        made = self._made[note.model]
        for record in records(note, self._logs[note.model]):
            size = len(record.key) + len(record.value)
            self._taken += 1
            if self._is_full(note.model, size):
                self._drop(note.model)
                continue
            self._under_way[note.model] += 1
            self._under_way_bytes[note.model] += size
            made.append(record)

    def _send(self) -> None:
        """Hand over what this turn made."""
        for model, made in self._made.items():
            if made:
                topic = self._models[model].topics.predictions
                self._records.send(topic, made, self._settlers[model])
                self._made[model] = []

    def _drop(self, model: str, count: int = 1) -> None:
        self._lost[model].add(count)
        self._dropped_since[model] += count

    def _is_full(self, model: str, size: int) -> bool:
        self._settle()
        is_many = self._under_way[model] >= RECORDS_MAX
        return is_many or self._under_way_bytes[model] + size > BYTES_MAX

    def _settler(self, model: str) -> Callable[[int, int, bool], None]:
        return lambda count, size, has: self._settled.append((model, count, size, has))

    def _settle(self) -> None:
        """Count what has become of records since."""
        while self._settled:
            model, count, size, has = self._settled.popleft()
            self._under_way[model] -= count
            self._under_way_bytes[model] -= size
            if has:
                self._acknowledged[model].add(count)
            else:
                self._drop(model, count)

    def _say_what_is_dropped(self) -> None:
        if not self._dropped_since or time.monotonic() - self._said_at < _SAY_EVERY_S:
            return
        self._said_at = time.monotonic()
        for model, count in self._dropped_since.items():
            log.warning(
                "model %s: %d answers are not in %s, Kafka did not take them in time: labels of "
                "them find no features",
                model, count, self._models[model].topics.predictions,
            )  # fmt: skip
        self._dropped_since.clear()

    def _drain(self) -> None:
        self._is_draining = True


@contextlib.contextmanager
def obeying(number: signal.Signals, obey: Callable[[], None]) -> Iterator[socket.socket]:
    """On this signal `obey` is called, and the socket can be read."""
    wakes, wakened = socket.socketpair()
    with wakes, wakened:
        wakes.setblocking(False)
        wakened.setblocking(False)
        signal.signal(number, lambda *_: obey())
        signal.set_wakeup_fd(wakes.fileno())
        try:
            yield wakened
        finally:
            signal.set_wakeup_fd(-1)
