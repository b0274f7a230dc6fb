"""Events sent at a steady rate while something else is measured."""

import logging
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle, islice
from typing import Any

from kafka import KafkaProducer

from benchmarks.filling import as_json, phishing

_PAUSE_S = 0.02


class Feed:
    """A process of its own that sends events of Phishing to some topics in turn, until told to end.

    Args:
        address: Kafka's.
        rate: Events a second, of all topics together.
    """

    def __init__(self, address: str, topics: Sequence[str], *, rate: float) -> None:
        context = multiprocessing.get_context("forkserver")
        self._turn = context.Lock()
        self._process = context.Process(target=_send, args=(address, topics, rate, self._turn))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process that sends."""
        assert self._process.pid is not None, "it was started"
        return self._process.pid

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is sent within, and what was sent is acknowledged."""
        with self._turn:
            yield

    def end(self) -> None:
        """Send nothing more."""
        self._process.kill()
        self._process.join()


@contextmanager
def feeding(address: str, topics: Sequence[str], *, rate: float) -> Iterator[Feed]:
    """A feed that ends."""
    feed = Feed(address, topics, rate=rate)
    try:
        yield feed
    finally:
        feed.end()


def _send(address: str, topics: Sequence[str], rate: float, turn: Any) -> None:
    """What the feed's process does."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # of a broker that is killed
    values = list(as_json(phishing()))
    stream = ((topic, value) for value in cycle(values) for topic in topics)
    parent = multiprocessing.parent_process()
    with closing(
        KafkaProducer(
            bootstrap_servers=address,
            linger_ms=5,
            retry_backoff_ms=50,
            reconnect_backoff_max_ms=100,
        )
    ) as producer:
        due, before_s = 0.0, time.perf_counter()
        while parent is None or parent.is_alive():
            with turn:
                now_s = time.perf_counter()
                # After a pause no more than a second's events: it is a rate, not a debt.
                due = min(due + (now_s - before_s) * rate, rate)
                before_s = now_s
                for topic, value in islice(stream, int(due)):
                    producer.send(topic, value)
                producer.flush()
            due %= 1
            time.sleep(_PAUSE_S)
