"""The values that cross the learner's border: an event, and why one was refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

Scalar: TypeAlias = bool | int | float | str | None
Label: TypeAlias = bool | int | float | str
Features: TypeAlias = dict[str, Scalar | dict[str, Scalar]]
Served: TypeAlias = tuple[Scalar, dict[str, float | None] | None]
Stage: TypeAlias = Literal["decode", "gate", "learn"]


class Reason(StrEnum):
    """Why a record was not learned: the names that dead letters carry."""

    tombstone = "tombstone"
    not_json = "not_json"
    wrong_type = "wrong_type"
    not_finite = "not_finite"
    out_of_bounds = "out_of_bounds"
    too_large = "too_large"
    too_deep = "too_deep"
    null_byte = "null_byte"
    unknown_field = "unknown_field"
    missing_label = "missing_label"
    bad_label = "bad_label"
    too_many_labels = "too_many_labels"
    too_many_features = "too_many_features"
    duplicate = "duplicate"
    label_unknown = "label_unknown"
    label_late = "label_late"
    label_duplicate = "label_duplicate"
    label_conflict = "label_conflict"
    weight_unsupported = "weight_unsupported"
    learn_error = "learn_error"


class Event(msgspec.Struct, kw_only=True):
    """One record of the events topic, decoded and not yet admitted.

    `features` is None where the record has none: a label on its own, or an event in `text`, which
    holds one line of Vowpal Wabbit's format (topics with `format: vw`). `served` is set where the
    event is an answer of the API: its prediction and probabilities, as applications saw them.
    """

    features: Features | None = None
    label: Scalar = None
    id: str | None = None
    ts: str | int | float | None = None
    weight: float | int | None = None
    key: str | None = None
    text: str | None = None
    served: Served | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event was not learned, and where it was noticed.

    Attributes:
        reason: Which of the contract's reasons.
        detail: What was wrong, and with what.
        stage: Who noticed it.
        path: The field that it is about, from the top; empty where it is about the whole.
        mend: The line of the model file that admits such events; empty where none does.
    """

    reason: Reason
    detail: str
    stage: Stage
    path: tuple[str | int, ...] = ()
    mend: str = ""
