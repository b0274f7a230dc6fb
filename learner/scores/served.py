"""The served scores: of what the API really answered, the moment the label lands.

The main scores are of the learner's own prediction at the event's place in the log. The difference
is the price of answering by a version that is older.
"""

from math import isfinite
from typing import Any

from learner.estimator import Predicted, are_wild
from learner.scores.scores import Scores


class ServedScores:
    """The scores of a model file, over answers.

    Args:
        scores: New ones, of the model file.

    Attributes:
        scores: Theirs.
    """

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def add(self, y: Any, answer: Predicted) -> None:
        """Score one answer; one without a prediction, or that is not finite, is none.

        Args:
            y: The truth, native.
            answer: As the learner has it.
        """
        predicted, probabilities = answer
        if predicted is None or (type(predicted) is float and not isfinite(predicted)):
            return
        if self.scores.wants_probabilities and (probabilities is None or are_wild(probabilities)):
            return
        self.scores.update(y, predicted, probabilities)
