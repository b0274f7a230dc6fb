"""What the Open Inference Protocol asks and answers, between bytes and rows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.compat.rows import (
    AskedRows,
    Place,
    asked_rows,
    by_name,
    by_order,
    listed_names,
    unknown_features,
)
from api.compat.tensors import (
    BYTES,
    FP64,
    Tensor,
    datatype_of,
    from_bytes,
    from_json,
    size_of,
    to_bytes,
)
from api.http.bodies import decoder
from api.http.problem import Answer, HttpProblem, field_problem
from api.openapi.questions import INSTANCES_MAX
from api.routes.predict import written
from api.serving.served import ServedLine
from learner.values import Features, Scalar

OUTPUTS = ("prediction", "probabilities", "prediction_id")
JSON_BYTES = "inference-header-content-length"
BINARY_MEDIA = "application/octet-stream"
_SIZE, _IS_BINARY, _ARE_BINARY = "binary_data_size", "binary_data", "binary_data_output"
_OTHER_ANSWERS = ("classification", "shared_memory_region")  # asked for by a parameter
_FACTS = ("version", "version_id", "learned", "age_seconds")

Parameters = dict[str, Any]


class GivenTensor(msgspec.Struct, forbid_unknown_fields=True):
    """An input."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Scalar | list[Scalar]] | UnsetType = UNSET
    parameters: Parameters | None = None


class WantedOutput(msgspec.Struct, forbid_unknown_fields=True):
    """An output that is wanted."""

    name: str
    parameters: Parameters | None = None


class Inference(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON of a request. The model's name is in the path, too."""

    inputs: list[GivenTensor]
    outputs: list[WantedOutput] | None = None
    id: str | None = None
    model_name: str | None = None
    parameters: Parameters | None = None


_decode = decoder(Inference)


def read_inference(body: bytes, json_bytes: int | None) -> tuple[Inference, list[Tensor]]:
    """A request, and its inputs with their values.

    Args:
        body: JSON, and behind it the bytes of tensors.
        json_bytes: How long the JSON is; None: that is all.

    Raises:
        HttpProblem: 400 or 422: it is no such request.
    """
    length = len(body) if json_bytes is None else json_bytes
    if length > len(body):
        detail = f"{JSON_BYTES} is {length}, and the body has {len(body)} bytes"
        raise HttpProblem(400, "bad_request", detail)
    asked = _decode(body[:length])
    return asked, list(_tensors(asked.inputs, body[length:]))


def rows_of(line: ServedLine, tensors: Sequence[Tensor]) -> AskedRows:
    """The rows that these inputs have: a feature each, or one with all that are listed.

    Raises:
        HttpProblem: They differ in their rows, or are nobody's.
    """
    place = ("rows",)
    if not tensors:
        raise field_problem("bad_value", ("inputs",), "there is none")
    first = tensors[0]
    rows = first.shape[0]
    if not 0 < rows <= INSTANCES_MAX:
        what = f"{rows} rows, from 1 to {INSTANCES_MAX} are answered"
        raise field_problem("bad_value", ("inputs", 0, "shape"), what)
    if _is_whole_table(line, tensors):
        return asked_rows(line, _of_table(line, first, place), place)
    columns: dict[str, Sequence[Scalar]] = {}
    for number, tensor in enumerate(tensors):
        _check_column(tensor, rows, columns, number)
        columns[tensor.name] = tensor.values
    return asked_rows(line, by_name(columns, ("inputs",)), place)


def answer_of(asked: Inference, found: Sequence[Mapping[str, Any]], *, has_classes: bool) -> Answer:
    """The answer, in JSON or with the bytes of its tensors behind it, as it was asked for.

    Args:
        found: Predictions, at least one, all by one version.

    Raises:
        HttpProblem: 422: an output is wanted that there is not, or there is no prediction.
    """
    made = {each.name: each for each in _outputs(found, has_classes=has_classes)}
    outputs: list[Parameters] = []
    behind = b""
    for tensor, is_binary in _wanted(asked, made):
        output: Parameters = {
            "name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape
        }  # fmt: skip
        parameters: Parameters = {}
        if tensor.name == "probabilities":
            parameters["labels"] = msgspec.json.encode(list(found[0]["probabilities"])).decode()
        if is_binary:
            content = to_bytes(tensor)
            behind += content
            parameters[_SIZE] = len(content)
        else:
            output["data"] = tensor.values
        outputs.append(output | ({"parameters": parameters} if parameters else {}))
    return _written(asked, found, outputs, behind)


def _tensors(inputs: Sequence[GivenTensor], behind: bytes) -> Iterator[Tensor]:
    """Each input with its values, those behind the JSON taken in order."""
    at = 0
    for number, each in enumerate(inputs):
        place = ("inputs", number)
        count = size_of(each.shape, place)
        size = (each.parameters or {}).get(_SIZE)
        if (size is None) == (each.data is UNSET):
            what = f"an input has either data or the parameter {_SIZE}"
            raise field_problem("missing_field", (*place, "data"), what)
        if each.data is not UNSET:
            values = from_json(each.datatype, each.data, place)
            if len(values) != count:
                what = f"{len(values)} values, the shape has {count}"
                raise field_problem("bad_value", (*place, "data"), what)
        else:
            if type(size) is not int or not 0 <= size <= len(behind) - at:
                what = f"{str(size)[:40]} bytes, {len(behind) - at} are left behind the JSON"
                raise field_problem("bad_value", (*place, "parameters", _SIZE), what)
            values = from_bytes(each.datatype, behind[at : at + size], count, place)
            at += size
        yield Tensor(each.name, each.datatype, tuple(each.shape), values)
    if at != len(behind):
        what = f"{len(behind) - at} bytes behind the JSON are no input's"
        raise field_problem("bad_value", ("inputs",), what)


def _is_whole_table(line: ServedLine, tensors: Sequence[Tensor]) -> bool:
    """Whether these are one table of all features: more than a column, or one of another name."""
    if len(tensors) > 1 or len(tensors[0].shape) == 1:
        return False
    listed = line.model_file.features or {}
    return tensors[0].shape[1] != 1 or (len(listed) == 1 and tensors[0].name not in listed)


def _of_table(line: ServedLine, tensor: Tensor, place: Place) -> list[Features]:
    """The rows of a tensor that has all features that the model file lists.

    It has one datatype: a whole number in it is an int where the model file says int.
    """
    names, width = listed_names(line, ("inputs", 0)), tensor.shape[1]
    if not width:
        raise field_problem("bad_value", ("inputs", 0, "shape"), "a table without columns")
    specs = line.model_file.features or {}
    whole = [name for name in names if specs[name].type == "int"]
    table = (tensor.values[at : at + width] for at in range(0, len(tensor.values), width))
    found = by_order(names, table, place)
    for row in found if whole else ():
        for name in whole:
            value = row[name]
            if isinstance(value, float) and value.is_integer():
                row[name] = int(value)
    return found


def _check_column(
    tensor: Tensor, rows: int, before: Mapping[str, Sequence[Scalar]], number: int
) -> None:
    place = ("inputs", number)
    if tensor.shape[1:] not in ((), (1,)):
        what = f"a feature's shape is [rows] or [rows, 1], not {list(tensor.shape)}"
        raise field_problem("bad_value", (*place, "shape"), what)
    if tensor.shape[0] != rows:
        what = f"{tensor.shape[0]} rows, the first input has {rows}"
        raise field_problem("bad_value", (*place, "shape"), what)
    if tensor.name in before:
        what = f"{tensor.name[:80]!r} is the name of two inputs"
        raise field_problem("bad_value", (*place, "name"), what)


def _outputs(found: Sequence[Mapping[str, Any]], *, has_classes: bool) -> Iterator[Tensor]:
    values = [each["prediction"] for each in found]
    if None in values:
        row = values.index(None)
        why = found[row].get("reason", "the model has none yet")
        what = f"there is no prediction, which a tensor cannot say: {why}"
        raise field_problem("prediction_failed", ("rows", row), what)
    rows = len(found)
    yield Tensor("prediction", datatype_of(values) if has_classes else FP64, (rows,), values)
    labels = list(found[0].get("probabilities") or ())
    if labels:
        chances = [
            math.nan if chance is None else chance
            for each in found
            for chance in map(each["probabilities"].get, labels)
        ]
        yield Tensor("probabilities", FP64, (rows, len(labels)), chances)
    yield Tensor("prediction_id", BYTES, (rows,), [each["prediction_id"] for each in found])


def _wanted(asked: Inference, made: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, bool]]:
    """The outputs that are answered, and whether as bytes."""
    are_binary = (asked.parameters or {}).get(_ARE_BINARY) is True
    if not asked.outputs:
        yield from ((tensor, are_binary) for tensor in made.values())
        return
    for number, each in enumerate(asked.outputs):
        place = ("outputs", number)
        if each.name not in made:
            what = f"{each.name[:80]!r} is none of {', '.join(made)}"
            raise field_problem("bad_value", (*place, "name"), what)
        parameters = each.parameters or {}
        for name in _OTHER_ANSWERS:
            if parameters.get(name):
                what = "outputs are answered whole, in the response"
                raise field_problem("bad_value", (*place, "parameters", name), what)
        yield made[each.name], parameters.get(_IS_BINARY, are_binary) is True


def _written(
    asked: Inference,
    found: Sequence[Mapping[str, Any]],
    outputs: Sequence[Parameters],
    behind: bytes,
) -> Answer:
    first = found[0]
    parameters = {name: first[name] for name in _FACTS}
    if unknown := unknown_features(found):
        parameters["unknown_features"] = ", ".join(unknown)
    body: dict[str, Any] = {
        "model_name": first["model"],
        "model_version": first["version"].removeprefix("v"),
        **({"id": asked.id} if asked.id is not None else {}),
        "parameters": parameters,
        "outputs": outputs,
    }
    content = written(body)
    if not behind:
        return Answer(content=content)
    header = (JSON_BYTES.encode(), b"%d" % len(content))
    return Answer(content=content + behind, media=BINARY_MEDIA.encode(), headers=(header,))
