"""The shapes of what the dashboard asks for beside all others, as `answers.py` has theirs."""

from typing import Literal

from pydantic import Field

from api.openapi.answers import Strict, absent


class WindowColumns(Strict):
    """A score at each point, null where it had no value."""

    lifetime: list[float | None]
    rolling: list[float | None]
    fading: list[float | None]


class ScoreColumns(WindowColumns):
    """The same of its baselines, and of what the API answered, where there are any."""

    no_change: list[float | None] = Field(default_factory=absent)
    majority: list[float | None] = Field(default_factory=absent)
    mean: list[float | None] = Field(default_factory=absent)
    served: WindowColumns = Field(default_factory=absent)


class HistoryView(Strict):
    """Points of a model's life, oldest first; `at` is the time of the event that was the last."""

    version: str
    learned: list[int]
    scored: list[int]
    at: list[str]
    metrics: dict[str, ScoreColumns]


class DeadLetterItem(Strict):
    """A record that was refused, and why; `value` is the first KiB of it."""

    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    stage: str
    detail: str
    at: str
    key: str | None
    size: int
    encoding: Literal["text", "base64"]
    value: str


class DeadLetterList(Strict):
    """Dead letters, newest first."""

    items: list[DeadLetterItem]
    next: str | None


class FeatureItem(Strict):
    """A feature, as the model file lists it or as it was learned, and a value that it had."""

    name: str
    path: list[str]
    type: Literal["number", "int", "text", "bool"]
    min: float | None
    max: float | None
    listed: bool
    example: bool | int | float | str | None


class FeatureList(Strict):
    """The features of the version that answers, those of the model file first; 1,000 at most."""

    version: str
    items: list[FeatureItem]
    total: int
