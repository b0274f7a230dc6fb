"""The trainer owns everything that learning changes, and turns to and from a snapshot.

Model, scores, detectors, the gate's memory and the counts belong together: whoever keeps one of
them without the others cannot go on as if nothing had happened.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from config.model_file import ModelFile
from learner.build import build_estimator, name_and_key, restore_estimator
from learner.drift.log import DriftLog
from learner.drift.monitor import Detectors
from learner.errors import LearnFailedError, told_of
from learner.estimator import Estimator, Predicted
from learner.events.examples import Examples
from learner.events.gate import Admitted, Gate
from learner.events.packing import packed, unpacked
from learner.explaining.kept import KeptForExplanations
from learner.history.history import History
from learner.history.recording import Recording
from learner.join.join import SEGMENT, Join, LateTold, Move
from learner.join.joiner import Joiner
from learner.join.replayed import Replayed
from learner.join.rows import Waiting
from learner.progressive import (
    ExampleCounts,
    Found,
    PredictFailedError,
    StepFailedError,
    Watch,
    progressive_steps,
)
from learner.scores.scores import Scores, scores_of
from learner.scores.served import ServedScores
from learner.slices.slices import Slices
from learner.tasks import TASKS
from learner.trial.first_events import FirstEvents
from learner.trial.probe import PredictChangesError, cut_probe
from learner.trial.unwritable import pickled
from learner.values import Reason, Refusal

PAYLOAD_FORMAT = 1

Taken: TypeAlias = tuple[int, list[tuple[int, Refusal]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A trainer's state at one moment.

    Attributes:
        segments: What a version keeps, by kind: `model`, the pickled learner with scores,
            detectors, gate and counts; `window`, the ids given lately (MessagePack), to know
            duplicates by; `drifts`, the last detections (JSON); `join`, what waits for its label,
            with the chunks that this segment names; `history`, the scores of the past, likewise.
        kept: The chunks that the store has.
        metrics: Each score's lifetime, rolling and fading value, its baselines, its interval.
        served: The same of what the API answered; None where its answers are not joined.
        calibration: The reliability diagram, where the scores ask for it.
        importance: The features worth most, where that is measured.
    """

    segments: Mapping[str, bytes]
    kept: tuple[str, ...] = ()
    metrics: dict[str, dict[str, float | None]]
    calibration: dict[str, Any] | None = None
    importance: dict[str, float] | None = None
    served: dict[str, dict[str, float | None]] | None
    drift_total: int
    learned: int
    scored: int
    nonfinite: int
    unscored: int
    refused_by: dict[str, int]
    late: LateTold


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a version kept of a trainer.

    Attributes:
        payload: The segment `model`, loaded.
        segments: As `Snapshot.segments`.
        refused_by: Refusals so far, by reason; they are the log's and not the model's, so that a
            rollback keeps them.
    """

    payload: Mapping[str, Any]
    segments: Mapping[str, bytes]
    refused_by: Mapping[str, int]


class Trainer:
    """Learns examples one at a time, each scored before it is learned.

    Args:
        model_file: What to build.
        scratch: A private folder in memory, for learners that save only to a path.
        saved: Go on from here, exactly as if never interrupted; metrics and detectors of the
            model file may have changed. None: begin untrained.
        watch: Hears of every example that is learned.

    Raises:
        SpecError: The model file asks for what does not exist or does not fit.
        RestoreError: `saved` holds no model of this learner.
    """

    def __init__(
        self,
        model_file: ModelFile,
        scratch: Path | None = None,
        saved: Saved | None = None,
        *,
        watch: Watch | None = None,
    ) -> None:
        self._scores = scores_of(model_file, model_file.metrics)
        self._slices = Slices(model_file, self._scores)
        self._detectors = Detectors(model_file.drift, model_file.task)
        wants = self._scores.wants_probabilities
        self._estimator: Estimator = (
            build_estimator(model_file, scratch, wants_probabilities=wants)
            if saved is None
            else restore_estimator(
                model_file, saved.payload["estimator"], scratch, wants_probabilities=wants
            )
        )
        self._kept = KeptForExplanations(model_file, self._estimator)
        self._labels = TASKS[model_file.task].labels(model_file)
        self._gate = Gate(model_file, self._labels)
        self.join = Join(model_file)
        self._served = ServedScores(
            scores_of(model_file, model_file.metrics),
            self._labels,
            self.join.answers if model_file.scores_answers else None,
        )
        self.refused_by: Counter[str] = Counter()
        self._joiner = Joiner(
            model_file,
            self.join,
            self._gate,
            ask=self._ask,
            learn=self._learn_late,
            refused_by=self.refused_by,
        )
        self.model_file = model_file
        self._tells_served = model_file.scores_answers or self.join.takes_answers
        self._name_and_key = name_and_key(model_file, self._estimator)
        self.tally, self.drifts = ExampleCounts(), DriftLog()
        self.history = History(len(model_file.metrics))
        self.notes = (*self._estimator.notes, *self._detectors.notes)
        self._last_x: Any = None
        self._strays: set[str] = set()
        self._first = FirstEvents(model_file.name, self._estimator, self._labels)
        if saved is not None:
            self._load(saved)
        if watch is not None:
            self._scores.feeds.append(watch.scored)
        self._recording = Recording(self.history, self.tally, self._scores, self._served_scores)
        self._replayed = Replayed(self._estimator)
        self._steps, self._late_steps = (
            self._kept.following(
                progressive_steps(
                    each,
                    self._scores,
                    self._detectors,
                    self.tally,
                    is_regression=not TASKS[model_file.task].has_classes,
                    slices=slices,
                    watch=watch,
                ),
                self.tally,
            )
            for each, slices in (
                (self._estimator, self._slices or None),
                (self._replayed, self._slices if self._scores.feeds else None),
            )
        )

    @property
    def _served_scores(self) -> Scores | None:
        """Of what the API answered; None where its answers are not joined."""
        return self._served.scores if self._tells_served else None

    def _load(self, saved: Saved) -> None:
        self._scores.restore(saved.payload["scores"])
        self._served.scores.restore(saved.payload.get("served", ()))
        self._slices.restore(saved.payload.get("slices", ()))
        self._detectors.restore(saved.payload["detectors"])
        # A version that was imported where there was none has no ids of this log.
        window = saved.segments.get("window")
        self._gate.restore(saved.payload["gate"], () if window is None else unpacked(window))
        self.join.restore(saved.segments)
        self.drifts = DriftLog.from_json(saved.segments["drifts"])
        self.refused_by.update(saved.refused_by)
        # Snapshots written before there was such a count have none.
        self.tally = ExampleCounts(**saved.payload["counts"], raised=saved.payload.get("raised", 0))
        dumped = saved.payload.get("importance")
        self._kept.restore(saved.segments, dumped, self.tally.learned)
        self.history.restore(saved.segments, learned=self.tally.learned)
        probe = saved.payload["probe"]
        self._last_x = None if probe is None else probe["x"]

    def take(self, examples: Examples) -> list[tuple[int, Refusal]]:
        """Learn these examples, each scored first; which of them are refused, and why.

        An event without a label is predicted and waits; it is learned, and scored by that
        prediction, at the place of its label. One that the learner raises on when it is asked is
        refused, and nothing else changes by it.

        Raises:
            LearnFailedError: The learner raised when it learned. This trainer must not be used
                again.
        """
        if self.join.is_beside(examples):
            self._served.read(self.join.answers, examples, clock_ms=self.join.clock_ms)
            return []
        if self.join.is_for_all(examples):
            refused = self._take_all(examples, 0, len(examples.xs))
            self.join.passed(examples)
            return refused
        refused = []
        for first, following, move in self.join.stretches(examples):
            refused += self._take_stretch(examples, first, following, move)
        return refused

    def let_go_next(self, examples: Examples, place: int, *, unlearned: bool = False) -> bool:
        """Let one event go whose horizon has passed before this place; whether there was one.

        `take` does so by itself; this is for who knows that the learner raises on one of them.

        Args:
            unlearned: Not even learned with the default label.

        Raises:
            LearnFailedError: As `take`.
        """
        return self._joiner.let_go_next(examples, place, unlearned=unlearned)

    def _take_stretch(
        self, examples: Examples, first: int, following: int, move: Move
    ) -> list[tuple[int, Refusal]]:
        if move is Move.LEARN:
            return self._take_all(examples, first, following)
        refusal = self._joiner.take(examples, first, move)
        if refusal is None:
            return []
        if refusal.reason is not Reason.learn_error:  # which is counted where it was found
            self.refused_by[refusal.reason] += 1
        return [(first, refusal)]

    def _take_all(self, examples: Examples, first: int, count: int) -> list[tuple[int, Refusal]]:
        """Learn those from place `first` up to, and without, `count` as they come."""
        refused: list[tuple[int, Refusal]] = []
        while first < count:
            is_whole = first == 0 and count == len(examples.xs)
            rest = examples if is_whole else examples.between(first, count)
            taken, more = self._take(rest)
            refused += [(first + place, refusal) for place, refusal in more]
            first += taken
        return refused

    def _ask(self, examples: Examples, place: int) -> Predicted | Refusal:
        """What is predicted of an event whose label comes later; or why it is refused."""
        try:
            return self._estimator.predict(examples.xs[place])
        except BaseException as error:  # as in `progressive_steps`
            if self._estimator.draws_when_asked or isinstance(error, MemoryError):
                raise LearnFailedError(examples, place, error) from error
            self._gate.take_back()
            self._count_strays(examples, place, error)
            return self.refuse_raised(examples, place, error)

    def _learn_late(self, examples: Examples, place: int, waiting: Waiting, y: Any) -> None:
        """Score and learn an event that waited, at the place of its label."""
        self._replayed.held = waiting.predicted, waiting.probabilities
        self._slices.age_s = (examples.timestamps[place] - waiting.timestamp) / 1000
        try:
            late = Admitted([waiting.x], [y], [waiting.weight], [place], ())
            found = self._recording.take(self._late_steps, late, examples.timestamps)
        except StepFailedError as error:
            raise LearnFailedError(examples, place, error.cause) from error
        self._slices.age_s = None
        if waiting.served is not None:
            self._served.add(y, waiting.served)
        else:
            self._served.labelled(waiting.id, y)
        self._gate.ids.add(waiting.id, y)
        self._last_x = waiting.x
        self._note(examples, [place], found)

    def _take(self, examples: Examples) -> Taken:
        admitted = self._gate.admit(examples)
        try:
            found = self._recording.take(self._steps, admitted, examples.timestamps)
        except StepFailedError as error:
            raise LearnFailedError(examples, admitted.places[error.place], error.cause) from error
        except PredictFailedError as error:
            return self._taken_up_to(examples, admitted.places[error.place], error)
        return self._taken(examples, admitted, found)

    def _taken_up_to(self, examples: Examples, place: int, error: PredictFailedError) -> Taken:
        """Those before `place` were learned; the one there could not be predicted, and is refused.

        The gate has seen it, and those after it, which it may judge otherwise now.
        """
        self._gate.take_back()
        admitted = self._gate.admit(examples.between(0, place))
        _, refused = self._taken(examples, admitted, error.found)
        self._count_strays(examples, place, error.cause)
        return place + 1, [*refused, (place, self.refuse_raised(examples, place, error.cause))]

    def _count_strays(self, examples: Examples, place: int, cause: BaseException) -> None:
        """Names that no learned event has may stay in the learner that was asked about them.

        There may be as many of them as there may be names; then it is thrown away.
        """
        self._strays |= self._gate.new_names(examples.xs[place])
        if len(self._strays) > self.model_file.limits.names:
            raise LearnFailedError(examples, place, cause)

    def refuse_raised(self, examples: Examples, place: int, cause: BaseException | str) -> Refusal:
        """Refuse an example on which the learner raises, and which has changed nothing here.

        Raises:
            UnlearnableError: It is the last of the first events, each of which raised.
        """
        what = cause if isinstance(cause, str) else told_of(cause, examples.xs[place])
        self._joiner.raised(examples, place)
        self.refused_by[Reason.learn_error] += 1
        self.tally.raised += 1
        if not self.tally.learned:
            self._first.raised(examples, place, self.tally.raised, what)
        return Refusal(Reason.learn_error, what, "learn")

    def _taken(self, examples: Examples, admitted: Admitted, found: Found) -> Taken:
        for _, refusal in admitted.refused:
            self.refused_by[refusal.reason] += 1
        self._note(examples, admitted.places, found)
        if admitted.xs:
            self._last_x = admitted.xs[-1]
        self._served.all_labelled(examples, admitted.places, admitted.ys)
        return len(examples.xs), list(admitted.refused)

    def _note(self, examples: Examples, places: Sequence[int], found: Found) -> None:
        """Keep the drifts that these examples raised, in the order in which they were learned."""
        for place, detection in found:
            at = places[place]
            self.drifts.add(
                detection,
                examples.topic,
                examples.partition,
                examples.offsets[at],
                examples.timestamps[at],
            )

    def refuse(self, reasons: Iterable[str]) -> None:
        """Count records that were refused before they reached the gate."""
        self.refused_by.update(reasons)

    def report(self) -> dict[str, dict[str, float | None]]:
        """Every score as it is now, as `Snapshot.metrics`; asking changes nothing."""
        return self._scores.report()

    def rolling(self) -> dict[str, float | None]:
        """The rolling value of each score alone."""
        return self._scores.rolling()

    def seal(self) -> None:
        """Put what waits in order for the next snapshots, which write what is new of it."""
        self.join.seal()

    def snapshot(self, *, version: str | None, written: Collection[str] = ()) -> Snapshot:
        """The state now, to be restored elsewhere or later.

        Args:
            version: The version this snapshot becomes; detections since the last one name it. None:
                it only stands in for one that is still to be made.
            written: Segments that the store has, which are not written again.

        Raises:
            UnwritableError: The learner holds what cannot be pickled, or its own way to be pickled
                raised; the trainer is unharmed by that.
            PredictChangesError: The learner is changed by being asked.
        """
        if version is not None:
            self.drifts.settle(version)
        self.seal()
        tally, served = self.tally, self._served_scores
        counts = {
            name: getattr(tally, name) for name in ExampleCounts.__slots__ if name != "raised"
        }
        payload = {
            "format": PAYLOAD_FORMAT,
            "raised": tally.raised,
            "estimator": self._estimator.dump(),
            "scores": self._scores.dump(),
            "served": self._served.scores.dump(),
            "slices": self._slices.dump(),
            "detectors": self._detectors.dump(),
            "gate": self._gate.dump(),
            "counts": counts,
            "probe": self._probe(),
            "importance": self._kept.dump(),
        }
        return Snapshot(
            segments={
                "model": pickled(payload, *self._name_and_key),
                "window": packed(self._gate.ids.in_order()),
                "drifts": self.drifts.to_json(),
                **self._slices.segments(),
                **self._kept.segments(),
                SEGMENT: self.join.dump(),
                **self.chunks(written),
            },
            kept=tuple(name for name in (*self.join.names, *self.history.names) if name in written),
            metrics=self._scores.report(),
            calibration=self._scores.calibration(),
            importance=self._kept.top,
            served=None if served is None else served.report(),
            drift_total=self.drifts.total,
            refused_by=dict(self.refused_by),
            late=self.join.told(),
            **counts,
        )

    def chunks(self, written: Collection[str] = ()) -> dict[str, bytes]:
        """Segments that may be written before, but for those that are; after `seal`."""
        return {**self.join.segments(written), **self.history.segments(written)}

    def _probe(self) -> dict[str, Any] | None:
        """The last example's features and the answer to them, for whoever loads the snapshot.

        None where the learner raises on them now that it has learned them: there is no answer to
        compare with. It is the next event that will show it, and be refused.
        """
        if self._last_x is None:
            return None
        name, key = self._name_and_key
        try:
            return cut_probe(self._estimator, self._last_x, key=key, name=name)
        except PredictChangesError:
            raise
        except BaseException:  # as in `progressive_steps`
            return None
