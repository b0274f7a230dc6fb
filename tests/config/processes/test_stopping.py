"""Ctrl-C that waits for a moment."""

import os
import signal

import pytest

from config.processes.stopping import stop_when_told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_heeded_later_the_second_at_once(number: signal.Signals) -> None:
    """And afterwards all is as it was."""
    before = signal.getsignal(number)

    with stop_when_told() as stop:
        assert not stop.is_asked
        os.kill(os.getpid(), number)
        assert stop.is_asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)

    assert signal.getsignal(number) == before


def test_what_is_ignored_stays_so() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_when_told() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_asked
    finally:
        signal.signal(signal.SIGHUP, before)
