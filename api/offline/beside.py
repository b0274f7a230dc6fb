"""A model that answers in a process beside the caller's, which runs as a learner's does.

A notebook's Python has chosen its hash seed before anybody could ask it to: some of River's models
would answer with other last digits there, or another of two classes that are equally likely. So the
model is loaded where the seed is the learner's, and asked over a socket.

    state     what is done                       what moves it on
    none      the next question starts one       started: its file is loaded there, the id compared
    ready     rows go out, answers come back     interrupted between the two, or it died: none
    forked    as none: the parent's is its own   (a process forked from the one that started it)
"""

import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from api.offline.errors import AnsweringEndedError, NotFitHereError
from api.offline.messages import LoadedFile, LoadFile, channel_of
from config.processes.alike import ALIKE
from config.processes.channel import Channel, ChannelClosedError
from learner.values import Features

__all__ = ["Beside"]

_HOME = Path(__file__).resolve().parents[2]
_LOOK_S = 60.0
_STOP_S = 5.0


class Beside:
    """Answerer in a process of its own, which ends with this object.

    Args:
        order: What it loads.
        version_id: What that must be.

    Raises:
        NotFitHereError: It could not be loaded.
    """

    where = "a process beside this one"

    def __init__(self, order: LoadFile, version_id: str) -> None:
        self._order, self._id = order, version_id
        self._lock = threading.Lock()
        _living.add(self)
        self._channel: Channel[bytes] | None = None
        self._owner = 0
        self._started()

    def ask(self, rows: Sequence[Features], *, is_table: bool) -> list[dict[str, Any]]:
        """An answer to each row, as `api.offline.here.asked_many` gives it.

        Raises:
            AnsweringEndedError: The process has died; the next question starts another.
        """
        with self._lock:
            channel = self._started()
            question = json.dumps({"rows": rows, "is_table": is_table}).encode()
            found: list[dict[str, Any]] = msgspec.json.decode(self._exchanged(channel, question))
        return found

    def close(self) -> None:
        """End the process; whoever asks again starts another."""
        with self._lock:
            self._let_go()

    def renew_lock(self) -> None:
        """In a process that was just forked: a thread that is not here may have held the lock."""
        self._lock = threading.Lock()

    def _started(self) -> Channel[bytes]:
        if self._channel is not None and self._owner == os.getpid():
            return self._channel
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _start(theirs.fileno())
        self._channel, self._owner = channel_of(ours), os.getpid()
        self._end = weakref.finalize(self, _end, self._process, self._channel, self._owner)
        told = msgspec.json.decode(
            self._exchanged(self._channel, msgspec.json.encode(self._order)), type=LoadedFile
        )
        if told.id != self._id:
            self._let_go()
            raise NotFitHereError(told.problem or f"{self._order.file} is another version now")
        return self._channel

    def _exchanged(self, channel: Channel[bytes], message: bytes) -> bytes:
        try:
            channel.send(message)
            while True:
                for answer in channel.receive(timeout_s=_LOOK_S):
                    return answer
        except ChannelClosedError as error:
            self._let_go()
            what = f"the process that answers for {self._order.file} has ended: ask again"
            raise AnsweringEndedError(what) from error
        except BaseException:  # Ctrl-C: the answer that is still to come is nobody's
            self._let_go()
            raise

    def _let_go(self) -> None:
        if self._channel is not None:
            self._end()
            self._channel = None


_living: "weakref.WeakSet[Beside]" = weakref.WeakSet()


def _renew_locks() -> None:
    for each in list(_living):
        each.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)


def _start(handle: int) -> "subprocess.Popen[bytes]":
    """Python with our environment, and the caller's way of finding modules after our own."""
    here = [each or str(Path.cwd()) for each in sys.path]
    path = os.pathsep.join([str(_HOME), *here])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "api.offline.answering", str(handle)],
        env={**os.environ, **ALIKE, "PYTHONPATH": path},
        pass_fds=(handle,),
        stdin=subprocess.DEVNULL,
    )


def _end(process: "subprocess.Popen[bytes]", channel: Channel[bytes], owner: int) -> None:
    """It ends when its channel does. A forked copy of us leaves it to who started it."""
    channel.close()
    if os.getpid() != owner:
        return
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
