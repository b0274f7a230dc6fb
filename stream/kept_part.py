"""One process of a line, the source or the learner, as the keeper sees it."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Protocol

from config.processes.fork import ended
from config.processes.progress import Progress
from stream.between.messages import Channel, LastWords

__all__ = ["Closes", "Part"]

_PRINT_STACKS = signal.SIGUSR1
_LAST_WORDS_S = 0.5


class Closes(Protocol):
    """What is held, and can be given back."""

    def close(self) -> None:
        """Give it back."""


@dataclass(slots=True)
class Part:
    """The source or the learner, as the keeper sees it: alive until its channel closes."""

    name: str
    pid: int
    channel: Channel
    code: int | None = None
    last_words: LastWords | None = None
    failure: str | None = None
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.pid)

    def stands_still(self, limit_s: float) -> bool:
        """Whether it has done nothing at all for so long: a slow start does something."""
        return self.progress.still_s(said=0) > limit_s

    def say_where_it_stands(self) -> None:
        """Have it print every stack, which it can in the midst of a call; wake it for that."""
        os.kill(self.pid, _PRINT_STACKS)
        os.kill(self.pid, signal.SIGCONT)
        time.sleep(_LAST_WORDS_S)

    def kill(self) -> None:
        """End it and all that it has started."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.code = ended(self.pid, wait=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.channel.close()
