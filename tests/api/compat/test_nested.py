"""Nested features by the names that tables and tensors have for them, to the last bit."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.compat.asking import in_bytes, outputs, tensor
from tests.api.running import Running, running

VW = "{vw: '--loss_function logistic --link logistic -b 18'}"
RIVER = "{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}"
LISTED = """
name: nest
task: binary
learner: LEARNER
features: {geo.lat: {type: float}, geo.lon: {type: float}, size: {type: int}}
"""
UNLISTED = "name: nest\ntask: binary\nlearner: LEARNER\n"
ROWS: list[dict[str, Any]] = [
    {"geo": {"lat": float(n % 7), "lon": 40.0 - n}, "size": n % 5} for n in range(20)
]


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """The same by full names."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        inner = value if isinstance(value, dict) else {}
        found |= {f"{name}.{key}": each for key, each in inner.items()} or {name: value}
    return found


FLAT = [flat(row) for row in ROWS]
COLUMNS = {name: [row[name] for row in FLAT] for name in FLAT[0]}
ORDERED = [list(row.values()) for row in FLAT]
TENSORS = [
    tensor(name, "INT64" if name == "size" else "FP64", values) for name, values in COLUMNS.items()
]
TABLE = {
    "name": "table",
    "datatype": "FP64",
    "shape": [len(ROWS), 3],
    "data": [float(value) for row in ORDERED for value in row],
}
V1, MLFLOW, V2 = "/v1/models/nest:predict", "/invocations", "/v2/models/nest/infer"
NAMED = {
    "v1": (V1, {"instances": FLAT}),
    "v1 nested": (V1, {"instances": ROWS}),
    "mlflow split": (MLFLOW, {"dataframe_split": {"columns": list(COLUMNS), "data": ORDERED}}),
    "mlflow records": (MLFLOW, {"dataframe_records": FLAT}),
    "mlflow columns": (MLFLOW, {"inputs": COLUMNS}),
}
BY_ORDER = {
    "v1 in order": (V1, {"instances": ORDERED}),
    "mlflow in order": (MLFLOW, {"instances": ORDERED}),
}


def _learned(row: Any) -> Any:
    def pairs(count: int) -> Any:
        for number in range(count):
            yield row(ROWS[number % len(ROWS)]), number % 3 == 0

    return pairs


@pytest.fixture(
    scope="module",
    params=[(LISTED, VW), (UNLISTED, VW), (LISTED, RIVER)],
    ids=["vw", "vw-unlisted", "river"],
)
def nest(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A model that has learned nested features."""
    text, learner = request.param
    with running(text.replace("LEARNER", learner), learned=200, pairs=_learned(dict)) as found:
        yield found


def _predicted(api: Running, rows: list[dict[str, Any]]) -> list[Any]:
    answer = api.post("/v1/models/nest/predict", {"instances": rows})
    assert answer.status_code == 200, answer.text
    return [_told(each, each["probabilities"]) for each in answer.json()["predictions"]]


def _told(answer: dict[str, Any], chances: dict[str, float]) -> Any:
    return answer["prediction"], chances["false"], chances["true"]


def _of_rows(api: Running, path: str, body: dict[str, Any]) -> list[Any]:
    answer = api.post(path, body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert "unknown_features" not in found
    chances = [(each["false"], each["true"]) for each in found["probabilities"]]
    return [(each, *both) for each, both in zip(found["predictions"], chances, strict=True)]


def _of_tensors(api: Running, inputs: list[dict[str, Any]], *, as_bytes: bool) -> list[Any]:
    asked: dict[str, Any] = {"inputs": inputs, "parameters": {"binary_data_output": as_bytes}}
    if as_bytes:
        headers, body = in_bytes(**asked)
        found = outputs(api.client.post(V2, content=body, headers=headers))
    else:
        found = outputs(api.post(V2, asked))
    chances = found["probabilities"]
    return list(zip(found["prediction"], chances[::2], chances[1::2], strict=True))


def test_every_protocol_answers_as_predict_does_of_nested_objects(nest: Running) -> None:
    expected = _predicted(nest, ROWS)
    is_listed = nest.learning.model_file.features is not None

    assert len(set(expected)) > len(ROWS) // 2
    for name, (path, body) in (NAMED | (BY_ORDER if is_listed else {})).items():
        assert _of_rows(nest, path, body) == expected, name
    for inputs in (TENSORS, [TABLE]) if is_listed else (TENSORS,):
        for as_bytes in (False, True):
            assert _of_tensors(nest, inputs, as_bytes=as_bytes) == expected


def test_null_is_a_missing_value_within_a_group_as_well(nest: Running) -> None:
    columns = {"geo.lat": [None, 2.0], "geo": [None, None], "geo.lon": [40.0, None]}
    rows: list[dict[str, Any]] = [{"geo": {"lat": None, "lon": 40.0}}, {"geo": {"lat": 2.0}}]

    assert _of_rows(nest, MLFLOW, {"inputs": columns}) == _predicted(nest, rows)


def test_what_is_refused_of_a_group_is_named_by_its_place() -> None:
    with running(LISTED.replace("LEARNER", VW), learned=20, pairs=_learned(dict)) as api:
        problem = api.post(V1, {"instances": [{"geo.lat": 1e13}]}).json()

    assert (problem["code"], problem["errors"][0]["pointer"]) == (
        "out_of_bounds", "/instances/0/geo/lat",
    )  # fmt: skip


@pytest.mark.parametrize("text", [LISTED, UNLISTED])
def test_a_name_that_was_learned_with_its_dot_stays_as_it_is(text: str) -> None:
    """Vowpal Wabbit has `geo.lat` and `lat` of `geo` apart; whoever sent the one means it."""
    with running(text.replace("LEARNER", VW), learned=200, pairs=_learned(flat)) as api:
        expected = _predicted(api, FLAT)
        assert expected != _predicted(api, ROWS)
        assert _of_rows(api, MLFLOW, {"inputs": COLUMNS}) == expected
        assert _of_tensors(api, TENSORS, as_bytes=True) == expected


def test_what_cannot_be_nested_stays_as_it_is(nest: Running) -> None:
    """A value where the group would stand, and names that no group is known for."""
    rows: list[dict[str, Any]] = [
        {"geo": 2.0, "geo.lat": 3.0},
        {"geo": {"lat": 1.0}, "a.b": 3.0, ".": 1.0},
        {"a.b": {"c": 1.0}, "size": 2},
    ]
    answer = nest.post(V1, {"instances": rows})
    expected = nest.post("/v1/models/nest/predict", {"instances": rows}).json()["predictions"]

    chances = [each["probabilities"] for each in expected]
    assert answer.json()["probabilities"] == chances
