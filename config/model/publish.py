"""The section `publish`: when a version is held back, and the last good one served instead."""

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from config.model.parts import ModelFilePart
from config.terms import Text


class Publish(ModelFilePart):
    """The publish gate.

    Args:
        score: One of `metrics`; its rolling value counts.
        margin: How much worse than the best of late a version that is served may be, in the
            score's own unit.
    """

    score: Text
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    def misfit(self, metrics: Collection[str]) -> str | None:
        """Why these scores do not do, if they do not.

        >>> Publish(score="F1", margin=0.05).misfit(["Accuracy"])
        'score F1 must be one of `metrics:`, which lists Accuracy'
        """
        if self.score in metrics:
            return None
        return f"score {self.score} must be one of `metrics:`, which lists {', '.join(metrics)}"
