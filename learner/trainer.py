"""The trainer owns everything that learning changes, and turns to and from a snapshot.

Model, scores, detectors, the gate's memory and the counts belong together: whoever keeps one of
them without the others cannot go on as if nothing had happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from config.model_file import ModelFile
from learner.build import build_estimator, name_and_key, restore_estimator
from learner.deep_pickle import dumps
from learner.drift.log import DriftLog
from learner.drift.monitor import Detectors
from learner.errors import told_of
from learner.estimator import Estimator
from learner.events.examples import Examples
from learner.events.gate import Admitted, Gate
from learner.progressive import (
    ExampleCounts,
    Found,
    PredictFailedError,
    StepFailedError,
    progressive_steps,
)
from learner.scores.scores import scores_of
from learner.tasks import TASKS
from learner.trial.first_events import FirstEvents
from learner.trial.probe import PredictChangesError, cut_probe
from learner.trial.unwritable import UnwritableError, what_is_unwritable
from learner.values import Reason, Refusal

PAYLOAD_FORMAT = 1
_RULE = (
    "use functions and classes that stand at the top of a module, and keep no file, lock or "
    "generator in it"
)

Taken: TypeAlias = tuple[int, list[tuple[int, Refusal]]]


class LearnFailedError(Exception):
    """The learner raised on an example and may be half-updated: throw it away, restore the head.

    Attributes:
        place: Which of the examples given.
        what: What it raised, with its type.
    """

    def __init__(self, examples: Examples, place: int, cause: BaseException) -> None:
        self.topic, self.partition = examples.topic, examples.partition
        self.offset, self.place = examples.offsets[place], place
        self.what = told_of(cause, examples.xs[place])
        super().__init__(f"learning {self.topic}-{self.partition}-{self.offset} raised {self.what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A trainer's state at one moment.

    Attributes:
        segments: What a version keeps, by kind: `model`, the pickled learner with scores,
            detectors, gate and counts; `window`, the ids given lately (MessagePack), to know
            duplicates by; `drifts`, the last detections (JSON).
        metrics: Each score's lifetime, rolling and fading value, its baselines, its interval.
        calibration: The reliability diagram, where the scores ask for it.
    """

    segments: Mapping[str, bytes]
    metrics: dict[str, dict[str, float | None]]
    calibration: dict[str, Any] | None = None
    drift_total: int
    learned: int
    scored: int
    nonfinite: int
    unscored: int
    refused_by: dict[str, int]


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

    Raises:
        SpecError: The model file asks for what does not exist or does not fit.
        RestoreError: `saved` holds no model of this learner.
    """

    def __init__(
        self, model_file: ModelFile, scratch: Path | None = None, saved: Saved | None = None
    ) -> None:
        self._scores = scores_of(model_file, model_file.metrics)
        self._detectors = Detectors(model_file.drift, model_file.task)
        wants = self._scores.wants_probabilities
        self._estimator: Estimator = (
            build_estimator(model_file, scratch, wants_probabilities=wants)
            if saved is None
            else restore_estimator(
                model_file, saved.payload["estimator"], scratch, wants_probabilities=wants
            )
        )
        self._labels = TASKS[model_file.task].labels(model_file)
        self._gate = Gate(model_file, self._labels)
        self.model_file = model_file
        self._name_and_key = name_and_key(model_file, self._estimator)
        self.tally = ExampleCounts()
        self.drifts = DriftLog()
        self.refused_by: Counter[str] = Counter()
        self.notes = (*self._estimator.notes, *self._detectors.notes)
        self._last_x: Any = None
        self._strays: set[str] = set()
        self._first = FirstEvents(model_file.name, self._estimator, self._labels)
        if saved is not None:
            self._load(saved)
        self._steps = progressive_steps(
            self._estimator,
            self._scores,
            self._detectors,
            self.tally,
            is_regression=not TASKS[model_file.task].has_classes,
        )

    def _load(self, saved: Saved) -> None:
        self._scores.restore(saved.payload["scores"])
        self._detectors.restore(saved.payload["detectors"])
        ids = msgspec.msgpack.decode(saved.segments["window"], type=list[str])
        self._gate.restore(saved.payload["gate"], ids)
        self.drifts = DriftLog.from_json(saved.segments["drifts"])
        self.refused_by = Counter(saved.refused_by)
        # Snapshots written before there was such a count have none.
        self.tally = ExampleCounts(**saved.payload["counts"], raised=saved.payload.get("raised", 0))
        probe = saved.payload["probe"]
        self._last_x = None if probe is None else probe["x"]

    def take(self, examples: Examples) -> list[tuple[int, Refusal]]:
        """Learn these examples, each scored first; which of them are refused, and why.

        One that the learner raises on when it is asked is refused, and nothing else changes by it.

        Raises:
            LearnFailedError: The learner raised when it learned. This trainer must not be used
                again.
        """
        refused: list[tuple[int, Refusal]] = []
        first, count = 0, len(examples.xs)
        while first < count:
            rest = examples if first == 0 else examples.between(first, count)
            taken, more = self._take(rest)
            refused += [(first + place, refusal) for place, refusal in more]
            first += taken
        return refused

    def _take(self, examples: Examples) -> Taken:
        admitted = self._gate.admit(examples)
        try:
            found = self._steps(admitted.xs, admitted.ys, admitted.ws)
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
        self.refused_by[Reason.learn_error] += 1
        self.tally.raised += 1
        if not self.tally.learned:
            self._first.raised(examples, place, self.tally.raised, what)
        return Refusal(Reason.learn_error, what, "learn")

    def _taken(self, examples: Examples, admitted: Admitted, found: Found) -> Taken:
        for _, refusal in admitted.refused:
            self.refused_by[refusal.reason] += 1
        for place, detection in found:
            at = admitted.places[place]
            self.drifts.add(
                detection,
                examples.topic,
                examples.partition,
                examples.offsets[at],
                examples.timestamps[at],
            )
        if admitted.xs:
            self._last_x = admitted.xs[-1]
        return len(examples.xs), list(admitted.refused)

    def refuse(self, reasons: Iterable[str]) -> None:
        """Count records that were refused before they reached the gate."""
        self.refused_by.update(reasons)

    def snapshot(self, *, version: str) -> Snapshot:
        """The state now, to be restored elsewhere or later.

        Args:
            version: The version this snapshot becomes; detections since the last one name it.

        Raises:
            UnwritableError: The learner holds what cannot be pickled, or its own way to be pickled
                raised; the trainer is unharmed by that.
            PredictChangesError: The learner is changed by being asked.
        """
        self.drifts.settle(version)
        tally = self.tally
        counts = {
            name: getattr(tally, name) for name in ExampleCounts.__slots__ if name != "raised"
        }
        payload = {
            "format": PAYLOAD_FORMAT,
            "raised": tally.raised,
            "estimator": self._estimator.dump(),
            "scores": self._scores.dump(),
            "detectors": self._detectors.dump(),
            "gate": self._gate.dump(),
            "counts": counts,
            "probe": self._probe(),
        }
        return Snapshot(
            segments={
                "model": self._pickled(payload),
                "window": msgspec.msgpack.encode(self._gate.ids.in_order()),
                "drifts": self.drifts.to_json(),
            },
            metrics=self._scores.report(),
            calibration=self._scores.calibration(),
            drift_total=self.drifts.total,
            refused_by=dict(self.refused_by),
            **counts,
        )

    def _pickled(self, payload: dict[str, Any]) -> bytes:
        try:
            return dumps(payload)
        except Exception as error:
            what = what_is_unwritable(payload["estimator"])
            name, key = self._name_and_key
            why = f"{name} cannot be made into a version: {what}; {_RULE}"
            raise UnwritableError(key, why) from error

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
        except (Exception, SystemExit, KeyboardInterrupt):
            return None
