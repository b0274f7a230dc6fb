"""An estimator that was asked before: what learns and scores an event whose label came later."""

from typing import Any

from learner.estimator import Estimator, Predicted


class Replayed:
    """Learns as its estimator does, and answers what that had answered at the event's place.

    Args:
        estimator: The one that was asked.

    Attributes:
        held: The answer to what is learned next.
    """

    predicts_as_it_learns = True

    def __init__(self, estimator: Estimator) -> None:
        self._estimator: Any = estimator
        self.draws_when_asked = estimator.draws_when_asked
        self.held: Predicted = (None, None)

    def learn(self, x: Any, y: Any, w: float | None, /) -> Predicted:
        """Learn one example; the prediction made of it before."""
        self._estimator.learn(x, y, w)
        return self.held

    def predict(self, x: Any, /) -> Predicted:
        """What is learned next was asked before."""
        raise AssertionError(f"asked again: {x}")

    @property
    def last_loss(self) -> float:
        """As of the estimator, where it reports one."""
        loss: float = self._estimator.last_loss
        return loss

    @property
    def last_weight(self) -> float:
        """Likewise."""
        weight: float = self._estimator.last_weight
        return weight
