"""A trial: one model over records, as the live learner takes them; what came of it at any moment.

Values in, values out: what it is given are records, wherever they come from. It takes each stretch
by the very decoder, screen, gate and trainer of `weir learn`, so its scores and its refusals are
those that the same records would have there.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import Struct

from checkpoints.records.segments import pack
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.errors import LearnFailedError, UnlearnableError
from learner.events.examples import Examples
from learner.river.inline_attributes import inline_attributes
from learner.scores.scores import scores_of
from learner.trainer import Saved, Trainer
from learner.trial.probe import PredictChangesError
from learner.trial.unwritable import UnwritableError
from learner.values import Refusal
from stream.learning.careful import take_carefully
from stream.send.file_lines import by_lines
from stream.source.columns import Columns, columns_of
from stream.trying.beside.baselines import RollingBaselines
from stream.trying.beside.pairs import LossWatch, Scored, Watches
from stream.trying.candidates import Candidate
from stream.trying.rows import Point, TrialRow, of_scores

# As many as the live learner takes at a time, where they are fast: between two stretches it is
# seen whether to stop.
STRETCH_RECORDS = 100
# Of a curve: at the greatest number every second point is let go, and so many records more apart.
POINTS_MAX = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records of one partition, in offset order: at most 100.

    Attributes:
        records: Each with `value`, `headers`, `offset` and `timestamp`.
    """

    topic: str
    partition: int
    records: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The same, decoded and screened.

    Attributes:
        count: Records.
        refused: Which of them are no examples, and why.
    """

    examples: Examples
    count: int
    refused: list[tuple[int, Refusal]]


class Decoding:
    """Makes examples of records as a model's source process does.

    Args:
        labels: The topic of labels alone, where one is read.
    """

    def __init__(self, model_file: ModelFile, labels: str | None = None) -> None:
        self._columns: Columns = columns_of(model_file, labels)

    def of(self, stretch: Stretch) -> Decoded:
        """The examples of a stretch. It never raises."""
        examples, refused = self._columns.of(stretch.topic, stretch.partition, stretch.records)
        return Decoded(examples, len(stretch.records), refused)


class Curve(Struct, kw_only=True):
    """Points of a curve, at most 200, spread evenly over however many records come.

    Attributes:
        every: Records from point to point.
    """

    points: list[Point] = []
    every: int = STRETCH_RECORDS

    def is_due(self, before: int, records: int) -> bool:
        """Whether a point is wanted between so many records and so many."""
        return records // self.every > before // self.every

    def add(self, point: Point) -> None:
        """Add a point."""
        self.points.append(point)
        if len(self.points) >= POINTS_MAX:
            self.points = self.points[1::2]
            self.every *= 2


class TrialState(Struct, frozen=True, kw_only=True):
    """A trial at one moment, to go on from in any process.

    Attributes:
        segments: As a version keeps them.
        records: Taken.
        seconds: That learning took.
        began_ms: When it was begun, since the epoch.
        beside: The rolling baselines, where scores are noted on the way.
    """

    segments: dict[str, bytes]
    refused_by: dict[str, int]
    records: int
    seconds: float
    began_ms: int
    curve: Curve | None
    is_careful: bool
    beside: bytes | None = None
    first_refused: str | None = None


class Trial:
    """One model, from its first record on.

    Args:
        scratch: A private folder in memory, for learners that save only to a path.
        compared_by: The scores of which its losses are asked for, event by event.
        has_curve: Its scores are noted on the way.
        file: Whose lines the records' offsets are; None: they are a topic's.
        scores_from: Its scores are of what comes after so many records; it learns those before.
        state: Where it goes on, exactly as if it had not stopped there. None: it begins.

    >>> from config.model_file import parse_model_file
    >>> text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}}"
    >>> candidate = Candidate(path="m.yaml", model_file=parse_model_file(text))
    >>> from types import SimpleNamespace as Record
    >>> values = [b'{"features": {}, "label": 1}', b"{", b'{"features": {}, "label": 1}']
    >>> records = [Record(value=v, headers=(), offset=n, timestamp=0) for n, v in enumerate(values)]
    >>> trial = Trial(candidate)
    >>> _ = trial.take(Decoding(candidate.model_file).of(Stretch("m.events", 0, records)))
    >>> row = trial.row()
    >>> row.learned, row.refused_by, row.metrics["Accuracy"].lifetime
    (2, {'not_json': 1}, 1.0)
    """

    def __init__(
        self,
        candidate: Candidate,
        scratch: Path | None = None,
        *,
        compared_by: Sequence[str] = (),
        has_curve: bool = False,
        file: str | None = None,
        scores_from: int = 0,
        state: TrialState | None = None,
    ) -> None:
        self.candidate, self._scratch, self._file = candidate, scratch, file
        self.failed: str | None = None
        self.first_refused: str | None = None
        self.records = 0
        model_file = candidate.model_file
        losses = scores_of(model_file, compared_by).event_losses()
        self.losses, self._losses = losses, LossWatch(losses)
        has_curve = has_curve or (state is not None and state.curve is not None)
        beside = state.beside if state is not None else None
        self._beside = RollingBaselines(model_file, beside) if has_curve else None
        self._trainer = self._trainer_from(_saved(state, model_file))
        self._curve = Curve() if has_curve else None
        self._is_careful, self._seconds = False, 0.0
        self._began_ms = _now_ms()
        self._scores_from, self._before = scores_from, (0, 0)
        if state is not None:
            self.records, self._seconds = state.records, state.seconds
            self._began_ms = state.began_ms
            self._curve, self._is_careful = state.curve, state.is_careful
            self.first_refused = state.first_refused

    def _trainer_from(self, saved: Saved | None) -> Trainer:
        watches = [self._losses] if self.losses else []
        watch = Watches([*watches, *filter(None, [self._beside])])
        return Trainer(self.candidate.model_file, self._scratch, saved, watch=watch.narrowed)

    def take(self, decoded: Decoded, *, carefully: bool = False) -> Scored | None:
        """Learn a stretch, each event scored first; what to compare by, where it was asked for.

        Args:
            carefully: A copy tries this stretch first, and each from here on.

        Raises:
            LearnFailedError: The learner raised when it learned: this trial is at its end, and one
                is `begun_anew` in its place.
        """
        self._is_careful = self._is_careful or carefully
        if self.records == self._scores_from and self._scores_from:
            self._score_from_here()
        if self.failed is not None:
            return None
        examples = decoded.examples
        started = time.perf_counter()
        try:
            refused = (
                take_carefully(self._trainer, examples).refused
                if self._is_careful
                else self._trainer.take(examples)
            )
        except UnlearnableError as error:
            self.failed = self.told(error)
            return None
        finally:
            self._seconds += time.perf_counter() - started
        self._trainer.refuse(refusal.reason for _, refusal in decoded.refused)
        self._note_refused(decoded, refused)
        before, self.records = self.records, self.records + decoded.count
        if self._curve is not None and self._beside is not None:
            self._beside.count()
            if self._curve.is_due(before, self.records):
                # The baselines cost as much as the scores: half the points, which are those that
                # stay when the curve is thinned.
                self._curve.add(self._point(is_beside=len(self._curve.points) % 2 == 1))
        return self._scored(decoded, refused) if self.losses else None

    def _score_from_here(self) -> None:
        """Begin all scores anew, in a trainer that goes on as if nothing had happened.

        The baselines' predictors go on too: what they have seen is no secret to them.
        """
        if self.failed is not None or self._bytes() is None:
            return
        saved = _saved(self.state(), self.candidate.model_file)
        assert saved is not None, "made of a state"
        begun = [entry for entry in saved.payload["scores"] if not entry["names"]]
        self._trainer = self._trainer_from(
            replace(saved, payload={**saved.payload, "scores": begun})
        )
        tally = self._trainer.tally
        self._before = tally.scored, tally.nonfinite
        if self._beside is not None and self._curve is not None:
            self._beside.begin_anew()
            self._curve = Curve(every=self._curve.every)

    def _note_refused(self, decoded: Decoded, refused: Sequence[tuple[int, Refusal]]) -> None:
        """Remember what was refused first."""
        if self.first_refused is not None:
            return
        found = [*decoded.refused, *refused]
        if found:
            _, first = min(found, key=lambda each: each[0])
            self.first_refused = self.told(f"{first.reason}: {first.detail}")

    def told(self, what: object) -> str:
        """A message of the learner's; of a file it names the lines."""
        if self._file is None:
            return str(what)
        return by_lines(str(what), self.candidate.model_file.topics.events, self._file)

    def state(self) -> TrialState:
        """Where it stands, for a trial that goes on from here."""
        snapshot = self._trainer.snapshot(version="v1")
        return TrialState(
            segments=dict(snapshot.segments),
            refused_by=snapshot.refused_by,
            records=self.records,
            seconds=self._seconds,
            began_ms=self._began_ms,
            curve=self._curve,
            is_careful=self._is_careful,
            beside=None if self._beside is None else self._beside.dump(),
            first_refused=self.first_refused,
        )

    def row(self) -> TrialRow:
        """What came of it so far; the trial may go on."""
        trainer, candidate = self._trainer, self.candidate
        size = self._bytes()
        late = trainer.join.told()
        scored_before, nonfinite_before = self._before
        return TrialRow(
            model=candidate.model_file.name,
            file=candidate.path,
            set=dict(candidate.settings),
            learned=trainer.tally.learned,
            scored=trainer.tally.scored - scored_before,
            nonfinite=trainer.tally.nonfinite - nonfinite_before,
            refused=sum(trainer.refused_by.values()),
            refused_by={str(why): n for why, n in trainer.refused_by.most_common() if n},
            pending=late.pending,
            expired=late.expired,
            drifts=trainer.drifts.total,
            metrics={name: of_scores(name, told) for name, told in trainer.report().items()},
            events_per_second=trainer.tally.learned / self._seconds if self._seconds else 0.0,
            bytes=size,
            failed=self.failed,
            first_refused=self.first_refused,
            curve=self._points(),
            began_ms=self._began_ms,
            ended_ms=_now_ms(),
        )

    def _bytes(self) -> int | None:
        """What a version of it would take in the store; None where none could be made of it."""
        if self.failed is not None:
            return None
        try:
            snapshot = self._trainer.snapshot(version="v1")
        except (UnwritableError, PredictChangesError) as error:
            self.failed = str(error)
            return None
        return sum(pack(raw)[0].bytes for raw in snapshot.segments.values())

    def _points(self) -> list[Point]:
        """The curve, up to this very moment."""
        if self._curve is None:
            return []
        before = [each for each in self._curve.points if each.events < self._trainer.tally.learned]
        return [*before, self._point()]

    def _point(self, *, is_beside: bool = True) -> Point:
        return Point(
            events=self._trainer.tally.learned,
            rolling=self._trainer.rolling(),
            baseline=self._beside.rolling() if is_beside and self._beside is not None else {},
        )

    def _scored(self, decoded: Decoded, refused: Sequence[tuple[int, Refusal]]) -> Scored | None:
        """The losses, each at the place of the record that it is of.

        None where an event was learned with the default label, which no record stands for.
        """
        losses = self._losses.take()
        screened = {place for place, _ in decoded.refused}
        kept: Sequence[int] = range(decoded.count)
        if screened:
            kept = [place for place in kept if place not in screened]
        out = {place for place, _ in refused}
        labels = decoded.examples.labels
        if out or decoded.examples.has_lone:
            kept = [place for n, place in enumerate(kept) if n not in out and labels[n] is not None]
        return Scored(kept, losses) if len(kept) == len(next(iter(losses.values()))) else None


def _now_ms() -> int:
    """For who keeps trials; nothing that is learned depends on it."""
    return time.time_ns() // 1_000_000


def begun_anew(
    trial: Trial, earlier: Iterable[Decoded], stretch: Decoded
) -> tuple[Trial, Scored | None]:
    """A new trial, come up to the stretch in which one before it raised; what raises is refused.

    Args:
        earlier: The stretches before it, from the first.
    """
    try:
        for each in earlier:
            trial.take(each)
        return trial, trial.take(stretch, carefully=True)
    except LearnFailedError as error:
        trial.failed = f"{error}: another time it was elsewhere that it raised"
        return trial, None


def _saved(state: TrialState | None, model_file: ModelFile) -> Saved | None:
    if state is None:
        return None
    with inline_attributes():
        payload = loads(state.segments["model"], model_file.trust)
    return Saved(payload=payload, segments=state.segments, refused_by=state.refused_by)
