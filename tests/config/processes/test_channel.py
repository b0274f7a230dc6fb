"""The channel: whole messages in order, whatever their size, until one end closes."""

import os
import threading

import pytest

from config.processes.channel import ChannelClosedError
from config.processes.fork import ended, fork
from learner.events.examples import Examples
from stream.between.messages import Batch, Cleared, pair


@pytest.fixture
def ends():
    one, other = pair()
    yield one, other
    one.close()
    other.close()


def batch(n, size):
    examples = Examples("t", 0, [n], [0], [{"text": "x" * size, "huge": 3**200, "f": 0.1}], [True])
    return Batch(n, 1, {"offset": n}, examples, ["not_json"])


def received(end, count):
    found = []
    while len(found) < count:
        found += end.receive(1.0)
    return found


def test_messages_come_whole_and_in_order_through_a_full_buffer(ends):
    """Sixty megabytes against a reader that starts later."""
    one, other = ends
    sent = [batch(n, size) for n, size in enumerate([0, 1 << 24, 5, 1 << 25, 0, 1 << 23])]
    for message in sent:
        one.post(message)
    assert one.has_unsent

    found = []
    reader = threading.Thread(target=lambda: found.extend(received(other, len(sent) + 1)))
    reader.start()
    one.send(Cleared("last"))
    reader.join()

    assert found == [*sent, Cleared("last")]
    assert not one.has_unsent


def test_what_was_sent_is_read_before_the_end_is_told(ends):
    """Last words are heard."""
    one, other = ends
    one.send(Cleared("v1"))
    one.close()

    assert other.receive(1.0) == [Cleared("v1")]
    with pytest.raises(ChannelClosedError):
        other.receive(1.0)
    with pytest.raises(ChannelClosedError):
        other.send(Cleared("v2"))


def test_nothing_there_is_no_message(ends):
    """Without waiting."""
    assert ends[0].receive() == []


def test_a_process_that_dies_closes_its_end(ends):
    """As kill -9 does; the code says by what."""
    one, other = ends

    def work():
        one.close()
        other.send(Cleared("begun"))
        os.kill(os.getpid(), 9)
        return 0

    pid = fork(work)
    other.close()

    assert received(one, 1) == [Cleared("begun")]
    with pytest.raises(ChannelClosedError):
        one.receive(5.0)
    assert ended(pid, wait=True) == -9


def test_a_forked_process_never_returns_into_our_stack(capfd):
    """Its result is its code; what it raises is logged, and is code 1."""
    assert ended(fork(lambda: 7), wait=True) == 7

    def fail():
        raise KeyError("inside")

    assert ended(fork(fail), wait=True) == 1
