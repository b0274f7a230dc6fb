"""Forking a process that dies with us, does one thing, and never returns into our stack."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from config.processes.child import die_with_parent

log = logging.getLogger(__name__)

FAILED = 1


def fork(work: Callable[[], int], *, leads: bool = False) -> int:
    """Run `work` in a new process, which ends with the code that it returns; the process's id.

    Call it where there is one thread: another's locks would stay locked in the new process. The
    new process leaves signals to us, and is killed by the kernel when we die.

    Args:
        leads: It leads a process group, with all that it will start.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be_the_child(parent, work, leads=leads)
    return pid


def ended(pid: int, *, wait: bool) -> int | None:
    """The exit code of a forked process, negative for the signal that ended it; None: it runs."""
    found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _be_the_child(parent: int, work: Callable[[], int], *, leads: bool) -> NoReturn:
    code = FAILED
    try:
        if leads:
            os.setpgid(0, 0)
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)  # ours would be woken by its signals
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        gc.freeze()
        code = work()
    except BaseException:
        log.exception("a process of ours failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
