"""How a version does on labelled events: the loss of each, and scores over all of them. Offline.

The loss that breaks are sought by lies between 0 and 1 for every task, so that no single event
outweighs the others: of classes the squared error of the probabilities (Brier, "Verification of
forecasts expressed in terms of probability", 1950, halved), without probabilities 0 or 1; of
numbers the error's share, e / (e + s), where s is the mean error of the best constant. What is not
answered, or not by a finite number, has lost all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from config.model_file import ModelFile
from learner.estimator import is_not_finite
from learner.scores.scores import scores_of
from learner.served_model import Judged, ServedModel
from learner.tasks import TASKS
from learner.values import Event, Refusal
from stream.looking_back.judging.change_point import Losses


class Judgement(Struct, frozen=True, kw_only=True):
    """How one version does.

    Attributes:
        losses: Of each event.
        metrics: The value of each score over those that were answered; None where it has none.
        unanswered: Events that it refused, raised on, or had no finite answer to.
    """

    losses: Losses
    metrics: dict[str, float | None]
    unanswered: int

    @property
    def loss(self) -> float:
        """Their mean."""
        return float(np.mean(self.losses))


class Jury:
    """Judges versions on the same events.

    Args:
        model_file: Of the newest version: the task, and how scores are reckoned.
        events: Labelled ones.
        metrics: The scores to reckon, besides the losses.

    Raises:
        SpecError: There is no score of that name, or it does not suit the task.
    """

    def __init__(
        self, model_file: ModelFile, events: Sequence[Event], metrics: Sequence[str]
    ) -> None:
        scores_of(model_file, metrics)
        self._model_file, self._events, self._metrics = model_file, events, metrics
        self._has_classes = TASKS[model_file.task].has_classes
        self._usual = 1.0 if self._has_classes else _usual_error(events)

    def judge(self, model: ServedModel) -> Judgement:
        """How a version does on all of them."""
        losses = np.ones(len(self._events))
        scored: list[tuple[Any, Any, Any]] = []
        for place, event in enumerate(self._events):
            judged = asked(model, event)
            if judged is None:
                continue
            label, chances = judged.predicted
            losses[place] = self._loss(judged)
            scored.append((judged.y, label, chances or {}))
        scores = scores_of(self._model_file, self._metrics)
        for y, label, chances in scored:
            scores.update(y, label, chances)
        report = scores.report()
        return Judgement(
            losses=losses,
            metrics={name: values["lifetime"] for name, values in report.items()},
            unanswered=len(self._events) - len(scored),
        )

    def _loss(self, judged: Judged) -> float:
        y: Any = judged.y
        label, chances = judged.predicted
        if not self._has_classes:
            error = abs(float(y) - float(label or 0.0))
            return error / (error + self._usual)
        if not chances:
            return float(label != y)
        return brier(y, chances)


def brier(y: Any, chances: dict[Any, float]) -> float:
    """Half the squared error of the probabilities of all classes.

    >>> brier(True, {True: 0.75, False: 0.25}), brier("c", {"a": 1.0})
    (0.0625, 1.0)
    """
    others = sum(chance**2 for label, chance in chances.items() if label != y)
    return min(1.0, ((1 - chances.get(y, 0.0)) ** 2 + others) / 2)


def asked(model: ServedModel, event: Event) -> Judged | None:
    """What a version answers; None where it does not."""
    try:
        judged = model.judge(event)
    except BaseException as error:  # River's Rust panics with what is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        return None
    if isinstance(judged, Refusal) or judged.predicted[0] is None:
        return None
    return None if is_not_finite(judged.predicted) else judged


def _usual_error(events: Sequence[Event]) -> float:
    """The mean distance of the labels from their median; 1 where they are all the same."""
    labels = np.asarray([float(event.label or 0.0) for event in events])
    return float(np.mean(np.abs(labels - np.median(labels)))) or 1.0
