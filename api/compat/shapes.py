"""The shapes of other servers' bodies, for the OpenAPI document.

What is asked is decoded by the Structs beside each route; the tests hold the two together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.compat.tensors import DATATYPES
from api.openapi.answers import Strict, absent
from api.openapi.questions import INSTANCES_MAX, Features

Value = bool | float | str | None
Datatype = Annotated[str, Field(json_schema_extra={"enum": list(DATATYPES)})]
Parameters = dict[str, bool | int | float | str]
Rows = Annotated[list[Features | list[Value]], Field(min_length=1, max_length=INSTANCES_MAX)]


class _AskedShape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InstancesBody(_AskedShape):
    """Instances that name their features, or have all that the model file lists, in its order."""

    instances: Rows


class Frame(_AskedShape):
    """A table as pandas' `to_dict("split")` has it."""

    columns: list[str]
    data: list[list[Value]]
    index: list[Any] = Field(default_factory=absent)


class _InvocationShape(_AskedShape):
    params: Annotated[dict[str, Any], Field(max_length=0)] | None = Field(default_factory=absent)


class SplitInvocation(_InvocationShape):
    """A DataFrame."""

    dataframe_split: Frame


class RecordsInvocation(_InvocationShape):
    """A DataFrame, row by row."""

    dataframe_records: Annotated[list[Features], Field(min_length=1, max_length=INSTANCES_MAX)]


class InstancesInvocation(_InvocationShape):
    """As TensorFlow Serving is asked."""

    instances: Rows


class InputsInvocation(_InvocationShape):
    """Columns, or rows."""

    inputs: Annotated[dict[str, list[Value]], Field(min_length=1)] | Rows


INVOCATIONS = (SplitInvocation, RecordsInvocation, InstancesInvocation, InputsInvocation)


class AskedTensor(_AskedShape):
    """One feature of every row; or, alone, all that the model file lists, in its order."""

    name: str
    datatype: Datatype
    shape: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=2)]
    data: list[Value | list[Value]] = Field(default_factory=absent)
    parameters: Parameters = Field(default_factory=absent)


class WantedTensor(_AskedShape):
    """An output that is wanted."""

    name: Literal["prediction", "probabilities", "prediction_id"]
    parameters: Parameters = Field(default_factory=absent)


class InferenceBody(_AskedShape):
    """Tensors of as many rows each. `id` is the prediction's, where there is one row."""

    inputs: Annotated[list[AskedTensor], Field(min_length=1)]
    outputs: list[WantedTensor] | None = Field(default_factory=absent)
    id: str | None = Field(default_factory=absent)
    model_name: str | None = Field(default_factory=absent)
    parameters: Parameters | None = Field(default_factory=absent)


class BatchAnswer(Strict):
    """Answers in the order of the rows, all by one version."""

    predictions: list[bool | int | float | str | None]
    probabilities: list[dict[str, float | None]] = Field(default_factory=absent)
    prediction_ids: list[str]
    model: str
    version: str
    version_id: str
    learned: int
    age_seconds: float
    unknown_features: list[str] = Field(default_factory=absent)


class AnsweredTensor(Strict):
    """One output. Without `data` its bytes stand behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: list[bool | int | float | str | None] = Field(default_factory=absent)
    parameters: dict[str, str | int] = Field(default_factory=absent)


class InferenceAnswer(Strict):
    """The outputs that were wanted, or all."""

    model_name: str
    model_version: str
    id: str = Field(default_factory=absent)
    parameters: dict[str, str | int | float]
    outputs: list[AnsweredTensor]


class TensorShape(Strict):
    """A tensor as the metadata tell of it; -1 is any number."""

    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(Strict):
    """Which server this is."""

    name: str
    version: str
    extensions: list[str]


class ModelMetadata(Strict):
    """What the model takes, and what it answers."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorShape]
    outputs: list[TensorShape]


class LiveAnswer(Strict):
    """The process works."""

    live: bool


class ReadyAnswer(Strict):
    """It can answer; else it is no such answer but a problem."""

    name: str = Field(default_factory=absent)
    ready: bool


FEATURES_EXAMPLE = {"empty_server_form_handler": 0.0, "https": 1.0, "age_of_domain": 1}
_FACTS_EXAMPLE = {
    "model": "phishing", "version": "v17", "version_id": "4f1c" * 16, "learned": 1250,
    "age_seconds": 0.42,
}  # fmt: skip
BATCH_EXAMPLE: dict[str, Any] = {
    "predictions": [True, False],
    "probabilities": [{"false": 0.25, "true": 0.75}, {"false": 0.875, "true": 0.125}],
    "prediction_ids": ["5f0c-1", "5f0c-2"],
    **_FACTS_EXAMPLE,
}
INFERENCE_EXAMPLE: dict[str, Any] = {
    "model_name": "phishing",
    "model_version": "17",
    "id": "order-1",
    "parameters": {name: it for name, it in _FACTS_EXAMPLE.items() if name != "model"},
    "outputs": [
        {"name": "prediction", "datatype": "BOOL", "shape": [1], "data": [True]},
        {
            "name": "probabilities", "datatype": "FP64", "shape": [1, 2], "data": [0.25, 0.75],
            "parameters": {"labels": '["false","true"]'},
        },
        {"name": "prediction_id", "datatype": "BYTES", "shape": [1], "data": ["order-1"]},
    ],
}  # fmt: skip
METADATA_EXAMPLE: dict[str, Any] = {
    "name": "phishing",
    "versions": ["17"],
    "platform": "weir",
    "inputs": [{"name": "https", "datatype": "FP64", "shape": [-1]}],
    "outputs": [
        {"name": "prediction", "datatype": "BOOL", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
        {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
    ],
}
