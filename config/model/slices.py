"""The section `slices`: by which features scores are told apart."""

from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from config.model.parts import ModelFilePart
from config.terms import Number, Text
from config.text.messages import wrong

VALUES_MAX = 20  # of one slice; what else there is counts as one
SLICES_MAX = 10
# The slice that every model has whose labels come late.
LABEL_AGE = "label_age"


class Slice(ModelFilePart):
    """One feature, each value of which has scores of its own; of numbers, each bin.

    Args:
        feature: Its name, `outer.inner` of a nested one.
        bins: Where one bin ends and the next begins, which holds the bound.
    """

    feature: Text
    bins: Annotated[tuple[Number, ...], Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _bins_rise(self) -> Self:
        if self.feature == LABEL_AGE:
            raise wrong(f"{LABEL_AGE} is there by itself where labels come late")
        bins = self.bins
        if bins is not None and not 0 < len(bins) < VALUES_MAX:
            raise wrong(f"bins must be 1 to {VALUES_MAX - 1} numbers")
        if bins is not None and any(one >= other for one, other in pairwise(bins)):
            raise wrong(f"bins must rise, not {list(bins)}")
        return self


def _named(value: Any) -> Any:
    return {"feature": value} if isinstance(value, str) else value


Slices = Annotated[
    tuple[Annotated[Slice, BeforeValidator(_named)], ...],
    Field(strict=False, max_length=SLICES_MAX),
]
