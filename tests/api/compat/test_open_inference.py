"""Tensors: what they mean as features, what is answered, and what is refused by its place."""

import json
import random
from typing import Any

import httpx
import pytest

from tests.api.compat.asking import HEAD, in_bytes, outputs, tensor
from tests.api.compat.trial import NAMES, pairs
from tests.api.running import Running, phishing, running, until

INFER = "/v2/models/compat/infer"
REGRESSION = """
name: price
task: regression
learner: {river: [linear_model.LinearRegression]}
metrics: [RMSE]
"""
UNDECIDED = """
name: price
task: multiclass
learner: {river: [dummy.NoChangeClassifier]}
metrics: [Accuracy]
"""


def _predicted(api: Running, rows: list[dict[str, Any]], model: str = "compat") -> list[Any]:
    answer = api.post(f"/v1/models/{model}/predict", {"instances": rows})
    assert answer.status_code == 200, answer.text
    return [(each["prediction"], each["probabilities"]) for each in answer.json()["predictions"]]


def _infer(api: Running, inputs: list[dict[str, Any]], **more: Any) -> httpx.Response:
    return api.post(INFER, {"inputs": inputs, **more})


def _infer_bytes(api: Running, inputs: list[dict[str, Any]], **more: Any) -> httpx.Response:
    headers, body = in_bytes(inputs, **more)
    return api.client.post(INFER, content=body, headers=headers)


def _pairs(found: dict[str, list[Any]]) -> list[Any]:
    no, yes = found["probabilities"][::2], found["probabilities"][1::2]
    chances = [{"no": a, "yes": b} for a, b in zip(no, yes, strict=True)]
    return list(zip(found["prediction"], chances, strict=True))


@pytest.mark.parametrize("as_bytes", [False, True], ids=["json", "bytes"])
def test_ten_thousand_rows_are_answered_as_predict_answers_them(
    compat: Running, as_bytes: bool
) -> None:
    drawn = random.Random(7)
    rows = [
        {"https": drawn.random(), "is_popular": drawn.choice([0.0, 0.5, 1.0]), "domain": domain}
        for domain in drawn.choices(["com", "io", "é"], k=10_000)
    ]
    inputs = [
        tensor(name, "BYTES" if name == "domain" else "FP64", [row[name] for row in rows])
        for name in rows[0]
    ]
    ask = _infer_bytes if as_bytes else _infer

    found = outputs(ask(compat, inputs, parameters={"binary_data_output": as_bytes}))

    assert _pairs(found) == _predicted(compat, rows)


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "INT32", "UINT8"])
def test_numbers_of_every_type_are_those_numbers(compat: Running, datatype: str) -> None:
    """In bytes and in JSON. A whole number is a number here, as it is to `/predict`."""
    values: list[Any] = [0, 1, 1, 0] if "INT" in datatype else [0.0, 0.5, 1.0, 0.25]
    rows = [{"https": value} for value in values]
    for ask in (_infer, _infer_bytes):
        found = outputs(ask(compat, [tensor("https", datatype, values)]))
        assert _pairs(found) == _predicted(compat, rows)


def test_null_in_json_is_a_missing_value(compat: Running) -> None:
    inputs = [tensor("https", "FP64", [1.0, None]), tensor("domain", "BYTES", [None, "io"])]
    rows = [{"https": 1.0, "domain": None}, {"https": None, "domain": "io"}]

    assert _pairs(outputs(_infer(compat, inputs))) == _predicted(compat, rows)


def test_one_table_has_the_features_in_the_order_of_the_model_file(compat: Running) -> None:
    rows = [{name: x[name] for name in NAMES} for x, _ in pairs(20)]
    values = [row[name] for row in rows for name in NAMES]
    shape = [len(rows), len(NAMES)]
    table = {"name": "input-0", "datatype": "FP64", "shape": shape, "data": values}
    nested = {**table, "data": [list(row.values()) for row in rows]}

    expected = _predicted(compat, rows)

    assert _pairs(outputs(_infer(compat, [table]))) == expected
    assert _pairs(outputs(_infer(compat, [nested]))) == expected
    assert _pairs(outputs(_infer_bytes(compat, [table]))) == expected


MIXED = """
name: compat
task: binary
learner: {river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}
features: {age: {type: int}, price: {type: float}, items: {type: int, max: 100}}
"""


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64"])
def test_a_table_of_one_type_has_whole_numbers_where_the_model_file_says_int(datatype: str) -> None:
    learned = [({"age": n % 9, "price": n / 4, "items": n % 4}, n % 3 == 0) for n in range(100)]
    rows = [{"age": n, "price": n * 2, "items": 3 - n} for n in range(3)]
    shape, values = [3, 3], [value for row in rows for value in row.values()]
    data = values if datatype == "INT64" else [float(value) for value in values]
    table = {"name": "x", "datatype": datatype, "shape": shape, "data": data}
    with running(MIXED, learned=100, pairs=lambda count: learned[:count]) as api:
        answer = api.post("/v1/models/compat/predict", {"instances": rows}).json()["predictions"]
        expected = [each["probabilities"][name] for each in answer for name in ("false", "true")]
        for ask in (_infer, _infer_bytes):
            assert outputs(ask(api, [table]))["probabilities"] == expected
            halves = {**table, "datatype": "FP64", "data": [0.5] * 9}
            problem = ask(api, [halves]).json()
            assert (problem["code"], problem["errors"][0]["pointer"]) == (
                "wrong_type",
                "/rows/0/age",
            )


def test_the_answer_says_which_version_it_is_from(compat: Running) -> None:
    answer = _infer(compat, [tensor("htps", "FP64", [1])], id="order-7")

    body, head = answer.json(), compat.learning.head
    assert (body["model_name"], body["model_version"], body["id"]) == ("compat", "1", "order-7")
    assert body["parameters"].pop("age_seconds") >= 0
    assert body["parameters"] == {
        "version": "v1", "version_id": head.id, "learned": 1250, "unknown_features": "htps",
    }  # fmt: skip
    (parameters,) = [it["parameters"] for it in body["outputs"] if it["name"] == "probabilities"]
    assert json.loads(parameters["labels"]) == ["no", "yes"]


def test_the_id_of_one_row_is_the_predictions(compat: Running) -> None:
    """So that its label may come later, by that id; of several rows each has its own."""
    one = outputs(_infer(compat, [tensor("https", "FP64", [1])], id="order-7"))
    two = outputs(_infer(compat, [tensor("https", "FP64", [1, 0])], id="order-8"))

    assert one["prediction_id"] == ["order-7"]
    assert len({*two["prediction_id"], "order-8"}) == 3


def test_only_the_outputs_that_are_wanted_come_each_as_it_is_wanted(compat: Running) -> None:
    wanted = [
        {"name": "prediction_id"},
        {"name": "prediction", "parameters": {"binary_data": True}},
    ]
    answer = _infer(compat, [tensor("https", "FP64", [1])], outputs=wanted, id="x")

    assert list(outputs(answer)) == ["prediction_id", "prediction"]
    described = json.loads(answer.content[: int(answer.headers[HEAD])])["outputs"]
    assert ["data" in each for each in described] == [True, False]
    assert answer.headers["content-type"] == "application/octet-stream"


def test_metadata_tell_features_and_answers(compat: Running) -> None:
    found = compat.get("/v2/models/compat").json()

    assert [each["name"] for each in found["inputs"]] == NAMES
    assert {each["datatype"] for each in found["inputs"]} == {"FP64"}
    outputs_of = {each["name"]: (each["datatype"], each["shape"]) for each in found["outputs"]}
    assert outputs_of == {
        "prediction": ("BYTES", [-1]),
        "probabilities": ("FP64", [-1, 2]),
        "prediction_id": ("BYTES", [-1]),
    }
    assert found == compat.get("/v2/models/compat/versions/1").json()


def test_where_the_model_file_lists_nothing_what_was_learned_is_told(api: Running) -> None:
    found = api.get("/v2/models/phishing").json()
    assert [each["name"] for each in found["inputs"]] == list(phishing(1)[0][0])
    assert found["outputs"][0]["datatype"] == "BOOL"
    answer = api.post("/v2/models/phishing/infer", {"inputs": [tensor("https", "FP64", [1])]})
    assert outputs(answer)["prediction"] == [_predicted(api, [{"https": 1}], "phishing")[0][0]]


def test_a_regression_answers_a_number_without_probabilities() -> None:
    pairs_of = lambda count: [({"a": float(n)}, 2.0 * n) for n in range(count)]  # noqa: E731
    with running(REGRESSION, learned=30, pairs=pairs_of) as api:
        told = api.get("/v2/models/price").json()["outputs"]
        asked = {"inputs": [tensor("a", "FP64", [1.0, 2.0])]}
        found = outputs(api.post("/v2/models/price/infer", asked))
        batch = api.post("/v1/models/price:predict", {"instances": [{"a": 1.0}, {"a": 2.0}]}).json()
        expected = api.post("/v1/models/price/predict", {"instances": [{"a": 1.0}, {"a": 2.0}]})

    values = [each["prediction"] for each in expected.json()["predictions"]]
    assert found.keys() == {each["name"] for each in told} == {"prediction", "prediction_id"}
    assert found["prediction"] == batch["predictions"] == values
    assert "probabilities" not in batch


ONE = tensor("https", "FP64", [1.0])
SIZED = {"name": "https", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}
TEXT = {"name": "domain", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}}
BEST = {"name": "prediction", "parameters": {"classification": 2}}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/inputs"),
        ({"inputs": []}, "bad_value", "/inputs"),
        ({"inputs": [3]}, "wrong_type", "/inputs/0"),
        ({"inputs": [{**ONE, "shape": []}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "shape": [1, 1, 1]}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "shape": [-1]}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "shape": [2]}]}, "bad_value", "/inputs/0/data"),
        ({"inputs": [{**ONE, "shape": [0], "data": []}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "shape": [10**12]}]}, "bad_value", "/inputs/0/data"),
        ({"inputs": [{**ONE, "shape": [1, 0], "data": []}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "shape": [1, 0], "data": [[]]}]}, "bad_value", "/inputs/0/shape"),
        ({"inputs": [{**ONE, "datatype": "BF16"}]}, "bad_value", "/inputs/0/datatype"),
        ({"inputs": [tensor("https", "INT8", [0, 128])]}, "out_of_bounds", "/inputs/0/data"),
        ({"inputs": [tensor("https", "UINT8", [-1])]}, "out_of_bounds", "/inputs/0/data"),
        ({"inputs": [tensor("https", "INT64", [2**63])]}, "out_of_bounds", "/inputs/0/data"),
        ({"inputs": [{**ONE, "data": ["x"]}]}, "wrong_type", "/inputs/0/data"),
        ({"inputs": [{**ONE, "datatype": "INT64"}]}, "wrong_type", "/inputs/0/data"),
        ({"inputs": [{**ONE, "datatype": "BOOL"}]}, "wrong_type", "/inputs/0/data"),
        ({"inputs": [{**ONE, "data": [10**400]}]}, "not_finite", "/inputs/0/data"),
        ({"inputs": [{**SIZED, "data": [1.0]}]}, "missing_field", "/inputs/0/data"),
        ({"inputs": [ONE, {**ONE}]}, "bad_value", "/inputs/1/name"),
        ({"inputs": [ONE, tensor("port", "FP64", [1.0, 2.0])]}, "bad_value", "/inputs/1/shape"),
        ({"inputs": [{**ONE, "shape": [1, 3], "data": [1, 2, 3]}]}, "bad_value", "/rows/0"),
        ({"inputs": [tensor("https", "FP64", [0.0, 1e13])]}, "out_of_bounds", "/rows/1/https"),
        ({"inputs": [tensor("https", "BYTES", ["no"])]}, "wrong_type", "/rows/0/https"),
        ({"inputs": [tensor("domain", "BYTES", ["a\0"])]}, "null_byte", "/inputs/0/data/0"),
        ({"inputs": [ONE], "outputs": [{"name": "classes"}]}, "bad_value", "/outputs/0/name"),
        (
            {"inputs": [ONE], "outputs": [BEST]},
            "bad_value",
            "/outputs/0/parameters/classification",
        ),
        ({"inputs": [ONE], "id": "x" * 2000}, "too_large", "/id"),
        ({"inputs": [ONE], "input": []}, "unknown_field", "/input"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_answered_is_refused_by_its_field(
    compat: Running, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = compat.post(INFER, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code), problem
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert problem["error"] == problem["detail"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("each", "behind", "code"),
    [
        (SIZED, b"", "bad_value"),
        (SIZED, b"\0" * 7, "bad_value"),
        (SIZED, b"\0" * 9, "bad_value"),
        (SIZED, b"\0" * 6 + b"\xf8\x7f", "not_finite"),
        (SIZED, b"\0" * 6 + b"\xf0\xff", "not_finite"),
        ({**SIZED, "shape": [2]}, b"\0" * 8, "bad_value"),
        ({**SIZED, "shape": [1, 0], "parameters": {"binary_data_size": 0}}, b"", "bad_value"),
        ({**SIZED, "parameters": {"binary_data_size": True}}, b"\0", "bad_value"),
        ({**SIZED, "parameters": {"binary_data_size": -8}}, b"\0" * 8, "bad_value"),
        ({**SIZED, "datatype": "BF16"}, b"\0" * 8, "bad_value"),
        (TEXT, b"\2\0\0\0\xff\xff", "wrong_type"),
        (TEXT, b"\2\0\0\0a\0", "null_byte"),
        (TEXT, b"\3\0\0\0ab", "bad_value"),
        (TEXT, b"\1\0\0\0ab", "bad_value"),
        (TEXT, b"\xff\xff\xff\xffab", "bad_value"),
        ({**TEXT, "shape": [10**15]}, b"\0" * 6, "bad_value"),
    ],
)
def test_bytes_that_are_no_such_tensor_are_refused(
    compat: Running, each: dict[str, Any], behind: bytes, code: str
) -> None:
    head = json.dumps({"inputs": [each]}).encode()

    answer = compat.client.post(INFER, content=head + behind, headers={HEAD: str(len(head))})

    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


def test_json_that_is_said_to_be_longer_than_the_body_is_refused(compat: Running) -> None:
    answer = compat.client.post(INFER, content=b"{}", headers={HEAD: "3"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    answer = compat.client.post(INFER, content=b"{}", headers={HEAD: "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_page_may_send_unasked_is_no_tensor(compat: Running, media: str) -> None:
    answer = compat.client.post(INFER, content=b"{}", headers={"content-type": media})
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json_media")


def test_a_page_that_names_no_type_is_told_by_its_origin(compat: Running) -> None:
    answer = compat.client.post(INFER, content=b"{}", headers={"origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_only_the_version_that_answers_now_is_answered_for(compat: Running) -> None:
    asked = {"inputs": [ONE]}
    assert compat.post("/v2/models/compat/versions/1/infer", asked).status_code == 200
    for path in ("", "/ready"):
        assert compat.get(f"/v2/models/compat/versions/2{path}").status_code == 404
    answer = compat.post("/v2/models/compat/versions/2/infer", asked)
    assert answer.status_code == 404
    assert "answers by version 1 now" in answer.json()["error"]


def test_what_a_tensor_cannot_say_is_refused() -> None:
    """A model that has no prediction yet: `/predict` and the others say null."""
    with running(UNDECIDED, learned=0) as api:
        version = api.learning.commit()
        until(lambda: api.serves(version))
        answer = api.post("/v2/models/price/infer", {"inputs": [tensor("a", "FP64", [1.0])]})
        other = api.post("/v1/models/price:predict", {"instances": [{"a": 1.0}]})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "prediction_failed")
    assert problem["errors"][0]["pointer"] == "/rows/0"
    assert other.json()["predictions"] == [None]


def test_until_a_version_is_loaded_no_protocol_is_ready() -> None:
    with running(REGRESSION, learned=0) as api:
        answer = api.post("/v2/models/price/infer", {"inputs": [tensor("a", "FP64", [1.0])]})
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        for path in ("/v2/health/ready", "/v2/models/price/ready", "/ping", "/health"):
            assert api.get(path).status_code == 503
        assert api.get("/v2/health/live").json() == {"live": True}
        assert api.get("/v2/models/price").json()["versions"] == []


@pytest.mark.parametrize(
    ("task", "datatype", "width"),
    [
        ("task: binary", "BOOL", 2),
        ('task: binary, labels: ["DOWN", "UP"]', "BYTES", 2),
        ("task: multiclass, labels: [3, 4, 5]", "INT64", 3),
        ("task: multiclass", "FP64", -1),
    ],
)
def test_before_any_version_metadata_tell_what_is_known(
    task: str, datatype: str, width: int
) -> None:
    text = f"{{name: early, {task}, learner: {{river: [naive_bayes.GaussianNB]}}}}"
    with running(text, learned=0) as api:
        told = {each["name"]: each for each in api.get("/v2/models/early").json()["outputs"]}

    assert told["prediction"]["datatype"] == datatype
    assert told["probabilities"]["shape"] == [-1, width]
