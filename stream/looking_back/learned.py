"""What was learned in a stretch of the log: how many records, from whom, with which labels.

Memory stays the same however long the stretch is: what is beyond a limit is told as `other`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from checkpoints.reading.difference import Stretch
from config.model_file import ModelFile
from learner.events.cloudevents import source_of
from learner.tasks import TASKS
from learner.values import Event, Refusal
from stream.looking_back.event_log import EventLog, ReadRecord
from stream.send.resume import unnumbered

OTHER = "(other)"
_SOURCES_MAX = 1_000
_LABELS_MAX = 100
_SHOWN_MAX = 200  # characters of a source


class LabelTally:
    """The labels of one source: how often each, or of numbers their least, mean and greatest.

    >>> tally = LabelTally(is_number=True)
    >>> for label in (1.0, 2.0, 6.0):
    ...     tally.add(label)
    >>> tally.body()
    {'count': 3, 'min': 1.0, 'mean': 3.0, 'max': 6.0}
    """

    def __init__(self, *, is_number: bool, most: int = _LABELS_MAX) -> None:
        self._is_number, self._most = is_number, most
        self._counts: Counter[str] = Counter()
        self._count, self._sum = 0, 0.0
        self._min, self._max = float("inf"), float("-inf")

    def add(self, label: Any) -> None:
        """Count one, which the model's task admits."""
        if not self._is_number:
            name = str(label) if isinstance(label, str) else str(label).lower()
            is_known = name in self._counts or len(self._counts) < self._most
            self._counts[name if is_known else OTHER] += 1
            return
        self._count += 1
        self._sum += label
        self._min, self._max = min(self._min, label), max(self._max, label)

    def body(self) -> Mapping[str, Any]:
        """As JSON has it, the commonest first."""
        if not self._is_number:
            return dict(self._counts.most_common())
        if not self._count:
            return {"count": 0}
        mean = self._sum / self._count
        return {"count": self._count, "min": self._min, "mean": mean, "max": self._max}


class SourceTally:
    """The records of one source."""

    def __init__(self, labels: LabelTally) -> None:
        self.records = self.refused = self.unlabelled = 0
        self.labels = labels
        self._offsets: dict[tuple[str, int], list[int]] = {}

    def add(self, record: Any) -> None:
        """Count a record, and where it stands."""
        self.records += 1
        key = record.topic, record.partition
        first, last = self._offsets.setdefault(key, [record.offset, record.offset])
        self._offsets[key][:] = min(first, record.offset), max(last, record.offset)

    def body(self, source: str | None) -> dict[str, Any]:
        """As JSON has it."""
        offsets: dict[str, dict[str, list[int]]] = {}
        for (topic, partition), ends in sorted(self._offsets.items()):
            offsets.setdefault(topic, {})[str(partition)] = ends
        return {
            "source": source,
            "records": self.records,
            "refused": self.refused,
            "unlabelled": self.unlabelled,
            "labels": dict(self.labels.body()),
            "offsets": offsets,
        }


class _Tallies:
    """By source."""

    def __init__(self, model_file: ModelFile, sources_max: int, labels_max: int) -> None:
        self._sources_max, self._labels_max = sources_max, labels_max
        self._is_number = not TASKS[model_file.task].has_classes
        self._labels = TASKS[model_file.task].labels(model_file)
        self._of: dict[str | None, SourceTally] = {}

    def add(self, found: ReadRecord) -> None:
        record, event = found
        source = source_of(record.value, record.headers)
        tally = self._tally(None if source is None else unnumbered(source)[:_SHOWN_MAX])
        tally.add(record)
        if isinstance(event, Refusal):
            tally.refused += 1
        elif event.label is None:
            tally.unlabelled += 1
        else:
            self._add_label(tally, event)

    def _add_label(self, tally: SourceTally, event: Event) -> None:
        native = self._labels.native(event.label)
        if isinstance(native, Refusal):
            tally.refused += 1
        else:
            tally.labels.add(self._labels.answer((native, None))[0])

    def _tally(self, source: str | None) -> SourceTally:
        if source not in self._of and len(self._of) >= self._sources_max:
            source = OTHER
        if source not in self._of:
            labels = LabelTally(is_number=self._is_number, most=self._labels_max)
            self._of[source] = SourceTally(labels)
        return self._of[source]

    def body(self) -> list[dict[str, Any]]:
        by_size = sorted(self._of.items(), key=lambda each: -each[1].records)
        return [tally.body(source) for source, tally in by_size]


def by_source(
    found: Iterable[ReadRecord],
    model_file: ModelFile,
    *,
    sources_max: int = _SOURCES_MAX,
    labels_max: int = _LABELS_MAX,
) -> list[dict[str, Any]]:
    """What these records are, by source, the one with most of them first.

    Args:
        sources_max: Sources told apart.
        labels_max: Labels told apart, of each.
    """
    tallies = _Tallies(model_file, sources_max, labels_max)
    for each in found:
        tallies.add(each)
    return tallies.body()


def learned_between(
    log: EventLog, model_file: ModelFile, stretch: Stretch, *, limit: int
) -> dict[str, Any]:
    """What lies in a stretch of the log.

    Args:
        limit: So many records are read at most.

    Returns:
        `offsets`, how many it has; `gone`, how many of them Kafka has no more, and `why`; `read`
        records, `complete` if these are all; `sources`.
    """
    held = log.held(stretch)
    reading = log.read(held.spans, limit=limit, what="between the two: records read")
    sources = by_source(reading, model_file)
    read = sum(each["records"] for each in sources)
    return {
        "offsets": held.offsets + held.gone,
        "gone": held.gone,
        "why": held.why,
        "read": read,
        "complete": held.gone == 0 and (held.offsets <= limit or read < limit),
        "stretch": {
            topic: {partition: [list(part) for part in parts] for partition, parts in of.items()}
            for topic, of in stretch.items()
        },
        "sources": sources,
    }
