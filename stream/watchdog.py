"""Ends a learner whose loop no longer turns.

Some hangs of the Kafka client cannot be reached by an exception (dpkp/kafka-python #3121). The
supervisor restarts a process that ends with 70, and the head says where to go on.
"""

import faulthandler
import logging
import os
import sys
import threading
import time

from stream.status import Status

log = logging.getLogger(__name__)

EXIT_CODE = 70
_LOOK_EVERY_S = 1.0


class Watchdog(threading.Thread):
    """Dumps every stack and ends the process once the loop has not turned for `limit_s`.

    Args:
        status: Its `ticked_at` is watched.
        limit_s: Above the longest that one turn may take: a chunk of events, a commit, a wait for
            the store.
    """

    def __init__(self, status: Status, *, limit_s: float) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._status, self._limit_s = status, limit_s

    def run(self) -> None:
        """Look once a second."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            quiet_s = time.monotonic() - self._status.ticked_at
            if quiet_s > self._limit_s:
                log.critical("the loop has not turned for %.0f s: ending with 70", quiet_s)
                faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
                os._exit(EXIT_CODE)
