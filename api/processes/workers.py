"""The workers of a host: as many as were asked for, forked from this process, replaced when dead.

A *generation* is what was loaded when a worker was forked. When there is a newer one, its workers
are forked beside the old ones, and when all of them let connections in, the old ones leave theirs
to them and end (`api.processes.generations` decides). A worker that dies is replaced at once, by
one of the newest generation.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.processes.generations import Asked, Generations
from api.processes.http_protocol import BODY_S, HEAD_S
from api.processes.link import Drain, Link, Report, Retire, Tell, link_pair
from api.processes.worker import Job, Worker
from api.serving.load import Loaded
from api.serving.served import Served, ServedPosition, Standings
from checkpoints.records.line import Line
from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from config.processes.restarts import backoff_s, how_it_ended

log = logging.getLogger(__name__)

_START_MAX_S = 120.0  # a fork needs none of it, on a machine that is not overwhelmed
_RETIRED_MAX_S = HEAD_S + BODY_S + 5.0  # time for every request that keeps to its deadlines
_RETIRED_MAX = 4  # old workers a seat; clients that dawdle must not fill the memory with them
_LEFT_AFTER_S = 0.3  # a worker asks itself ten times a second whether to stop
_NOWHERE = ServedPosition(0, None, None)
_SETTLED_AFTER_S = 1.0  # one that lived shorter is not replaced at once, for ever and ever


@dataclass(slots=True, kw_only=True, eq=False)
class _Hand:
    """One worker, as the loader knows it."""

    pid: int
    link: Link
    generation: int
    book: int
    born_as: Mapping[Line, ServedPosition]
    born_at: float = field(default_factory=time.monotonic)
    report: Report | None = None  # None: it lets nobody in yet
    retired_at: float | None = None

    @property
    def answers(self) -> bool:
        """Whether it begins to answer requests."""
        return self.report is not None and not self.report.is_quiet

    @property
    def places(self) -> Mapping[Line, ServedPosition]:
        """How far it is, or will be when it begins to answer."""
        return self.report.places if self.report else self.born_as

    @property
    def may_answer(self) -> bool:
        """Whether it answers requests, or may begin to before it is heard of again."""
        return self.report is None or not self.report.is_quiet

    @property
    def is_retired(self) -> bool:
        """Whether it leaves the work to others."""
        return self.retired_at is not None

    @property
    def is_overdue(self) -> bool:
        now = time.monotonic()
        if self.retired_at is not None:
            return now - self.retired_at > _RETIRED_MAX_S
        return self.report is None and now - self.born_at > _START_MAX_S


def books_of(workers: int) -> int:
    """How many books of tallies a crew needs, the loader's own, the first, included; the last is
    that of the sender of the log of predictions.

    At work are a generation that is made and one that is being made; see
        `api.processes.generations`.
    """
    return 2 + workers * (2 + _RETIRED_MAX)


class Workers:
    """The workers.

    Args:
        job: What they do.
        size: How many.
    """

    def __init__(self, job: Job, size: int) -> None:
        self._job, self._size = job, size
        self._generations = Generations(size)
        self._hands: list[_Hand] = []
        self._free_books = list(range(1, books_of(size) - 1))
        self._early_deaths, self._fork_at = 0, 0.0
        self._told: Standings = {}
        self._told_awaited: frozenset[str] = frozenset()
        self._is_ending = False
        self._close_at: float | None = None

    @property
    def links(self) -> list[Link]:
        """To be watched: readable when a worker has something to say, or has died."""
        return [hand.link for hand in self._hands]

    @property
    def pids(self) -> list[int]:
        """Of all workers, those that are about to end included."""
        return [hand.pid for hand in self._hands]

    @property
    def places(self) -> dict[Line, ServedPosition]:
        """How far all that may answer are together, by model; nowhere while there are none.

        Operators must know of us before the first one may answer.
        """
        found = [hand.places for hand in self._hands if hand.may_answer]
        return {
            line: min(
                (places[line] for places in found),
                key=lambda it: it.control_seq,
                default=_NOWHERE,
            )
            for line in self._job.models
        }

    @property
    def awaited(self) -> frozenset[str]:
        """The models that not all can answer for yet."""
        places = [it for hand in self._hands if hand.may_answer for it in hand.places.items()]
        return frozenset(line.model for line, place in places if place.number is None)

    @property
    def is_settled(self) -> bool:
        """Whether no worker begins, and none is about to end."""
        return all(hand.answers and not hand.is_retired for hand in self._hands)

    def tell(self, standings: Standings) -> None:
        """Pass on where the lines stand and which are awaited, where that is new."""
        news = {name: each for name, each in standings.items() if self._told.get(name) != each}
        awaited = self.awaited
        if news or awaited != self._told_awaited:
            for hand in list(self._hands):
                self._post(hand, Tell(news, awaited))
        self._told, self._told_awaited = standings, awaited

    def attend(self, asked: Asked, at_hand: Mapping[str, Sequence[Loaded]]) -> None:
        """Hear the workers, bury the dead, retire the old, fork what is missing.

        Args:
            asked: What `at_hand` is, and for whom.
        """
        for hand in list(self._hands):
            self._hear(hand)
        for hand in self._hands:
            if hand.is_overdue:
                log.error("worker %d is overdue: killed", hand.pid)
                _kill(hand)
        if self._is_ending:
            self._close_door()
            return
        turn = self._generations.turn(asked, self._hands, time.monotonic())
        for hand in turn.retire:
            hand.retired_at = time.monotonic()
            self._post(hand, Retire())
        self._kill_surplus()
        self._fork_missing(turn.missing, asked.newest, at_hand)

    def drain(self) -> None:
        """Let them all be not ready, and end a little later; replace none."""
        self._is_ending = True
        self._close_at = time.monotonic() + self._job.drain_s + _LEFT_AFTER_S
        for hand in list(self._hands):
            self._post(hand, Drain())

    def forget(self) -> None:
        """In a process forked from this one that is no worker: let go of what is the loader's."""
        _forget_the_loader(self.links)

    def kill(self) -> None:
        """End what is left."""
        self._is_ending = True
        for hand in list(self._hands):
            self._bury(hand)

    def _close_door(self) -> None:
        """Refuse who comes when all have left the door: nobody would let them in."""
        if self._close_at is not None and time.monotonic() >= self._close_at:
            self._close_at = None
            self._job.door.shutdown(socket.SHUT_RDWR)

    def _fork_missing(
        self, count: int, generation: int, at_hand: Mapping[str, Sequence[Loaded]]
    ) -> None:
        for _ in range(count):
            if not self._free_books or time.monotonic() < self._fork_at:
                return
            self._fork(generation, at_hand)

    def _fork(self, generation: int, at_hand: Mapping[str, Sequence[Loaded]]) -> None:
        ours, theirs = link_pair()
        book = self._free_books.pop(0)
        served = Served(self._job.models, at_hand, self._job.scratch)
        served.take(self._told)
        served.awaited = self._told_awaited

        def work() -> int:
            _forget_the_loader([ours, *self.links])
            Worker(self._job, theirs, book, served).run()
            return 0

        pid = fork(work)
        theirs.close()
        hand = _Hand(pid=pid, link=ours, generation=generation, book=book, born_as=served.places)
        self._hands.append(hand)

    def _kill_surplus(self) -> None:
        """Of the retired, the oldest make room: their books are needed."""
        retired = [hand for hand in self._hands if hand.is_retired]
        for hand in retired[: -self._size * _RETIRED_MAX]:
            self._bury(hand)

    def _hear(self, hand: _Hand) -> None:
        try:
            hand.link.flush()
            for report in hand.link.receive():
                hand.report = report
                if report.is_quiet and not hand.is_retired:  # told so by somebody else
                    hand.retired_at = time.monotonic()
        except ChannelClosedError:
            self._bury(hand)

    def _post(self, hand: _Hand, message: Tell | Retire | Drain) -> None:
        try:
            hand.link.post(message)
        except ChannelClosedError:
            self._bury(hand)

    def _bury(self, hand: _Hand) -> None:
        """Its link has ended, and so has it, or will at once."""
        _kill(hand)
        code = ended(hand.pid, wait=True)
        assert code is not None, "it was waited for"
        hand.link.close()
        self._hands.remove(hand)
        self._job.app.metrics.end(hand.book)
        self._free_books.append(hand.book)
        if hand.is_retired or self._is_ending:
            return
        lived_s = time.monotonic() - hand.born_at
        self._early_deaths = self._early_deaths + 1 if lived_s < _SETTLED_AFTER_S else 0
        pause_s = backoff_s(self._early_deaths) if self._early_deaths > 1 else 0.0
        self._fork_at = time.monotonic() + pause_s
        log.warning("worker %d %s: another takes its place", hand.pid, how_it_ended(code))


def _forget_the_loader(links: list[Link]) -> None:
    """In a new worker: what belongs to the loader is not ours to hear or to hold open."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for link in links:
        link.close()


def _kill(hand: _Hand) -> None:
    try:
        os.kill(hand.pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("worker %d has ended", hand.pid)
