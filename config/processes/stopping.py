"""Ctrl-C that waits for a moment between two stretches: a learner must not be stopped within one.

What a learner raises while it learns is taken for its own error, whatever it is.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Whether to stop.

    Attributes:
        is_asked: Ctrl-C was pressed, or SIGTERM came.
    """

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, number: int, _: FrameType | None) -> None:
        """Stop at the next moment. Asked a second time, at once."""
        self.is_asked = True
        signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def stop_when_told() -> Iterator[Stop]:
    """Listen while the body runs. What nohup made this process ignore stays so."""
    stop = Stop()
    before = {
        number: signal.signal(number, stop.ask)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
