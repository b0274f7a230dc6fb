"""`weir send`: records to the events topic, at a rate, until all are acknowledged."""

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TypeAlias

from config.model_file import ModelFile
from config.settings import KafkaSettings
from stream.errors import SendStoppedError, StreamError
from stream.kafka.producer import Producer
from stream.send.became import Delivery, say
from stream.send.csv_file import CsvColumns
from stream.send.readers import Outgoing, check_source, features_of, has_labels, records
from stream.send.resume import header, sent_before
from stream.send.unlisted import told_unlisted, unlisted

_PROGRESS_EVERY_S = 1.0
# Pacing looks at the clock once for so many records, at high rates.
_LOOK_EVERY = 50

Numbered: TypeAlias = tuple[int, Outgoing]


def send(
    kafka: KafkaSettings,
    model_file: ModelFile,
    source: str,
    columns: CsvColumns,
    *,
    rate: float | None,
    limit: int | None,
    start_over: str | None = None,
) -> Delivery:
    """Publish the records of `source` in order; what was sent, when all are acknowledged.

    Args:
        rate: Records a second; None: as fast as Kafka takes them.
        limit: Records at most.
        start_over: Go on where an earlier call ended: number the records, and leave out those
            that are in the topic. The text says how to have all of them sent again.

    Raises:
        SendError, StreamError: The source cannot be read at all, or Kafka does not answer.
        SendStoppedError: The same midway; with what was sent before.
        KeyboardInterrupt: As it came, when what was queued is delivered and told.
    """
    check_source(source, columns)
    if others := unlisted(model_file, features_of(source, columns)):
        say(f"warning: {told_unlisted(source, others)}")
    topic = model_file.topics.events
    outgoing = itertools.islice(records(source, model_file, columns), limit)
    numbered: Iterator[Numbered] = enumerate(outgoing)
    with closing(Producer(kafka, topic)) as producer:
        if start_over is not None:
            numbered = _rest(kafka, topic, source, numbered, start_over)
        named = None if start_over is None else source
        _publish(producer, topic, source, _paced(numbered, rate), named)
    if not producer.sent and start_over is None:
        say(f"{source} holds no event: nothing was sent")
    if producer.sent and not has_labels(source, columns):
        say(
            f"{source}: these {producer.sent:,} events carry no label, and wait until it comes "
            "under their id: if the file has it, name its column with --label"
        )
    return Delivery(source=source, topic=topic, sent=producer.sent, ends=producer.ends)


def _publish(
    producer: Producer, topic: str, source: str, numbered: Iterator[Numbered], named: str | None
) -> None:
    """Send all and wait until all are acknowledged; what cut it short is told with the counts.

    Args:
        named: The source, where each record is to carry its number.
    """
    progress = _SendProgress(topic)
    try:
        for number, (value, key) in numbered:
            producer.send(value, key, () if named is None else [header(named, number)])
            if producer.sent % _LOOK_EVERY == 0 and progress.is_due():
                producer.settle()
                progress.say(producer.sent, producer.acknowledged)
        producer.finish()
    except StreamError as error:
        producer.stop()
        raise SendStoppedError(
            source, error, sent=producer.sent, acknowledged=producer.acknowledged
        ) from error
    except KeyboardInterrupt:
        producer.stop()
        progress.say(producer.sent, producer.acknowledged, is_last=True)
        say(f"{source}: interrupted, the rest was not sent")
        raise
    progress.say(producer.sent, producer.acknowledged, is_last=True)


def _rest(
    kafka: KafkaSettings, topic: str, source: str, all_of_it: Iterator[Numbered], start_over: str
) -> Iterator[Numbered]:
    """What of `all_of_it` is not in the topic yet."""
    before = sent_before(kafka, topic, source)
    rest = (each for each in all_of_it if each[0] not in before)
    first = next(rest, None)
    if first is None:
        say(f"{source} is in {topic} already, all of it: nothing is sent; {start_over}")
        return iter(())
    if len(before):
        say(f"{source}: {len(before):,} events are in {topic} already, the rest is sent")
    return itertools.chain([first], rest)


def _paced(outgoing: Iterator[Numbered], rate: float | None) -> Iterator[Numbered]:
    if rate is None:
        yield from outgoing
        return
    started = time.monotonic()
    for count, record in enumerate(outgoing):
        ahead_s = count / rate - (time.monotonic() - started)
        if ahead_s > 0.002:
            time.sleep(ahead_s)
        yield record


class _SendProgress:
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
