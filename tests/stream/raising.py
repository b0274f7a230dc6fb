"""Learners that raise: always on one event, or only the first time that a process sees it."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from tests.stream.recorder import Recorder

BAD = 700


class Raising(Recorder):
    """Raises on one event each time, when it has already changed."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] == BAD:
            raise OverflowError("math range error")


class Moody(Recorder):
    """Raises on one event the first time only: something passing, such as memory."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] == BAD and _is_first_time():
            raise MemoryError("for now")


class Exiting(Recorder):
    """Ends the program on one event, as a script that was made a learner might."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] == BAD:
            sys.exit(3)


class Slow(Recorder):
    """Takes its time over each event."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        time.sleep(0.1)


class Helped(Recorder):
    """Starts a process of its own, which outlives it and holds all its files open."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] == BAD and os.fork() == 0:
            time.sleep(120)
            os._exit(0)


class Spoilt(Recorder):
    """Cannot answer an event any more when it has learned it."""

    def predict_one(self, x: dict[str, Any]) -> bool | None:
        if x["n"] in self.learned:
            raise RuntimeError("seen before")
        return super().predict_one(x)


class Unwritable(Recorder):
    """Cannot be written down once it has learned."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        self.file = sys.stderr


def _is_first_time() -> bool:
    """Whether no process of this learner was here before: all of them have the same parent."""
    flag = Path(tempfile.gettempdir()) / f"moody-{os.getppid()}"
    is_first = not flag.exists()
    flag.touch()
    return is_first


class OftenRaising(Recorder):
    """Raises on each fifth event, when it has changed already; cannot be asked about others."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] % 5 == 3:
            raise OverflowError(f"no {x['n']}")

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        if x["n"] % 7 == 5:
            raise ArithmeticError(f"never {x['n']}")
        return super().predict_proba_one(x)


class Never(Recorder):
    """Learns nothing."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        raise OverflowError("never")


class Dying(Recorder):
    """Is killed by one event, whenever it comes."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        if x["n"] == BAD:
            os.kill(os.getpid(), signal.SIGKILL)
        super().learn_one(x, y)


class Outside(Recorder):
    """Keeps what it has learned in its class, which no version holds."""

    seen: ClassVar[dict[bool, int]] = {}

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        self.seen[y] = self.seen.get(y, 0) + 1

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        total = sum(self.seen.values())
        return {y: self.seen.get(y, 0) / total if total else 0.5 for y in (False, True)}


_LAST: list[bool] = []


class Elsewhere(Recorder):
    """Keeps the last label in its module."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        _LAST[:] = [y]

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        return {y: 0.5 if not _LAST else 0.1 + 0.8 * (y == _LAST[0]) for y in (False, True)}
