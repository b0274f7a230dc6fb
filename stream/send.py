"""`weir send`: records to the events topic, at a rate, until all are acknowledged."""

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from config.model_file import ModelFile
from config.settings import KafkaSettings
from stream.producer import Producer
from stream.readers import Columns, Outgoing, records

_PROGRESS_EVERY_S = 1.0
# Pacing looks at the clock once for so many records, at high rates.
_LOOK_EVERY = 50


def send(
    kafka: KafkaSettings,
    model_file: ModelFile,
    source: str,
    columns: Columns,
    *,
    rate: float | None,
    limit: int | None,
) -> dict[str, int]:
    """Publish the records of `source` in order; what was sent and acknowledged.

    Args:
        rate: Records a second; None: as fast as Kafka takes them.
        limit: Records at most.

    Raises:
        SendError, StreamError: The source cannot be read, or Kafka does not take a record.
    """
    if ".csv" in Path(source).suffixes and columns.label is None:
        what = "no --label: an event without a label is refused in this version"
        print(f"weir: {source}: {what}", file=sys.stderr, flush=True)
    producer = Producer(kafka, model_file.topics.events)
    progress = _Progress(model_file.topics.events)
    outgoing = itertools.islice(records(source, model_file, columns), limit)
    with closing(producer):
        for value, key in _paced(outgoing, rate):
            producer.send(value, key)
            if producer.sent % _LOOK_EVERY == 0 and progress.is_due():
                producer.settle()
                progress.say(producer.sent, producer.acknowledged)
        producer.finish()
    progress.say(producer.sent, producer.acknowledged, is_last=True)
    return {"sent": producer.sent, "acknowledged": producer.acknowledged}


def _paced(outgoing: Iterator[Outgoing], rate: float | None) -> Iterator[Outgoing]:
    if rate is None:
        yield from outgoing
        return
    started = time.monotonic()
    for count, record in enumerate(outgoing):
        ahead_s = count / rate - (time.monotonic() - started)
        if ahead_s > 0.002:
            time.sleep(ahead_s)
        yield record


class _Progress:
    """A line a second on stderr, rewritten in place on a terminal."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._started = self._said = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._said >= _PROGRESS_EVERY_S

    def say(self, sent: int, acknowledged: int, *, is_last: bool = False) -> None:
        self._said = time.monotonic()
        seconds = max(1e-9, self._said - self._started)
        line = (
            f"{self._topic}: {sent:,} sent, {acknowledged:,} acknowledged, {sent / seconds:,.0f}/s"
        )
        is_terminal = sys.stderr.isatty()
        end = "\n" if is_last or not is_terminal else ""
        print("\r" * is_terminal + line, end=end, file=sys.stderr, flush=True)
