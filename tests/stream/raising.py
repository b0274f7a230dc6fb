"""Learners that raise: always on one event, or only the first time that a process sees it."""

from typing import Any

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

    has_raised = False

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        if x["n"] == BAD and not Moody.has_raised:
            Moody.has_raised = True
            raise MemoryError("for now")
