"""Spans of what is learned: one for each batch with a record that is traced, and one for each
commit of such batches.

A batch's span is linked to those of its records, as a batch has many origins. A label that comes
later names its event, so its batch is linked to the event's as well: one walk leads from a
prediction through its label to the commit that learned it. Nothing of it is in the learner.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from checkpoints.records.manifest import Manifest
from config.traces.context import HEADER, TraceContext, read
from stream.between.messages import Took
from stream.source.in_flight import Taken

if TYPE_CHECKING:
    from config.traces.spans import Spans

# What is remembered: events whose label may come, and batches that no commit has taken in yet.
IDS_MAX, BATCHES_MAX = 10_000, 1_000


class _Processed(NamedTuple):
    """A batch that was taken, and up to, and without, which offset."""

    topic: str
    partition: str
    following: int
    context: TraceContext

    def is_in(self, offsets: Mapping[str, Mapping[str, int]]) -> bool:
        """Whether a version with these offsets has learned it."""
        return self.following <= offsets.get(self.topic, {}).get(self.partition, 0)


class BatchTraces:
    """Makes the spans of one learner.

    Args:
        spans: Where they go.
        model: Whose they are.
    """

    def __init__(self, spans: "Spans", model: str) -> None:
        self._spans, self._model = spans, model
        self._by_id: OrderedDict[str, TraceContext] = OrderedDict()
        self._uncommitted: list[_Processed] = []

    def took(self, taken: Taken, message: Took) -> None:
        """The learner has taken a batch."""
        batch = taken.batch
        traced = dict(_traced(batch.records))
        links = [*traced.values(), *self._of_events(batch.ids or ())]
        if not links:
            return
        self._remember(traced, batch)
        span = self._spans.begin(
            f"process {batch.topic}",
            "consumer",
            links=list(dict.fromkeys(links)),
            at_ns=time.time_ns() - int(message.seconds * 1e9),
        )
        span.end(
            {
                "weir.model": self._model,
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": batch.topic,
                "messaging.destination.partition.id": str(batch.partition),
                "messaging.kafka.offset": batch.records[0].offset,
                "messaging.batch.message_count": len(batch.records),
                "weir.learned": taken.learned,
                "weir.refused": len(taken.refused),
                "weir.drifts": len(message.drifted),
            }
        )
        following = batch.records[-1].offset + 1
        made = _Processed(batch.topic, str(batch.partition), following, span.context)
        self._uncommitted.append(made)
        del self._uncommitted[:-BATCHES_MAX]

    def committed(self, manifest: Manifest) -> None:
        """A version is the head: it has in it what was taken before its offsets."""
        within = [each for each in self._uncommitted if each.is_in(manifest.offsets)]
        if not within:
            return
        self._uncommitted = [each for each in self._uncommitted if each not in within]
        span = self._spans.begin("commit", "internal", links=[each.context for each in within])
        span.end(
            {
                "weir.model": self._model,
                "weir.version": manifest.name,
                "weir.learned": manifest.counts.learned,
            }
        )

    def _of_events(self, ids: Sequence[str | None]) -> Iterator[TraceContext]:
        """The spans of events that came before and have these ids."""
        for each in ids if self._by_id else ():
            if each is not None and each in self._by_id:
                yield self._by_id[each]

    def _remember(self, traced: Mapping[int, TraceContext], batch: Any) -> None:
        """The ids of records that are traced: a label may come that names one."""
        if batch.ids is None:
            return
        refused = {place for place, _ in batch.refused}
        places = [place for place in range(len(batch.records)) if place not in refused]
        for place, each in zip(places, batch.ids, strict=True):
            if place in traced and each is not None:
                self._by_id.setdefault(each, traced[place])
        while len(self._by_id) > IDS_MAX:
            self._by_id.popitem(last=False)


def _traced(records: Sequence[Any]) -> Iterator[tuple[int, TraceContext]]:
    """The places of records whose headers say that they are traced, and by which span."""
    for place, record in enumerate(records):
        if record.headers:  # most have none
            for name, value in record.headers:
                asked = read(value) if name == HEADER else None
                if asked is not None and asked.is_sampled:
                    yield place, asked.context
