"""The served scores: of what the API really answered, the moment the label lands.

The main scores are of the learner's own prediction at the event's place in the log. The difference
is the price of answering by a version that is older.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from learner.estimator import are_wild
from learner.events.examples import Examples
from learner.events.labels import Labels
from learner.join.answers import NO_LABEL, Answers
from learner.scores.scores import Scores
from learner.values import Served


class ServedScores:
    """The scores of a model file, over answers.

    Args:
        scores: New ones, of the model file.
        labels: Reads what the API wrote.
        answers: Those that come apart from their events; None: none do.

    Attributes:
        scores: Theirs.
    """

    def __init__(self, scores: Scores, labels: Labels, answers: Answers | None) -> None:
        self.scores, self._labels, self._answers = scores, labels, answers

    def add(self, y: Any, served: Served) -> None:
        """Score one answer; one without a prediction, or that is not finite, is none.

        Args:
            y: The truth, native.
        """
        predicted, probabilities = self._labels.read(served)
        if predicted is None or (type(predicted) is float and not isfinite(predicted)):
            return
        if self.scores.wants_probabilities and (probabilities is None or are_wild(probabilities)):
            return
        self.scores.update(y, predicted, probabilities)

    def labelled(self, event_id: str, y: Any) -> None:
        """The label of an event lands: what was answered under its id is scored, now or when it is
        read.
        """
        served = self._answers.of_labelled(event_id, y) if self._answers else None
        if served is not None:
            self.add(y, served)

    def all_labelled(self, examples: Examples, places: Sequence[int], ys: Sequence[Any]) -> None:
        """The same of events that came with their label, those that have an id."""
        if self._answers is None or examples.ids is None:
            return
        for place, y in zip(places, ys, strict=True):
            event_id = examples.ids[place]
            if event_id is not None:
                self.labelled(event_id, y)

    def read(self, answers: Answers, examples: Examples, *, clock_ms: int) -> None:
        """Take answers as they were logged, at this log time; they wait for the label, or it for
        them.
        """
        for place, served in enumerate(examples.served or ()):
            answer: Served = (None, None) if served is None else served
            at_ms, answer_id = examples.timestamps[place], examples.id_at(place)
            y = answers.add(answer_id, at_ms, answer, clock_ms=clock_ms)
            if y is not NO_LABEL:
                self.add(y, answer)
