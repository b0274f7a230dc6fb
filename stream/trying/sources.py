"""Where the records of a trial come from: a file or one of River's streams; `kafka_source.py`.

What they are is decided by `weir send`: each record is, byte for byte, what that would publish.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from checkpoints.records.manifest import Manifest
from config.model_file import ModelFile
from stream.errors import SendError
from stream.send.csv_file import CsvColumns, asks_for_nulls
from stream.send.file_lines import count_lines
from stream.send.readers import check_source, has_labels, numbered_records
from stream.send.river_streams import stream_length
from stream.trying.trial import STRETCH_RECORDS, Stretch

_RIVER = "river:"

Stretches: TypeAlias = Iterator[Stretch]


class TrialSource(Protocol):
    """Records to try models on, the same however often they are read.

    Attributes:
        name: As messages call it.
        file: Whose lines are the records' offsets; None: they are a topic's.
        labels: The topic of labels alone, where one is read.
        version: What learned these very records, where they were asked for by a version.
        passes_rollback: The way to that leads over a version that a rollback made.
    """

    name: str
    file: str | None
    labels: str | None
    version: Manifest | None
    passes_rollback: bool

    def total(self) -> int | None:
        """About how many records there are; None: not known."""

    def reading(self, model_file: ModelFile, /) -> str:
        """Equal for model files that are given the very same records."""

    def stretches(self, model_file: ModelFile, /) -> Stretches:
        """The records, from the first, as this model file has them.

        Raises:
            StreamError: They cannot be read, or not any more.
        """


class FileRecord(NamedTuple):
    """A record of a file, as it would stand in the topic; a file has no times.

    Attributes:
        offset: Its line, by which messages name it.
    """

    value: bytes
    offset: int
    headers: tuple[()] = ()
    timestamp: int = 0


class FileSource:
    """A file, or one of River's own streams.

    Args:
        source: As `weir send --from` has it.
        columns: What its columns are.
        limit: Records at most.

    Raises:
        SendError: There is no such source, or an option says nothing to it; of a CSV file no column
            is the label; or it has no end, and there is no limit.
    """

    file: str | None
    labels: str | None = None
    version: Manifest | None = None
    passes_rollback: bool = False

    def __init__(self, source: str, columns: CsvColumns, *, limit: int | None) -> None:
        check_source(source, columns)
        self.name = self.file = source
        self._columns, self._limit = columns, limit
        if not has_labels(source, columns):
            raise SendError(
                f"{source}: its events carry no label, so that nothing would be learned: name its "
                "column with --label (in an experiment file,  data: {label: COLUMN})"
            )
        if self._is_endless():
            raise SendError(f"{source} has no end: say how much of it, as in --limit 10000")

    def total(self) -> int | None:
        found = self._length()
        return self._limit if found is None else min(found, self._limit or found)

    def reading(self, model_file: ModelFile) -> str:
        named = (model_file.task, model_file.labels, model_file.missing, model_file.limits)
        return repr((*named, model_file.features, asks_for_nulls(model_file.learner)))

    def stretches(self, model_file: ModelFile) -> Stretches:
        outgoing = numbered_records(self.name, model_file, self._columns)
        numbered = (
            FileRecord(value, line) for line, (value, _) in itertools.islice(outgoing, self._limit)
        )
        return in_stretches(model_file.topics.events, 0, numbered)

    def _is_endless(self) -> bool:
        is_river = self.name.startswith(_RIVER)
        return is_river and self._limit is None and self._length() is None

    def _length(self) -> int | None:
        if self.name.startswith(_RIVER):
            return stream_length(self.name.removeprefix(_RIVER))
        lines = count_lines(Path(self.name))
        has_header = self.name.removesuffix(".gz").endswith(".csv")
        return max(0, lines - 1) if has_header and lines is not None else lines


def cut_at(stretches: Stretches, records: int) -> Stretches:
    """The same, of which one ends after so many records.

    >>> whole = in_stretches("t", 0, range(150))
    >>> [len(each.records) for each in cut_at(whole, 120)]
    [100, 20, 30]
    """
    before = 0
    for stretch in stretches:
        first = records - before
        before += len(stretch.records)
        if 0 < first < len(stretch.records):
            for part in (stretch.records[:first], stretch.records[first:]):
                yield Stretch(stretch.topic, stretch.partition, part)
        else:
            yield stretch


def in_stretches(topic: str, partition: int, found: Iterable[Any]) -> Stretches:
    """Records of one partition, as many at a time as the learner takes."""
    more = iter(found)
    while stretch := list(itertools.islice(more, STRETCH_RECORDS)):
        yield Stretch(topic, partition, stretch)
