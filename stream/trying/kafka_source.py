"""A model's topics as a source of trials: to their end, or in the order that a version recorded.

Kafka orders the records of one partition. Of several, a version's lineage says in which order its
learner took them, run after run; a trial that follows it learns exactly what that version learned.
Without a version, partitions are merged by the times of their records: events before the labels of
their time, as the learner takes them, though it may have met them otherwise.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from operator import attrgetter
from typing import Any, NamedTuple

from checkpoints.reading.lineages import Lineages
from checkpoints.records.lineage import Lineage, joined
from checkpoints.records.manifest import Manifest, Run, Version, version_number
from config.model.late_labels import answers_are_events
from config.model_file import ModelFile
from config.settings import KafkaSettings
from stream.errors import StreamError
from stream.kafka import client as kafka_client
from stream.kafka.log_reader import LogReader, Span
from stream.trying.progress import say
from stream.trying.sources import Stretches, in_stretches
from stream.trying.trial import Stretch

# Each is read over a connection of its own.
PARTITIONS_MAX = 64


class LogGoneError(StreamError):
    """The log does not hold any more, or not as one, what is to be read of it."""

    exit_code = 4


class NotAVersionError(StreamError):
    """`--end` names no version."""

    exit_code = 2


class LogStretch(NamedTuple):
    """What of the log is read, and in which order.

    Attributes:
        runs: Topic, partition, first and next offset of each stretch of one partition, in order.
            None: merged by time.
        spans: Each partition from the first to the last offset of it.
        labels: The topic of labels alone, where one is read.
        version: What it was learned by, where it was.
        passes_rollback: The way to that leads over a version that a rollback made.
    """

    runs: tuple[Run, ...] | None
    spans: tuple[Span, ...]
    labels: str | None
    version: Manifest | None = None
    passes_rollback: bool = False


class NotOfThisLogError(StreamError):
    """A version has learned what no log of this line holds, or what a trial cannot do again.

    Operator: name an earlier version, or rebuild this one.
    """

    exit_code = 4


class KafkaLog:
    """A source of trials.

    Args:
        model_file: Whose topics they are; others are tried on the same.
        limit: Records at most.

    Raises:
        LogGoneError: There are too many partitions for it.
    """

    file: str | None = None

    def __init__(
        self,
        kafka: KafkaSettings,
        model_file: ModelFile,
        stretch: LogStretch,
        *,
        limit: int | None,
    ) -> None:
        if len(stretch.spans) > PARTITIONS_MAX:
            what = f"has {len(stretch.spans)} partitions, of which {PARTITIONS_MAX} can be read"
            raise LogGoneError(f"{model_file.topics.events} {what} at a time")
        self._kafka, self._stretch, self._limit = kafka, stretch, limit
        self.labels = stretch.labels
        end = f" up to {stretch.version.name}" if stretch.version else ""
        self.name = f"{model_file.topics.events}{end}"
        self.version = stretch.version if limit is None else None
        self.passes_rollback = stretch.passes_rollback

    def total(self) -> int | None:
        found = sum(span.end - span.begin for span in self._stretch.spans)
        return min(found, self._limit or found)

    def reading(self, _: ModelFile) -> str:
        return self.name

    def stretches(self, _: ModelFile) -> Stretches:
        left = self._limit
        with ExitStack() as held:
            cursors = {span[:2]: Cursor(self._reader(held), span) for span in self._stretch.spans}
            runs = self._stretch.runs
            labels = self._stretch.labels
            found = _merged(cursors, labels) if runs is None else _in_order(cursors, runs)
            for stretch in found:
                if left is not None and len(stretch.records) >= left:
                    yield Stretch(stretch.topic, stretch.partition, stretch.records[:left])
                    return
                left = None if left is None else left - len(stretch.records)
                yield stretch

    def _reader(self, held: ExitStack) -> LogReader:
        return held.enter_context(closing(LogReader(self._kafka)))


class Timed(NamedTuple):
    """A record, and what it is sorted by among those of other partitions."""

    turn: tuple[int, int, int]
    span: Span
    record: Any


class Cursor:
    """Reads one partition's span, some records at a time."""

    def __init__(self, reader: LogReader, span: Span) -> None:
        self.span = span
        self._records = itertools.chain.from_iterable(reader.records([span]))
        self._ahead: Any = None

    def until(self, following: int) -> Iterator[Any]:
        """The next records before this offset."""
        while (record := self._next()) is not None:
            if record.offset >= following:
                self._ahead = record
                return
            yield record

    def timed(self, rank: int) -> Iterator["Timed"]:
        """All records, none before one that stands before it in its partition."""
        time_ms = -1
        for record in self.until(self.span.end):
            time_ms = max(time_ms, record.timestamp)
            yield Timed((time_ms, rank, self.span.partition), self.span, record)

    def _next(self) -> Any:
        ahead, self._ahead = self._ahead, None
        return next(self._records, None) if ahead is None else ahead


def _in_order(cursors: Mapping[Any, Cursor], runs: Sequence[Run]) -> Stretches:
    """Run after run."""
    for topic, partition, first, following in runs:
        cursor = cursors[topic, partition]
        deque(cursor.until(first), maxlen=0)  # what a rollback has forgotten
        yield from in_stretches(topic, partition, cursor.until(following))


def _merged(cursors: Mapping[Any, Cursor], labels: str | None) -> Stretches:
    """By time, events before the labels of theirs; a partition alone is as it is."""
    ranks = {key: int(key[0] == labels) for key in cursors}
    timed = [cursor.timed(ranks[key]) for key, cursor in cursors.items()]
    in_turn = heapq.merge(*timed, key=attrgetter("turn"))
    for span, group in itertools.groupby(in_turn, key=attrgetter("span")):
        yield from in_stretches(span.topic, span.partition, (each.record for each in group))


def whole_stretch(kafka: KafkaSettings, model_file: ModelFile) -> LogStretch:
    """A model's topics as they are now.

    Raises:
        TopicMissingError: There is no events topic, or another that the model file asks for.
        KafkaUnavailableError: Kafka does not answer.
    """
    topics = model_file.topics
    events = kafka_client.require(kafka, [topics.events])
    has_labels = topics.labels != topics.events and (
        model_file.late_labels is not None or bool(kafka_client.describe(kafka, [topics.labels]))
    )
    others = [topics.labels] if has_labels else []
    others += [topics.predictions] if answers_are_events(model_file.late_labels) else []
    found = {**events, **kafka_client.require(kafka, others)}
    with closing(LogReader(kafka)) as reader:
        spans = [span for topic in found.values() for span in reader.spans(topic, None)]
    read = tuple(span for span in spans if span.begin < span.end)
    if len(read) > 1:
        names = ", ".join(dict.fromkeys(span.topic for span in read))
        say(
            f"{names}: {len(read)} partitions, taken in the order of their records' times; "
            "`--end vN` takes them as the learner did"
        )
    return LogStretch(None, read, topics.labels if has_labels else None)


def recorded_stretch(lineages: Lineages, end: str) -> LogStretch:
    """What a version was learned from, in the order in which its learner took it: what rollbacks
    have forgotten and rewinds have left out is no part of it.

    Raises:
        NotAVersionError: `end` is none.
        NoSuchVersion: It is not kept.
        NotOfThisLogError: It goes on from a file, or from a rollback over events that waited.
        CheckpointError: Something there does not verify.
    """
    try:
        number = version_number(end)
    except ValueError as error:
        raise NotAVersionError(f"--end {end}: {error}") from error
    version = lineages.reader.version(number)
    way = list(_way_to(lineages, version))
    runs = joined(itertools.chain.from_iterable(of.runs for _, of in reversed(way)))
    manifest = version.manifest
    forgot = next((step for step, of in way if step.manifest.rollback or of.forgotten), None)
    if forgot is not None and manifest.model_file.get("late_labels"):
        raise NotOfThisLogError(
            f"--end {end}: {version} goes on from a rollback ({forgot}): events that it forgot "
            "still wait for their labels, which no trial from the beginning has; name a version "
            f"before it, or  weir rebuild {manifest.model} {end}  to have it made again from there"
        )
    topics = manifest.model_file.get("topics", {})
    labels = topics.get("labels")
    is_read = labels != topics.get("events") and labels in manifest.offsets
    return LogStretch(
        runs, _spans_of(runs), labels if is_read else None, manifest, forgot is not None
    )


def _way_to(lineages: Lineages, version: Version) -> Iterator[tuple[Version, Lineage]]:
    """The kept versions from this one back to the untrained model, and what each learned."""
    step: Version | None = version
    while step is not None:
        if step.manifest.kind == "import":
            raise NotOfThisLogError(
                f"{version} goes on from {step}, which came out of a file: what that had learned "
                "is in no log of this line; name a version before it"
            )
        lineage = lineages.of(step)
        yield step, lineage
        step = None if lineage.base is None else lineages.reader.version_by_id(lineage.base)


def check_log(kafka: KafkaSettings, stretch: LogStretch) -> None:
    """See that the log still holds what a version was learned from.

    Raises:
        LogGoneError: It does not; with partition and offset.
        TopicMissingError: A topic is gone.
        KafkaUnavailableError: Kafka does not answer.
    """
    assert stretch.version is not None, "a version's"
    name = stretch.version.name
    topics = kafka_client.require(kafka, dict.fromkeys(span.topic for span in stretch.spans))
    with closing(LogReader(kafka)) as reader:
        held = {span[:2]: span for topic in topics.values() for span in reader.spans(topic, None)}
    for span in stretch.spans:
        have = held.get(span[:2], Span(*span[:2], 0, 0))
        where = f"{span.topic}-{span.partition}"
        if have.begin > span.begin:
            what = f"from offset {span.begin} on, and the log begins at {have.begin} by now"
            raise LogGoneError(
                f"{where}: {name} was learned {what}: retention has deleted the rest"
            )
        if have.end < span.end:
            what = f"up to offset {span.end}, and the log ends at {have.end}"
            raise LogGoneError(f"{where}: {name} was learned {what}: it is not the same log")


def _spans_of(runs: Sequence[Run]) -> tuple[Span, ...]:
    """Of each partition the offsets from its first run to its last."""
    spans: dict[tuple[str, int], Span] = {}
    for topic, partition, first, following in runs:
        before = spans.get((topic, partition))
        begin = first if before is None else before.begin
        spans[topic, partition] = Span(topic, partition, begin, following)
    return tuple(spans.values())
