"""The section `importance`: how often it is measured, while learning, what a feature is worth."""

from typing import Annotated

from pydantic import Field

from config.model.parts import ModelFilePart


class Importance(ModelFilePart):
    """What the loss becomes when one feature has another event's value.

    Args:
        every: One event of so many is measured, by one of its features, in turn.
        fading: Weight of a measurement relative to the next one of that feature, in (0, 1].
    """

    every: Annotated[int, Field(ge=1)] = 64
    fading: Annotated[float, Field(gt=0, le=1)] = 0.99
