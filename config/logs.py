"""Log lines: one way for our own and for the libraries', all of them on stderr.

Our modules log by `logging.getLogger(__name__)`, facts in `extra={…}`; `log_lines.py` renders them.
Repeats are held back, so that a broker that is away does not fill the disk.
"""

import functools
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from config.settings import Settings

REPEAT_S = 5.0  # one line of the same message in so many seconds
MESSAGES_MAX = 1000  # messages remembered; the one longest unseen goes first

# They put client ids and ports into each line: told apart by the template, not by the text. kafka
# also writes a whole traceback for every broken connection, and its progress at level info.
NOISY = ("kafka", "asyncio")
# It warns of its own loop being slow, whenever another thread had the interpreter.
_MUTED = "kafka.net.selector"


def configure(service: str, settings: Settings) -> None:
    """Send every log line of this process to stderr. Called once, where the process starts.

    Args:
        service: Said in each line: `learner:phishing`, `api`, …
        settings: `log.format` and `log.level`; their `notes` are logged.

    uvicorn must be started with `log_config=None`, or it undoes this for its own loggers.
    """
    handler = LimitedHandler(sys.stderr)
    handler.setFormatter(Lines(service, is_console=_is_console(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level.upper())
    is_debug = settings.log.level == "debug"
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if is_debug else logging.WARNING)
    logging.getLogger(_MUTED).setLevel(logging.NOTSET if is_debug else logging.ERROR)
    logging.captureWarnings(capture=True)
    for note in settings.notes:
        logging.getLogger(__name__).info(note)


class Lines(logging.Formatter):
    """Renders the lines of one process.

    What renders is loaded for the first line: a command that has none to write answers sooner.
    """

    def __init__(self, service: str, *, is_console: bool) -> None:
        super().__init__()
        self._service, self._is_console = service, is_console

    @functools.cached_property
    def _rendered(self) -> logging.Formatter:
        from config.log_lines import line_formatter

        return line_formatter(self._service, is_console=self._is_console, is_noisy=_is_noisy)

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        return self._rendered.format(record)


class RepeatLimit:
    """Admits a message once in `interval_s` and counts what it held back in between.

    >>> limit = RepeatLimit(interval_s=5.0)
    >>> [limit.admit("away", now_s=second) for second in (0.0, 1.0, 2.0, 6.0)]
    [0, None, None, 2]
    """

    def __init__(self, *, interval_s: float = REPEAT_S, messages_max: int = MESSAGES_MAX) -> None:
        self._interval_s = interval_s
        self._messages_max = messages_max
        self._seen: OrderedDict[object, tuple[float, int]] = OrderedDict()  # since, held back

    def admit(self, message: object, *, now_s: float) -> int | None:
        """How many were held back since it was last admitted; None: hold this one back too."""
        since_s, held_back = self._seen.pop(message, (None, 0))
        if since_s is not None and now_s - since_s < self._interval_s:
            self._seen[message] = (since_s, held_back + 1)
            return None
        self._seen[message] = (now_s, 0)
        if len(self._seen) > self._messages_max:
            self._seen.popitem(last=False)
        return held_back


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes a line unless the same message was written a moment ago.

    Our own progress (info and below) is always written. The limit is asked under the handler's
    own lock, which `logging` renews in a forked child.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._limit = RepeatLimit()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, with `repeated` where others of it were held back."""
        if _is_noisy(record.name) or record.levelno >= logging.WARNING:
            held_back = self._limit.admit(_message_of(record), now_s=self._clock())
            if held_back is None:
                return
            if held_back:
                record.repeated = held_back
        super().emit(record)


@contextmanager
def held_back(library: str) -> Iterator[None]:
    """Nothing that a library logs is said meanwhile: what becomes of it is told by us, once."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_noisy(logger: str) -> bool:
    return logger.partition(".")[0] in NOISY


def _message_of(record: logging.LogRecord) -> object:
    """What makes two lines the same message; never formats it, which may fail."""
    facts: object = None
    if not _is_noisy(record.name):
        facts = record.args, [getattr(record, name, None) for name in ("model", "topic")]
    text = record.msg if isinstance(record.msg, str) else ""
    return record.name, record.levelno, text, repr(facts)


def _is_console(settings: Settings) -> bool:
    if settings.log.format == "auto":
        return sys.stderr.isatty()
    return settings.log.format == "console"
