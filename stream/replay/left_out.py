"""Which records a rewind leaves out."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from checkpoints.records.skips import Skips
from config.model_file import ModelFile
from learner.events.cloudevents import source_of
from learner.events.decode import decoder
from learner.events.times import time_ms
from learner.values import Event
from stream.replay.in_order import Piece
from stream.send.resume import unnumbered
from stream.source.topics import other_decoders


class LeftOut:
    """Knows what is left out of a replay; decides by each record alone.

    Args:
        skips: What is left out.
        model_file: Which topic is which, and how a record is decoded.
    """

    def __init__(self, skips: Skips, model_file: ModelFile) -> None:
        self._skips, self._events = skips, model_file.topics.events
        labels = model_file.topics.labels
        others = other_decoders(model_file, None if labels == self._events else labels)
        self._decode, self._others = decoder(model_file), others

    def split(self, stretch: Piece) -> Iterator[Piece]:
        """The stretch in pieces, those that are left out told from the others."""
        if stretch.is_left_out or not self._means_any(stretch):
            yield stretch
            return
        topic, partition = stretch.topic, stretch.partition
        for is_left_out, records in groupby(
            stretch.records, lambda record: self._means(topic, partition, record)
        ):
            yield Piece(topic, partition, list(records), is_left_out)

    def _means_any(self, stretch: Piece) -> bool:
        """Whether a record of it may be left out; by offsets that is told by the ends."""
        skips = self._skips
        if skips.asks_content or skips.sources:
            return True
        first, last = stretch.records[0].offset, stretch.records[-1].offset
        return any(
            each.partition == stretch.partition
            and (each.topic or self._events) == stretch.topic
            and each.first <= last
            and first <= each.last
            for each in skips.offsets
        )

    def _means(self, topic: str, partition: int, record: Any) -> bool:
        skips = self._skips
        if skips.has_offset(topic, partition, record.offset, events=self._events):
            return True
        if skips.sources and self._means_source(record):
            return True
        return skips.asks_content and self._means_content(topic, partition, record)

    def _means_source(self, record: Any) -> bool:
        """With the number that `weir dev` gives each record of a demo, or without."""
        source = source_of(record.value, record.headers)
        return source is not None and not self._skips.sources.isdisjoint(
            (source, unnumbered(source))
        )

    def _means_content(self, topic: str, partition: int, record: Any) -> bool:
        """By id and time: of what cannot be decoded, by the place and time of its record."""
        event = self._others.get(topic, self._decode)(record.value, record.headers)
        own_id = f"{topic}-{partition}-{record.offset}"
        if not isinstance(event, Event):
            return own_id in self._skips.ids or self._skips.has_time(record.timestamp)
        given = own_id if event.id is None else event.id
        return given in self._skips.ids or self._skips.has_time(_time_ms(event.ts, record))


def _time_ms(ts: str | float | None, record: Any) -> float:
    """The event's time; the record's where it gives none."""
    if ts is None:
        return float(record.timestamp)
    return time_ms(ts) if isinstance(ts, str) else ts * 1000


def taken_of(left_out: LeftOut, stretches: Sequence[Piece]) -> list[Piece]:
    """The stretches, split where something is left out."""
    return [piece for stretch in stretches for piece in left_out.split(stretch)]
