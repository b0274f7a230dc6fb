"""The shapes of the bodies that are decoded from their bytes, for the OpenAPI document.

The decoders are `api.http.bodies` and `learner.events`; the tests hold the two together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from learner.events.times import RFC_3339
from learner.explaining.explain import ROUNDS_MAX

INSTANCES_MAX = 10_000
EVENTS_MAX = 10_000

Value = bool | float | str | None
Features = dict[str, Value | dict[str, Value]]
LabelValue = bool | float | str
Time = Annotated[str, Field(pattern=f"^{RFC_3339}$")] | float | None


class _BodyShape(BaseModel):
    model_config = ConfigDict(extra="forbid", regex_engine="python-re")


def _left_out() -> Any:
    return None


class Question(_BodyShape):
    """One question. `id` comes back as `prediction_id`; without it a new one is made."""

    features: Features
    id: str | None = Field(default_factory=_left_out)
    key: str | None = Field(default_factory=_left_out)


class Questions(_BodyShape):
    """Several questions, answered by one version; each is the features themselves."""

    instances: Annotated[list[Features], Field(min_length=1, max_length=INSTANCES_MAX)]
    key: str | None = Field(default_factory=_left_out)


class ExplainQuestion(Question):
    """One question, and how its answer is to be explained."""

    method: Literal["auto", "exact", "leave_one_out", "shapley"] = "auto"
    samples: Annotated[int, Field(ge=1, le=ROUNDS_MAX)] | None = Field(
        default_factory=_left_out, description="Rounds of asking, each against another row."
    )
    top: Annotated[int, Field(ge=1)] | None = Field(
        default_factory=_left_out, description="So many contributions, the largest."
    )
    class_: LabelValue | None = Field(
        default_factory=_left_out, alias="class", description="The class to explain."
    )


class EventBody(_BodyShape):
    """One event. `ts` is RFC 3339 with its offset, or seconds since 1970."""

    features: Features
    label: LabelValue | None = Field(default_factory=_left_out)
    id: str | None = Field(default_factory=_left_out)
    ts: Time = Field(default_factory=_left_out)
    weight: float | None = Field(default_factory=_left_out)
    key: str | None = Field(default_factory=_left_out)


class EventsBody(_BodyShape):
    """Several events, published in this order."""

    events: Annotated[list[EventBody], Field(min_length=1, max_length=EVENTS_MAX)]


class LabelBody(_BodyShape):
    """The label of an event that came without one, which its `id` names."""

    id: str
    label: LabelValue
    ts: Time = Field(default_factory=_left_out)


class LabelsBody(_BodyShape):
    """Several labels."""

    labels: Annotated[list[LabelBody], Field(min_length=1, max_length=EVENTS_MAX)]
