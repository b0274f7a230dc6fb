"""The section `log`: which answers of the API go to the predictions topic, and with what."""

from hashlib import sha256
from typing import Annotated

from pydantic import Field

from config.model.late_labels import LateLabels, answers_are_events
from config.model.parts import ModelFilePart

_WHOLE = 1 << 64


class AnswerLog(ModelFilePart):
    """What is written down of the answers that the API gives.

    Args:
        predictions: The share of them, 0 to 1.
        features: Whether with the features that were asked.
    """

    predictions: Annotated[float, Field(ge=0, le=1)] = 1.0
    features: bool = True

    def holds(self, prediction_id: str) -> bool:
        """Whether an answer is among those written down: by its id alone, so whoever asks agrees.

        >>> some = AnswerLog(predictions=0.25)
        >>> sum(some.holds(f"order-{number}") for number in range(1000))
        270
        """
        if self.predictions >= 1:
            return True
        place = int.from_bytes(sha256(prediction_id.encode()).digest()[:8])
        return place < self.predictions * _WHOLE


def log_misfit(answer_log: AnswerLog, late_labels: LateLabels | None) -> str | None:
    """Why answers cannot be logged like that, if they cannot."""
    if not answers_are_events(late_labels) or (answer_log.predictions >= 1 and answer_log.features):
        return None
    return (
        "must hold every answer with its features where `late_labels.features` has them wait for "
        "labels: leave it out, or write {predictions: 1.0, features: true}"
    )
