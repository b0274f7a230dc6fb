"""A question to a copy of the learner: a forked process, thrown away with all that it changed."""

import select
from collections.abc import Callable

from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from stream.between.messages import Tried, pair


def of_a_copy(ask: Callable[[], Tried]) -> Tried | None:
    """What `ask` returns in a copy of this process; None where the copy died.

    Nobody looks at the clock: a copy that hangs is a learner that hangs, for the watchdog.
    """
    ours, theirs = pair()

    def work() -> int:
        ours.close()
        theirs.send(ask())
        return 0

    try:
        pid = fork(work)
    finally:
        theirs.close()
    try:
        select.select([ours], [], [])
        (told,) = ours.receive()
    except ChannelClosedError:
        return None
    finally:
        ours.close()
        ended(pid, wait=True)
    assert isinstance(told, Tried), f"the copy said {told}"
    return told
