"""A process that answers: forked from the loader, whose loaded models it shares.

It has one thread, asks the store only where a request does, and hears from the loader where each
line stands. It ends when the loader does, whatever happens to that.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from api.app import Api
from api.processes.handover import Passage
from api.processes.link import Drain, Link, Report, Retire, Tell
from api.processes.server import DRAIN_S, Server, make_server
from api.routes.events import Publisher
from api.serving.served import Served
from checkpoints.records.line import Line
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError

log = logging.getLogger(__name__)

_SPANS_S = 0.5  # to send the last spans
_NOTES_S = 1.0  # to hand over what is noted of the last answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all workers have in common, made before they are forked.

    Attributes:
        app: What answers; its store connects anew in each process.
        models: The lines that are served, and their model files.
        publisher: Not used before the fork.
        door: The listening socket.
        notes_to: Where who sends the log of predictions is found, where there is one.
    """

    app: Api
    models: Mapping[Line, ModelFile]
    publisher: Publisher | None
    door: socket.socket
    passage: Passage
    scratch: Path | None
    notes_to: Path | None = None
    drain_s: float = DRAIN_S


class Worker:
    """One worker, in its own process.

    Args:
        job: What there is to do.
        link: To the loader.
        book: Of the tallies, its own.
        served: What it answers with, as the loader has it at the fork.
    """

    def __init__(self, job: Job, link: Link, book: int, served: Served) -> None:
        self._job, self._link, self._served = job, link, served
        job.app.enter(served, book, job.notes_to)
        self._is_open = self._is_quiet = False
        self._reported: Report | None = None
        self._server: Server | None = None

    def run(self) -> None:
        """Answer until told to end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to the loader as well
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._work())
        self._job.app.notes.close(_NOTES_S)
        self._job.app.traces.close(_SPANS_S)
        if self._job.publisher is not None:
            self._job.publisher.close()

    async def _work(self) -> None:
        job = self._job
        self._server = make_server(
            job.app,
            job.door,
            job.passage,
            on_open=self._opened,
            on_left=self._left,
            drain_s=job.drain_s,
        )
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._retire)
        loop.add_reader(self._link.fileno(), self._hear)
        await self._server.serve()

    def _hear(self) -> None:
        try:
            for message in self._link.receive():
                self._obey(message)
        except ChannelClosedError:
            self._end_now()
        except Exception:  # the border: the loader replaces a worker that cannot follow it
            log.exception("this worker cannot go on")
            self._retire()

    def _obey(self, message: Tell | Retire | Drain) -> None:
        match message:
            case Tell(standings, awaited):
                self._served.take(standings)
                self._served.awaited = awaited
                self._report()
            case Retire():
                self._retire()
            case Drain():
                assert self._server is not None
                self._server.begin_drain()

    def _retire(self) -> None:
        assert self._server is not None
        self._server.hand_over()

    def _opened(self) -> None:
        self._is_open = True
        self._report()

    def _left(self) -> None:
        self._is_quiet = True
        self._report()

    def _report(self) -> None:
        """Once it lets clients in, tell the loader how far we are, where that is new."""
        if not self._is_open:
            return
        report = Report(self._served.places, self._is_quiet)
        if report != self._reported:
            self._reported = report
            self._link.post(report)

    def _end_now(self) -> None:
        # No error of this worker's: whoever runs the loader tells of its end, or has ended it.
        log.info("the loader has gone: this worker ends with it")
        assert self._server is not None
        self._server.should_exit = self._server.force_exit = True
        asyncio.get_running_loop().remove_reader(self._link.fileno())
