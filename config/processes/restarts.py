"""What follows from the end of a child process: decisions that `supervisor.py` obeys."""

import signal
from collections.abc import Mapping
from enum import Enum, auto

# weir's own exit codes after which the same start ends the same way, and why it does.
FINAL_CODES: Mapping[int, str] = {
    2: "its usage, settings or model file are wrong",
    4: "what it found conflicts with what it was to go on from",
    6: "a guard refused it",
}
_SIGNALLED = 128  # shells and JVMs say "ended by signal n" as 128 + n

_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 0.5, 10.0


class Verdict(Enum):
    """What follows from the end of a child."""

    DONE = auto()
    AGAIN_AT_ONCE = auto()
    AGAIN_LATER = auto()
    NEVER_AGAIN = auto()


def verdict(code: int, *, was_ready: bool, is_one_shot: bool) -> Verdict:
    """What follows when a child ends with `code`, negative for a signal as in `subprocess`.

    >>> verdict(-9, was_ready=True, is_one_shot=False).name
    'AGAIN_AT_ONCE'
    >>> verdict(70, was_ready=True, is_one_shot=False).name
    'AGAIN_LATER'
    >>> verdict(4, was_ready=False, is_one_shot=False).name
    'NEVER_AGAIN'
    """
    if code == 0 and is_one_shot:
        return Verdict.DONE
    if code in FINAL_CODES:
        return Verdict.NEVER_AGAIN
    # Code 0: someone's SIGTERM, obeyed.
    if was_ready and (code <= 0 or code > _SIGNALLED):
        return Verdict.AGAIN_AT_ONCE
    return Verdict.AGAIN_LATER


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row.

    >>> [backoff_s(n) for n in (1, 2, 3, 6, 1000)]
    [0.5, 1.0, 2.0, 10.0, 10.0]
    """
    return min(_BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 10), _BACKOFF_MAX_S)


def how_it_ended(code: int) -> str:
    """In words.

    >>> how_it_ended(-9), how_it_ended(70)
    ('was ended by SIGKILL', 'ended with code 70')
    """
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
