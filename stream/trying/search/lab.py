"""What every trial of a search has in common: the records, decoded once, and the models tried.

`Lab.advance` is a function of a step and nothing else: whichever process calls it, wherever, finds
the same.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from msgspec import Struct

from config.processes.scratch import private_folder
from config.processes.stopping import Stop
from learner.build import build_estimator
from learner.errors import LearnFailedError
from learner.scores.scores import scores_of
from learner.scores.tally import EventLoss
from stream.errors import StreamError
from stream.trying.beside.pairs import Scored
from stream.trying.candidates import Candidate
from stream.trying.progress import TrialProgress
from stream.trying.rows import TrialRow
from stream.trying.sources import TrialSource
from stream.trying.trial import Decoded, Decoding, Trial, TrialState, begun_anew

# Decoded records are held in memory, by every worker.
RECORDS_MAX = 5_000_000
# Losses of all trials together, eight bytes each, by which they are compared event by event.
LOSSES_MAX = 16_000_000


class Step(Struct, frozen=True, kw_only=True):
    """A trial to begin, or to go on with.

    Attributes:
        trial: Its number.
        until: Up to so many records from the first.
        state: Where it stopped; None: it begins.
        is_last: Nobody goes on from there.
    """

    trial: int
    until: int
    state: TrialState | None = None
    is_last: bool = False


class TrialOutcome(Struct, frozen=True, kw_only=True):
    """What came of a step.

    Attributes:
        records: Learned in it, or refused.
        state: To go on from; None where that is not asked for, or it cannot.
        losses: Of each of these records what the score is the mean of, as doubles; NaN where the
            event was not scored. Empty where trials are not compared event by event.
    """

    trial: int
    row: TrialRow
    records: int
    state: TrialState | None = None
    losses: bytes = b""


@dataclass(frozen=True, slots=True)
class Tape:
    """Decoded records in order.

    Attributes:
        ends: After each stretch, the records so far.
    """

    stretches: Sequence[Decoded]
    ends: Sequence[int]

    @property
    def records(self) -> int:
        """All of them."""
        return self.ends[-1] if self.ends else 0

    def between(self, after: int, until: int) -> Sequence[Decoded]:
        """The stretches behind so many records, up to the one in which `until` lies."""
        return self.stretches[bisect_right(self.ends, after) : bisect_left(self.ends, until) + 1]

    def reached(self, until: int) -> int:
        """Records at the end of the stretch in which `until` lies."""
        return self.ends[min(bisect_left(self.ends, until), len(self.ends) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The records and the models.

    Attributes:
        tapes: The records as they are decoded, by what decides that.
        source: What was read, as messages call it.
        keys: Of each candidate, the key of its tape.
        records: How many there are.
        has_curve: Scores are noted on the way.
        metric: The score by which trials are compared.
        file: Whose lines the records' offsets are; None: they are a topic's.
        ended_by: What ended the reading midway; None: the source's own end.
    """

    source: str
    candidates: Sequence[Candidate]
    tapes: Mapping[str, Tape]
    keys: Sequence[str]
    records: int
    metric: str
    has_curve: bool = False
    file: str | None = None
    ended_by: StreamError | None = None

    def event_loss(self) -> EventLoss | None:
        """What trials are compared by event by event; None: the score is no mean, or the trials
        have too many losses to be kept.
        """
        model_file = self.candidates[0].model_file
        if self.is_too_much_to_pair:
            return None
        return scores_of(model_file, [self.metric]).event_losses().get(self.metric)

    @property
    def is_too_much_to_pair(self) -> bool:
        """Whether all trials together have more losses than are kept."""
        return len(self.candidates) * self.records > LOSSES_MAX

    def reached(self, until: int) -> int:
        """Records that a trial has taken which is to go up to `until`: whole stretches."""
        return max(tape.reached(until) for tape in self.tapes.values())

    def advance(self, step: Step, tell: Callable[[int], None] = lambda _: None) -> TrialOutcome:
        """Have a trial learn on, and say what came of it.

        Args:
            tell: Called on the way with the records of this step so far.
        """
        tape = self.tapes[self.keys[step.trial]]
        before = step.state.records if step.state is not None else 0
        losses = array("d")
        compared_by = [self.metric] if self.event_loss() is not None else []
        with private_folder(None) as scratch:
            trial = self._trial(step, scratch, compared_by=compared_by, state=step.state)
            for stretch in tape.between(before, step.until):
                try:
                    scored = trial.take(stretch)
                except LearnFailedError:
                    earlier = tape.between(0, trial.records) if trial.records else ()
                    new = self._trial(step, scratch, compared_by=compared_by)
                    trial, scored = begun_anew(new, earlier, stretch)
                if compared_by:
                    losses.extend(_in_places(scored, stretch.count, self.metric))
                tell(trial.records - before)
            row = trial.row()
            goes_on = not step.is_last and row.failed is None
            return TrialOutcome(
                trial=step.trial,
                row=row,
                records=trial.records - before,
                state=trial.state() if goes_on else None,
                losses=losses.tobytes(),
            )

    def _trial(
        self,
        step: Step,
        scratch: Path,
        *,
        compared_by: Sequence[str],
        state: TrialState | None = None,
    ) -> Trial:
        return Trial(
            self.candidates[step.trial],
            scratch,
            compared_by=compared_by,
            has_curve=self.has_curve,
            file=self.file,
            state=state,
        )


def _in_places(scored: Scored | None, count: int, metric: str) -> list[float]:
    """A loss for each of so many records."""
    found = [math.nan] * count
    if scored is not None:
        for place, loss in zip(scored.places, scored.losses[metric], strict=True):
            found[place] = loss
    return found


def open_lab(
    candidates: Sequence[Candidate],
    source: TrialSource,
    metric: str,
    progress: TrialProgress,
    stop: Stop,
    *,
    has_curve: bool = False,
) -> Lab:
    """Read and decode the source, once for all candidates that see it alike.

    Raises:
        KeyboardInterrupt: Told to stop.
        StreamError: Nothing of it can be read.
        TooManyRecordsError: It holds more than is held in memory.
    """
    keys = [_key(source, each) for each in candidates]
    tapes: dict[str, Tape] = {}
    ended_by: StreamError | None = None
    for key, candidate in dict(zip(keys, candidates, strict=True)).items():
        tapes[key], problem = _read(source, candidate, progress, stop)
        ended_by = ended_by or problem
    progress.end()
    records = min(tape.records for tape in tapes.values())
    return Lab(
        source=source.name,
        candidates=candidates,
        tapes=tapes,
        keys=keys,
        records=records,
        metric=metric,
        has_curve=has_curve,
        file=source.file,
        ended_by=ended_by,
    )


def _read(
    source: TrialSource, candidate: Candidate, progress: TrialProgress, stop: Stop
) -> tuple[Tape, StreamError | None]:
    """The records as one candidate sees them, and what ended them midway."""
    decoding = Decoding(candidate.model_file, source.labels)
    found: list[Decoded] = []
    count, problem = 0, None
    try:
        for stretch in source.stretches(candidate.model_file):
            found.append(decoding.of(stretch))
            count += len(stretch.records)
            progress.at(count)
            if stop.is_asked:
                raise KeyboardInterrupt
            if count > RECORDS_MAX:
                break
    except StreamError as error:
        if not found:
            raise
        problem = error
    if count > RECORDS_MAX:
        raise TooManyRecordsError(source.name)
    return Tape(found, list(accumulate(each.count for each in found))), problem


class TooManyRecordsError(StreamError):
    """A search holds all records in memory. Operator: set a limit."""

    exit_code = 2

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} holds more than {RECORDS_MAX:,} records: search on some of them, as in  "
            f"data: {{limit: {RECORDS_MAX // 10}}}"
        )


def _key(source: TrialSource, candidate: Candidate) -> str:
    """Equal for candidates that make the same examples of the source's records."""
    model_file = candidate.model_file
    estimator: Any = build_estimator(model_file, wants_probabilities=False)
    traits = (estimator.flattens, estimator.imputes, estimator.fills, estimator.takes_weight)
    sections = (
        model_file.task, model_file.labels, model_file.features, model_file.strict,
        model_file.missing, model_file.limits, model_file.late_labels, model_file.topics,
    )  # fmt: skip
    return repr((source.reading(model_file), sections, traits))
