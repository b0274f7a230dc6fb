"""The section `late_labels`: how long an event waits for its label, and where events come from."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from config.model.parts import ModelFilePart
from config.terms import Duration
from config.text.messages import wrong


class LateLabels(ModelFilePart):
    """What becomes of events whose label comes later.

    Args:
        horizon: Seconds of the log's own time after which an event is let go; None: it waits as
            long as there is room (`limits.pending`).
        default: The label that is learned at the horizon; None: none is.
        features: Which events wait: those of the events topic, answers of the API, or both.
    """

    horizon: Duration | None = None
    default: Annotated[bool | int | float | str, Field(union_mode="left_to_right")] | None = None
    features: Literal["events", "predictions", "both"] = "events"

    @model_validator(mode="after")
    def _default_has_its_time(self) -> Self:
        if self.default is not None and self.horizon is None:
            raise wrong("default is the label at the horizon: it needs `horizon:`, such as 7d")
        return self

    def misfit(self, task: str | None, labels: tuple[Any, ...] | None) -> str | None:
        """Why `default` is no label of this task, if it is none."""
        label = self.default
        if label is None:
            return None
        if task == "regression":
            is_number = type(label) in {int, float}
            return None if is_number else f"default of a regression is a number, not {label!r}"
        if labels is not None:
            return None if label in labels else f"default {label!r} is none of `labels`"
        if task == "binary" and (type(label) not in {bool, int} or label not in (0, 1)):
            return f"default of a binary task is true or false, not {label!r}"
        return None


def answers_are_events(late_labels: LateLabels | None) -> bool:
    """Whether an answer of the API is an event that waits for its label."""
    return late_labels is not None and late_labels.features != "events"
