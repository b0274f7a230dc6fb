"""The first rows of a file, through everything that an event goes through, on no server.

They are read as `weir send` reads them, decoded, screened, admitted, predicted, scored and learned
by the code that does so when it counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from config.model_file import ModelFile
from learner.build import build_screen
from learner.errors import LearnFailedError, UnlearnableError
from learner.events.decode import decoder
from learner.events.examples import Examples
from learner.trainer import Trainer
from learner.values import Refusal
from stream.errors import SendError
from stream.first_day.columns.column import Column
from stream.first_day.columns.leaks import Leak, Row, leaks_among
from stream.learning.careful import take_carefully
from stream.send.csv_file import CsvColumns
from stream.send.file_lines import by_lines, first_lines
from stream.send.readers import check_source, numbered_records
from stream.source.columns import Columns

ROWS = 500
_SCALARS = (bool, int, float, str)
_COLUMNS_MAX = 10_000  # names that are told of; a stranger's file may have any


@dataclass(frozen=True, slots=True)
class RehearsedRow:
    """A record as it would be in Kafka: its offset is the line of the file."""

    offset: int
    value: bytes
    timestamp: int = 0
    headers: tuple[()] = ()


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """What came of the first rows.

    Attributes:
        source: The file.
        events: How many rows were read as events.
        columns: What the features hold, as events would have them.
        misfits: Rows that cannot be sent: by line, what is wrong.
        refused: Events that would not be learned: by line, and why.
        ended: What ended it before its time: the file cannot be read on, or the learner raises on
            each of its first events.
        learned, scored, waiting: Events that were; that wait for a label.
        metrics: Each score, with its windows and baselines.
        leaks: Features that tell the label by themselves.
    """

    source: str
    events: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    misfits: list[tuple[int, SendError]] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    ended: str = ""
    learned: int = 0
    scored: int = 0
    waiting: int = 0
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)

    def absent(self, name: str) -> float:
        """The share of events without this feature."""
        return 1 - self.columns[name].present / self.events if self.events else 0.0


def rehearse(
    model_file: ModelFile, source: str, chosen: CsvColumns, scratch: Path | None
) -> Rehearsal:
    """Take the first rows of `source`, 500 at most, through gate and learner.

    Args:
        source: Whatever `weir send` takes.
        scratch: A private folder in memory, for learners that save only to a path.

    Raises:
        SendError, UnknownStreamError: There is no such source, or an option does not suit it.
    """
    check_source(source, chosen)
    done, topic = Rehearsal(source=source), model_file.topics.events
    records = list(_read(model_file, chosen, done))
    done.leaks = leaks_among(
        [row for record in records if (row := _noted(record.value, done.columns))],
        is_number=model_file.task == "regression",
    )
    columns = Columns(decoder(model_file), build_screen(model_file))
    examples, refused = columns.of(topic, 0, records)
    found = [(records[place].offset, refusal) for place, refusal in refused]
    try:
        trainer, more = _taken(model_file, examples, scratch)
    except UnlearnableError as error:
        done.ended = by_lines(str(error), topic, source)
    else:
        found += [(examples.offsets[place], refusal) for place, refusal in more]
        _take_over(done, trainer)
    done.refused = [
        (line, replace(refusal, detail=by_lines(refusal.detail, topic, source)))
        for line, refusal in sorted(found, key=lambda each: each[0])
    ]
    return done


def _read(model_file: ModelFile, chosen: CsvColumns, done: Rehearsal) -> Iterator[RehearsedRow]:
    """The first records; a row that cannot be one is noted."""

    def misfit(line: int, error: SendError) -> None:
        done.misfits.append((line, error))
        if len(done.misfits) == ROWS:
            raise error

    try:
        rows = numbered_records(done.source, model_file, chosen, misfit, first_lines)
        for line, (value, _) in islice(rows, ROWS):
            yield RehearsedRow(line, value)
            done.events += 1
    except SendError as error:
        done.ended = str(error)


def _take_over(done: Rehearsal, trainer: Trainer) -> None:
    snapshot = trainer.snapshot(version="v0")
    done.learned, done.scored, done.metrics = snapshot.learned, snapshot.scored, snapshot.metrics
    done.waiting = snapshot.late.pending


def _taken(
    model_file: ModelFile, examples: Examples, scratch: Path | None
) -> tuple[Trainer, list[tuple[int, Refusal]]]:
    """A trainer that has taken all of them; where it raises on one, as a learner then goes on."""
    trainer = Trainer(model_file, scratch)
    try:
        return trainer, trainer.take(examples)
    except LearnFailedError:
        trainer = Trainer(model_file, scratch)
        return trainer, take_carefully(trainer, examples).refused


def _noted(value: bytes, columns: dict[str, Column]) -> Row | None:
    """Note what the features of a record hold, nested ones by the names that River sees; they and
    the label, where it has one.
    """
    try:
        event = msgspec.json.decode(value)
        pairs = [*_flat(event["features"])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # it is no event, which is told where it is refused
    scalars = {name: scalar for name, scalar in pairs if isinstance(scalar, _SCALARS)}
    for name, scalar in scalars.items():
        if name in columns or len(columns) < _COLUMNS_MAX:
            columns.setdefault(name, Column(name)).add(scalar)
    label = event.get("label")
    return (scalars, label) if isinstance(label, _SCALARS) else None


def _flat(features: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in features.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", scalar) for inner, scalar in value.items())
        else:
            yield name, value
