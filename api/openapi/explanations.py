"""The shapes of explanations and of importance, for the OpenAPI document."""

from typing import Literal

from pydantic import Field

from api.openapi.answers import Prediction, Strict, absent

Value = bool | int | float | str | None


class Contribution(Strict):
    """What a feature adds; of features that were made of others, or combined, `value` is null."""

    feature: str
    value: Value
    contribution: float
    standard_error: float | None = Field(default_factory=absent)


class Split(Strict):
    """One split on the way through a tree, and which side it was; of so many events learned."""

    feature: str
    value: Value
    is_: Literal["<=", ">", "=", "!=", "in"] = Field(alias="is")
    than: Value
    events: float


class BackgroundView(Strict):
    """So many rows of other events; the last came when so many events had been learned."""

    n: int
    learned: int | None


class ExplanationView(Strict):
    """Why: `base`, all contributions and `rest` are `sum`.

    `sum` is on the `scale`: of log-odds those of `class` against `against`, of `probability` and
    `value` the answer itself. `residual` is the sum, read as the answer, less the answer.
    """

    method: Literal["exact", "leave_one_out", "shapley"]
    exact: bool
    scale: Literal["log_odds", "probability", "label", "score", "value"]
    class_: Value = Field(alias="class", default_factory=absent)
    against: Value = Field(default_factory=absent)
    base: float
    contributions: list[Contribution]
    rest: float
    sum: float
    residual: float
    path: list[Split] = Field(default_factory=absent)
    background: BackgroundView = Field(default_factory=absent)
    rounds: int = Field(default_factory=absent)
    unreached: int = Field(default_factory=absent)
    predictions_made: int = Field(default_factory=absent)


class Explained(Prediction):
    """An answer, which version gave it, and why."""

    explanation: ExplanationView


class ImportanceItem(Strict):
    """By how much the loss rises without knowing the feature."""

    feature: str
    importance: float
    measured: int


class ImportancePoint(Strict):
    """The features worth most when so many events had been learned."""

    learned: int
    importance: dict[str, float]


class ImportanceView(Strict):
    """Of the head; measured at one event in `every`, faded by `fading` from one to the next.

    `failed` are measurements to which the model had no answer.
    """

    every: int
    fading: float
    measured: int
    failed: int
    items: list[ImportanceItem]
    over_time: list[ImportancePoint]
