"""`weir log export`: reads the answers, then the labels that came, and writes both as one file.

1. The ends of all topics are taken: what comes later belongs to the next export.
2. Answers go to the database in a folder beside the file, then labels.
3. SQL finds the label of each answer and writes the file, which then takes its name.

Whatever ends it before that, the folder goes, and a file of that name is as it was.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from config.model_file import ModelFile
from config.settings import KafkaSettings
from stream.kafka import client as kafka_client
from stream.kafka.log_reader import LogReader, Span
from stream.log_export.answer_rows import Row, answer_reader
from stream.log_export.columns import ANSWER, LABEL, FeatureColumn, feature_columns
from stream.log_export.database import LogDatabase, Table, load_duckdb
from stream.log_export.progress import ExportProgress, say
from stream.log_export.queries import MATCH, export_query
from stream.log_export.target import form_of, replaced


class Period(Struct, frozen=True, kw_only=True):
    """Of which answers, by the timestamps of their records; milliseconds since 1970.

    Attributes:
        since_ms: From then on; None: from the first.
        before_ms: Up to then, not included; None: up to the last.
    """

    since_ms: int | None = None
    before_ms: int | None = None

    def holds(self, timestamp_ms: int) -> bool:
        """Whether it is within."""
        is_early = self.since_ms is not None and timestamp_ms < self.since_ms
        is_late = self.before_ms is not None and timestamp_ms >= self.before_ms
        return not (is_early or is_late)


class Exported(Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        answers: Rows of the file.
        labelled: Those of them that have a label.
        bytes: Of the file.
        skipped: Records that are no answers.
    """

    file: str
    answers: int
    labelled: int
    bytes: int
    skipped: int


def export(kafka: KafkaSettings, model_file: ModelFile, path: Path, period: Period) -> Exported:
    """Write the answers of a model to `path`, whose name says in which form.

    Raises:
        ExportRefusedError: DuckDB is not installed, or `path` will not do.
        TopicMissingError: There is no predictions topic.
        KafkaUnavailableError: Kafka does not answer.
        ExportFailedError: It ended midway.
    """
    form = form_of(path)
    load_duckdb()
    topic = model_file.topics.predictions
    answers_topic = kafka_client.require(kafka, [topic])[topic]
    labels_topics = _labels_topics(kafka, model_file)
    features = feature_columns(model_file.features)
    with closing(LogReader(kafka)) as reader, replaced(path) as draft:
        answer_spans = reader.spans(answers_topic, period.since_ms)
        since_ms = _labels_since(model_file, period)
        label_spans = [span for each in labels_topics for span in reader.spans(each, since_ms)]
        with closing(LogDatabase(draft.folder)) as database:
            export = _Export(database, reader, features)
            skipped = export.answers(answer_spans, period)
            export.labels(label_spans, model_file)
            database.run(MATCH)
            ((labelled,),) = database.run("SELECT count(*) FROM matches")
            database.run(export_query(draft.path, form, features))
            answers = export.table.rows
        size = draft.path.stat().st_size
    if skipped:
        say(f"{topic}: {skipped:,} records are no answers of a model, and were left out")
    return Exported(file=str(path), answers=answers, labelled=labelled, bytes=size, skipped=skipped)


def _labels_topics(kafka: KafkaSettings, model_file: ModelFile) -> list[kafka_client.Topic]:
    """Where labels may be. A model whose labels never come late may have no topic for them."""
    names = list(dict.fromkeys([model_file.topics.events, model_file.topics.labels]))
    found = kafka_client.describe(kafka, names)
    for name in names:
        if name not in found:
            say(f"topic {name} does not exist: no labels are read from it")
    return [found[name] for name in names if name in found]


def _labels_since(model_file: ModelFile, period: Period) -> int | None:
    """From when on labels are read: one that came first waited for its answer up to the horizon."""
    late = model_file.late_labels
    if period.since_ms is None:
        return None
    horizon_s = late.horizon if late is not None and late.horizon is not None else 0
    return max(0, int(period.since_ms - horizon_s * 1000))


class _Export:
    """What is read, and the tables that it goes to."""

    def __init__(
        self, database: LogDatabase, reader: LogReader, features: Sequence[FeatureColumn]
    ) -> None:
        self._reader = reader
        self._features = features
        self._progress = ExportProgress()
        typed = {each.place: each.sql for each in features}
        self.table = database.table("answers", {**ANSWER, **typed})
        self._labels = database.table("labels", LABEL)

    def answers(self, spans: Sequence[Span], period: Period) -> int:
        """Read the answers of the period; how many records were none."""
        row_of = answer_reader(self._features)
        skipped = 0
        for records in self._read(spans):
            within = (record for record in records if period.holds(record.timestamp))
            skipped += _fill(self.table, within, row_of)
        self.table.close()
        return skipped

    def labels(self, spans: Sequence[Span], model_file: ModelFile) -> None:
        """Read the labels, unless there is no answer that may have one."""
        if self.table.rows:
            from stream.log_export.label_rows import label_reader  # River takes two seconds

            row_of = label_reader(model_file)
            for records in self._read(spans):
                _fill(self._labels, records, row_of)
        self._labels.close()

    def _read(self, spans: Sequence[Span]) -> Iterable[list[Any]]:
        names = ", ".join(dict.fromkeys(span.topic for span in spans))
        self._progress.topic(names, sum(span.end - span.begin for span in spans))
        for records in self._reader.records(spans):
            yield records
            self._progress.add(len(records))


def _fill(table: Table, records: Iterable[Any], row_of: Callable[[Any], Row | None]) -> int:
    """Add a row for each record that makes one; how many make none."""
    without = 0
    for record in records:
        row = row_of(record)
        if row is None:
            without += 1
        else:
            table.add(row)
    return without
