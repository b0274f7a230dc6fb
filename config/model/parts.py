"""The sections of a model file that say what is learned, admitted, read and kept."""

import math
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from config.terms import (
    Component,
    Count,
    CountOrNone,
    Fraction,
    Number,
    Positive,
    Size,
    Text,
    Topic,
    is_dotted_name,
)
from config.text.messages import wrong


class ModelFilePart(BaseModel):
    """A part of the model file: frozen, without unknown keys, `"5"` is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Learner(ModelFilePart):
    """What learns: exactly one of River, Vowpal Wabbit, or a Python class of the user's.

    Args:
        river: Components in order, as plain data; a mapping that an argument is given may have
            keys that are no strings ({false: 0.4, true: 0.6}), as the file has them.
        vw: Vowpal Wabbit's command line.
        python: `module:callable` that returns an object with River's verbs.
    """

    river: list[Component] | None = None
    vw: str | None = None
    python: str | None = None

    @field_validator("river", mode="before")
    @classmethod
    def _river_is_listed(cls, value: object) -> object:
        if value is None or value in ([], {}):
            raise wrong("must name at least one component")
        return value if isinstance(value, list | tuple) else [value]

    @field_serializer("river")
    def _river_as_it_is(self, river: Any) -> Any:
        return river  # its type says that keys are strings; for River they may be others

    @field_validator("vw")
    @classmethod
    def _vw_is_one_line(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise wrong("must be Vowpal Wabbit's arguments, such as --loss_function logistic")
        return value

    @field_validator("python")
    @classmethod
    def _python_is_importable(cls, value: str | None) -> str | None:
        module, colon, name = (value or "a:b").partition(":")
        if not (colon and is_dotted_name(module) and is_dotted_name(name)):
            raise wrong(f"must be module:callable, as in my_package.models:build, not {value}")
        return value

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(each is not None for each in (self.river, self.vw, self.python)) != 1:
            raise wrong("needs exactly one of river, vw and python")
        return self


class FeatureSpec(ModelFilePart):
    """What is admitted of one feature; the bounds are included."""

    type: Literal["float", "int", "string", "bool"]
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        bounded = self.min is not None or self.max is not None
        if bounded and self.type not in {"float", "int"}:
            raise wrong(f"min and max are for float and int, not for {self.type}")
        if (self.min if self.min is not None else -math.inf) > (
            self.max if self.max is not None else math.inf
        ):
            raise wrong(f"min {self.min} is above max {self.max}")
        return self


class ScoreWindows(ModelFilePart):
    """Windows of the scores beside `lifetime`.

    Args:
        rolling: Scored events of the rolling window.
        fading: Weight of a score relative to the next one, in (0, 1].
    """

    rolling: Count = 1000
    fading: Fraction = 0.999


class Drift(ModelFilePart):
    """One drift detector: what it watches, what it is, what follows an alarm.

    In the file its `arguments` stand beside the other keys: {detector: ADWIN, delta: 0.002}.
    """

    on: str = "error"
    detector: Text
    action: str = "alert"
    arguments: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _other_keys_are_arguments(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = value.get("arguments")
        arguments = dict(given) if isinstance(given, dict) else {}
        own = {key: each for key, each in value.items() if key in {"on", "detector", "action"}}
        rest = {key: each for key, each in value.items() if key not in {*own, "arguments"}}
        return {**own, "arguments": {**arguments, **rest}}

    @field_validator("on")
    @classmethod
    def _on_the_error(cls, value: str) -> str:
        if value != "error":
            raise wrong(f"only `error` can be watched in this version, not {value!r}")
        return value

    @field_validator("action")
    @classmethod
    def _alert_only(cls, value: str) -> str:
        if value != "alert":
            raise wrong(f"only `alert` is possible in this version, not {value!r}")
        return value


class Limits(ModelFilePart):
    """What is admitted at most; what is over a limit is refused and counted, never cut.

    Args:
        value: Absolute value of a number.
        features: Features of one event.
        names: Distinct names of features, ever.
        labels: Distinct labels, ever.
        string: Characters of a string.
        depth: Levels of nesting within `features`.
        record: Bytes of a record.
        pending: Events that wait for their label.
        duplicates: Event ids remembered to refuse a second one.
    """

    value: Positive = 1e12
    features: Count = 1000
    names: Count = 10_000
    labels: Count = 1000
    string: Count = 1024
    depth: Count = 2
    record: Size = 1 << 20
    pending: Count = 1_000_000
    duplicates: Count = 10_000


class Topics(ModelFilePart):
    """Kafka topics of the model; `format` is that of the events."""

    events: Topic
    labels: Topic
    predictions: Topic
    format: Literal["json", "vw"] = "json"

    @field_validator("predictions")
    @classmethod
    def _apart(cls, topic: str, info: ValidationInfo) -> str:
        if topic in {info.data.get("events"), info.data.get("labels")}:
            raise wrong("must not be the events or the labels topic: it would read its own")
        return topic


class Keep(ModelFilePart):
    """Which versions are kept; pinned, tagged and serving ones are kept besides.

    Args:
        last: The newest so many.
        minutely: One a minute, of the newest so many minutes that have one; hourly, daily alike.
        max_bytes: Bytes of all versions together.
    """

    last: Count = 20
    minutely: CountOrNone = 60
    hourly: CountOrNone = 24
    daily: CountOrNone = 7
    max_bytes: Size = 4 << 30


class Checkpoint(ModelFilePart):
    """How often a version is committed, and how large one may be."""

    every_seconds: Positive = 1.0
    max_bytes: Size = 512 << 20
    keep: Keep = Keep()
