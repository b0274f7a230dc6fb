"""The records that a model learned from, read again: a stretch, or the last before a version."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from checkpoints.reading.difference import Stretch
from checkpoints.records.manifest import Manifest
from config.model.late_labels import answers_are_events
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.events.decode import Decode, answer_decoder, decoder, label_decoder
from learner.values import Event, Refusal
from stream.kafka import client as kafka_client
from stream.kafka.log_reader import LogReader, Span
from stream.looking_back.progress import LookProgress

# Of the last labelled events so many records are read for each that is wanted, at most.
_READ_FOR_ONE = 20


class ReadRecord(NamedTuple):
    """A record and what it is."""

    record: Any
    event: Event | Refusal


class HeldStretch(NamedTuple):
    """What of a stretch Kafka still has.

    Attributes:
        spans: That.
        gone: How many offsets it has no more.
        why: What became of them; "" where none is gone.
    """

    spans: list[Span]
    gone: int
    why: str

    @property
    def offsets(self) -> int:
        """How many offsets it still has."""
        return sum(span.end - span.begin for span in self.spans)


class EventLog:
    """Reads the topics that a version names.

    Args:
        kafka: Where the brokers are.
        model_file: How records are read.
        manifest: Of the newest version that is looked at: which topics, and that they are those.

    Raises:
        KafkaUnavailableError: No broker answers. So does every method.
    """

    def __init__(self, kafka: KafkaSettings, model_file: ModelFile, manifest: Manifest) -> None:
        self._reader = LogReader(kafka)
        self._manifest = manifest
        self._topics = kafka_client.describe(kafka, manifest.offsets)
        self._limits = {span[:2]: span for span in self._all_there_is()}
        topics = model_file.topics
        self._decoders: dict[str, Decode] = {
            topics.predictions: answer_decoder(
                model_file, are_events=answers_are_events(model_file.late_labels)
            ),
            topics.labels: label_decoder(model_file),
            topics.events: decoder(model_file),
        }

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _all_there_is(self) -> Iterator[Span]:
        for name, topic in self._topics.items():
            anchors = self._manifest.anchors.get(name)
            if anchors is None or anchors.topic_id == topic.topic_id:
                yield from self._reader.spans(topic, None)

    def held(self, stretch: Stretch) -> HeldStretch:
        """What of a stretch can still be read."""
        spans, wanted = [], 0
        for topic, partitions in stretch.items():
            for partition, parts in partitions.items():
                for first, end in parts:
                    wanted += end - first
                    spans += self._cut(topic, int(partition), first, end)
        gone = wanted - sum(span.end - span.begin for span in spans)
        return HeldStretch(spans, gone, self._why(stretch) if gone else "")

    def _cut(self, topic: str, partition: int, first: int, end: int) -> list[Span]:
        there = self._limits.get((topic, partition))
        if there is None:
            return []
        span = Span(topic, partition, max(first, there.begin), min(end, there.end))
        return [span] if span.begin < span.end else []

    def _why(self, stretch: Stretch) -> str:
        for name in stretch:
            anchors, topic = self._manifest.anchors.get(name), self._topics.get(name)
            if topic is None:
                return f"there is no topic {name}"
            if anchors is not None and anchors.topic_id != topic.topic_id:
                return f"topic {name} was created anew since it was learned from"
        return "retention has deleted them"

    def read(self, spans: Sequence[Span], *, limit: int, what: str = "") -> Iterator[ReadRecord]:
        """The records of these spans, so many at most.

        Raises:
            ExportFailedError: The log lost records meanwhile, or one cannot be read at all.
        """
        if not spans:
            return
        total = min(limit, sum(span.end - span.begin for span in spans))
        progress = LookProgress(what or "records of the log read", total)
        count = 0
        for round_of in _rounds(spans):
            for records in self._reader.records(round_of):
                for record in records[: limit - count]:
                    decode = self._decoders[record.topic]
                    yield ReadRecord(record, decode(record.value, record.headers))
                count += len(records)
                progress.add(len(records))
                if count >= limit:
                    return

    def last_labelled(self, manifest: Manifest, count: int) -> list[Event]:
        """The last labelled events before the offsets of a version, in the order of their time.

        Args:
            count: So many at most; fewer where there are fewer, or labels are rare.
        """
        partitions = sum(len(of) for of in manifest.offsets.values())
        width, before = 2 * max(1, count // max(1, partitions)), -1
        while True:
            spans = self._before(manifest, width)
            read = sum(span.end - span.begin for span in spans)
            found = labelled(self.read(spans, limit=read))
            if len(found) >= count or read == before or read >= _READ_FOR_ONE * count:
                return found[-count:]
            width, before = 4 * width, read

    def _before(self, manifest: Manifest, width: int) -> list[Span]:
        """The last `width` offsets of each partition before those of a version."""
        stretch: Stretch = {
            topic: {partition: [(max(0, end - width), end)] for partition, end in of.items()}
            for topic, of in manifest.offsets.items()
        }
        return self.held(stretch).spans


def _rounds(spans: Iterable[Span]) -> list[list[Span]]:
    """The spans, those of one partition one after the other: it is read at one place at a time."""
    rounds: list[dict[tuple[str, int], Span]] = []
    for span in spans:
        place = (span.topic, span.partition)
        free = next((each for each in rounds if place not in each), None)
        if free is None:
            rounds.append({place: span})
        else:
            free[place] = span
    return [list(each.values()) for each in rounds]


def labelled(found: Iterable[ReadRecord]) -> list[Event]:
    """Events that have a label, in the order of time; one that came on its own is put to its event.

    >>> from types import SimpleNamespace as Record
    >>> late = [Event(features={"a": 1}, id="x"), Event(id="x", label=True)]
    >>> made = [ReadRecord(Record(timestamp=n, topic="t", partition=0, offset=n), each)
    ...         for n, each in enumerate(late)]
    >>> [(each.features, each.label) for each in labelled(made)]
    [({'a': 1}, True)]
    """
    waiting: dict[str, tuple[Any, Event]] = {}
    labels: dict[str, Any] = {}
    whole: list[tuple[Any, Event]] = []
    for record, event in found:
        if isinstance(event, Refusal):
            continue
        place = (record.timestamp, record.topic, record.partition, record.offset)
        if event.features is None and event.text is None:
            labels.setdefault(str(event.id), event.label)
        elif event.label is not None:
            whole.append((place, event))
        elif event.id is not None:
            waiting.setdefault(event.id, (place, event))
    whole += [
        (place, _with_label(event, labels[name]))
        for name, (place, event) in waiting.items()
        if name in labels
    ]
    return [event for _, event in sorted(whole, key=lambda each: each[0])]


def _with_label(event: Event, label: Any) -> Event:
    event.label = label
    return event
