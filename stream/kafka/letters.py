"""The last dead letters of a model, for whoever looks at them: where each stood, and why it went.

They are searched from the end on: a topic of dead letters may hold those of several models.
"""

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple

from config.settings import KafkaSettings
from stream.kafka import client as kafka_client
from stream.kafka.log_reader import LogReader, Span

# Of each partition so many letters are looked at, so many at a time, and for so long in all.
_LOOKED_AT_MAX, _AT_ONCE = 1_000, 100
_SECONDS_MAX = 5.0
_SHOWN_BYTES = 1_024
_OURS = "weir-dlq-"


class LetterFound(NamedTuple):
    """One letter.

    Attributes:
        model: Which refused the record.
        id: Of the record, `topic-partition-offset`.
        topic, partition, offset: Where it stands.
        reason, stage, detail: Why it was refused, where, and in words.
        at_ms: When the letter was written.
        size: Of its value, in bytes.
        key, value: The first KiB of each.
    """

    model: str
    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    stage: str
    detail: str
    at_ms: int
    size: int
    key: bytes | None
    value: bytes


class LetterReader:
    """Reads letters; holds no connection between two questions, so that it can be forked.

    Args:
        kafka: Where the brokers are.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    def last(
        self, topics: Sequence[str], *, model: str, reason: str | None, limit: int
    ) -> list[LetterFound]:
        """The newest letters of a model, newest first.

        Args:
            topics: Whose records were refused; of those without dead letters there are none.
            reason: Only those refused for it.
            limit: How many at most.

        Raises:
            KafkaUnavailableError: No broker answers.
        """
        names = [kafka_client.dead_letter_topic(topic) for topic in topics]
        there = kafka_client.describe(self._kafka, names)
        give_up_at = time.monotonic() + _SECONDS_MAX
        found: list[LetterFound] = []
        with closing(LogReader(self._kafka, silent_limit_s=_SECONDS_MAX)) as reader:
            for span in (span for topic in there.values() for span in reader.spans(topic, None)):
                found += _last_of(reader, span, (model, reason), limit, give_up_at)
        return sorted(found, key=lambda it: it.at_ms, reverse=True)[:limit]


def _last_of(
    reader: LogReader, span: Span, wanted: tuple[str, str | None], limit: int, give_up_at: float
) -> list[LetterFound]:
    """Of one partition, some letters at a time, the later ones first."""
    found: list[LetterFound] = []
    end, least = span.end, max(span.begin, span.end - _LOOKED_AT_MAX)
    while end > least and len(found) < limit and time.monotonic() < give_up_at:
        begin = max(least, end - _AT_ONCE)
        part = Span(span.topic, span.partition, begin, end)
        letters = [_letter(record) for some in reader.records([part]) for record in some]
        found += [it for it in letters if it.model == wanted[0] and wanted[1] in (None, it.reason)]
        end = begin
    return found


def _letter(record: Any) -> LetterFound:
    told = {
        name.removeprefix(_OURS): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(_OURS)
    }
    value, key = record.value or b"", record.key
    return LetterFound(
        model=told.get("model", ""),
        id=told.get("id", ""),
        topic=told.get("topic", ""),
        partition=_number(told.get("partition", "")),
        offset=_number(told.get("offset", "")),
        reason=told.get("reason", ""),
        stage=told.get("stage", ""),
        detail=told.get("detail", ""),
        at_ms=record.timestamp,
        size=len(value),
        key=None if key is None else key[:_SHOWN_BYTES],
        value=value[:_SHOWN_BYTES],
    )


def _number(text: str) -> int:
    """A number in a header, which anybody may have written."""
    with suppress(ValueError):
        return int(text)
    return -1
