"""MLflow's and KServe's first protocol: rows in all their forms, and what stands around them."""

import json
import random
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.openapi.answers import ProblemDocument
from api.prediction_log.records import records
from checkpoints.stores.in_memory.store import MemoryStore
from config.errors import SettingsError
from config.model_file import parse_model_file
from tests.api.compat.asking import HEAD, in_bytes, tensor
from tests.api.compat.trial import MODEL, NAMES, SENT, pairs
from tests.api.running import (
    KEYS,
    PHISHING,
    Running,
    by_line,
    running,
    server_of,
    settings_of,
)
from tests.effort import examples

ROWS = [x for x, _ in pairs(20)]
LISTED = [{name: row[name] for name in NAMES} for row in ROWS]
SPLIT = {"columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]}
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
ORDERED = [list(row.values()) for row in LISTED]
PREDICT = "/v1/models/compat:predict"


@pytest.mark.parametrize(
    ("path", "body", "rows"),
    [
        ("/invocations", {"dataframe_split": SPLIT}, ROWS),
        ("/invocations", {"dataframe_split": {**SPLIT, "index": ["a"] * 20}}, ROWS),
        ("/invocations", {"dataframe_records": ROWS, "params": {}}, ROWS),
        ("/invocations", {"instances": ROWS, "params": None}, ROWS),
        ("/invocations", {"instances": ORDERED}, LISTED),
        ("/invocations", {"inputs": ROWS}, ROWS),
        ("/invocations", {"inputs": ORDERED}, LISTED),
        ("/invocations", {"inputs": COLUMNS}, ROWS),
        (PREDICT, {"instances": ROWS}, ROWS),
        (PREDICT, {"instances": ORDERED}, LISTED),
        (PREDICT, {"instances": [{"https": None, "a": {"b": 1}}]}, [{"https": None, "a.b": 1}]),
    ],
)
def test_rows_of_every_form_are_answered_as_predict_answers_them(
    compat: Running, path: str, body: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    expected = compat.post("/v1/models/compat/predict", {"instances": rows}).json()["predictions"]

    answer = compat.post(path, body)

    found = answer.json()
    assert answer.status_code == 200, found
    assert found.pop("age_seconds") >= 0
    assert len(set(found.pop("prediction_ids"))) == len(rows)
    facts = {name: expected[0][name] for name in ("model", "version", "version_id", "learned")}
    unknown = {"unknown_features": ["a.b"]} if "unknown_features" in expected[0] else {}
    assert found == {
        "predictions": [each["prediction"] for each in expected],
        "probabilities": [each["probabilities"] for each in expected],
        **facts,
        **unknown,
    }


@pytest.mark.parametrize(
    ("path", "body", "code", "pointer"),
    [
        ("/invocations", {}, "missing_field", ""),
        ("/invocations", {"inputs": ROWS, "instances": ROWS}, "missing_field", ""),
        ("/invocations", {"instances": ROWS, "params": {"k": 1}}, "unknown_field", "/params"),
        ("/invocations", {"inputs": {}}, "bad_value", "/inputs"),
        ("/invocations", {"inputs": {"a": [1], "b": [1, 2]}}, "bad_value", "/inputs/b"),
        ("/invocations", {"inputs": {"a": [1e13]}}, "out_of_bounds", "/rows/0/a"),
        ("/invocations", {"inputs": [[1, 2]]}, "bad_value", "/inputs/0"),
        ("/invocations", {"inputs": [{}, [1]]}, "bad_value", "/inputs"),
        (
            "/invocations",
            {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
            "bad_value",
            "/dataframe_split/data",
        ),
        (
            "/invocations",
            {"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}},
            "bad_value",
            "/dataframe_split/data/1",
        ),
        ("/invocations", {"dataframe_records": []}, "bad_value", "/dataframe_records"),
        (PREDICT, {"instances": []}, "bad_value", "/instances"),
        (PREDICT, {"instances": [{}] * 10_001}, "bad_value", "/instances"),
        (PREDICT, {"instances": [{"https": [1]}]}, "wrong_type", "/instances/0/https"),
        (PREDICT, {"instances": [{"features": {"a": 1}}]}, "bad_value", "/instances/0/features"),
        (PREDICT, {"instances": [{"a\0": 1}]}, "null_byte", "/instances/0/a\0"),
        (PREDICT, {"instance": []}, "unknown_field", "/instance"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_its_field(
    compat: Running, path: str, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = compat.post(path, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code), problem
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_errors_stand_where_each_client_looks_for_them(compat: Running) -> None:
    kserve = compat.post("/v1/models/nope:predict", {"instances": ROWS})
    csv = {"content-type": "text/csv"}
    mlflow = compat.client.post("/invocations", content=b"a,b\n1,2", headers=csv)

    assert (kserve.status_code, mlflow.status_code) == (404, 415)
    assert kserve.json()["error"] == "no model 'nope' is served here, but compat"
    assert mlflow.json()["error_code"] == "BAD_REQUEST"
    assert mlflow.json()["message"] == mlflow.json()["detail"]
    assert {each.headers["content-type"] for each in (kserve, mlflow)} == {"application/json"}


def test_answers_are_counted_as_those_of_predict(compat: Running) -> None:
    def counted(outcome: str) -> float:
        wanted = f'weir_predictions_total{{model="compat",outcome="{outcome}"}} '
        lines = compat.get("/metrics").text.splitlines()
        return next(float(each.removeprefix(wanted)) for each in lines if each.startswith(wanted))

    ok, refused = counted("ok"), counted("refused")
    compat.post(PREDICT, {"instances": ROWS})
    compat.post("/invocations", {"inputs": [*ROWS, {"https": 1e13}]})

    assert counted("ok") - ok == 40
    assert counted("refused") - refused == 1
    routes = compat.get("/metrics").text
    assert 'route="/v1/models/{model}:predict",status_code="200"' in routes


def test_answers_are_written_down_as_those_of_predict() -> None:
    """What goes to the predictions topic differs in its ids and times only."""
    text = MODEL.format(name="compat") + "log: {predictions: 1.0}\n"
    with running(text, learned=200, pairs=pairs) as api:
        inputs = [tensor(name, "FP64", [row[name] for row in LISTED]) for name in NAMES]
        headers, body = in_bytes(inputs)
        api.post("/v1/models/compat/predict", {"instances": LISTED})
        api.post(PREDICT, {"instances": LISTED})
        api.post("/invocations", {"inputs": ORDERED})
        api.client.post("/v2/models/compat/infer", content=body, headers=headers)
        log = api.app.notes.logs["compat"]
        written = [list(records(note, log)) for note in api.app.notes._waiting]

    assert [len(each) for each in written] == [20] * 4
    own = {"prediction_id", "predicted_at"}
    first, *others = [
        [
            {name: it for name, it in json.loads(value).items() if name not in own}
            for _, value, *_ in of
        ]
        for of in written
    ]
    for other in others:
        assert json.dumps(other[0]["prediction"]) == json.dumps(first[0]["prediction"])
        assert other == first


def test_of_several_models_one_must_be_named() -> None:
    texts = [PHISHING.replace("name: phishing", f"name: {name}") for name in "ab"]
    models = by_line(*map(parse_model_file, texts))
    app = create_app(settings_of(), models, MemoryStore(), KEYS)
    with server_of(app) as (_, url), httpx.Client(base_url=url) as client:
        unnamed = client.post("/invocations", json={"inputs": ROWS})
        named = client.post("/invocations", json={"inputs": ROWS}, headers={"x-weir-model": "b"})
        unknown = client.post("/invocations", json={"inputs": ROWS}, headers={"x-weir-model": "c"})

    assert unnamed.status_code == 400
    assert unnamed.json()["message"].endswith("name one in X-Weir-Model, of a, b")
    assert (named.status_code, named.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "b has no version loaded" in named.json()["message"]
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("spoken", "answered"),
    [
        ("none", {}),
        ("mlflow", {"/ping", "/invocations"}),
        ("oip, kserve", {"/v2", PREDICT}),
    ],
)
def test_protocols_that_are_not_named_are_not_spoken(spoken: str, answered: set[str]) -> None:
    with running(MODEL.format(name="compat"), learned=30, pairs=pairs, compat=spoken) as api:
        answers = {path: api.get(path) for path in ("/v2", "/ping")}
        answers |= {it: api.post(it, {"instances": ROWS}) for it in ("/invocations", PREDICT)}

    assert {path for path, answer in answers.items() if answer.status_code == 200} == set(answered)
    others = [answer for path, answer in answers.items() if path not in answered]
    assert all(answer.status_code in (404, 405) for answer in others)


def test_a_protocol_that_is_not_known_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="'oip', 'mlflow' or 'kserve'"):
        settings_of(compat="oip,triton")


@pytest.fixture
def kept() -> list[tuple[bytes, dict[str, str], bytes]]:
    """Path, headers and body of each request that a real client sent."""
    found = []
    for file in sorted(SENT.iterdir()):
        head, _, body = file.read_bytes().partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        headers = dict(line.decode().lower().split(": ", 1) for line in lines)
        wanted = {name: it for name, it in headers.items() if name in (HEAD, "content-type")}
        found.append((first.split()[1], wanted, body))
    return found


def test_malformed_requests_are_never_our_fault(
    compat: Running, kept: list[tuple[bytes, dict[str, str], bytes]]
) -> None:
    """Two thousand, made of real ones: bytes changed, cut out, put in; lengths that lie."""
    drawn = random.Random(18)
    statuses: dict[int, int] = {}
    for _ in range(examples(2000)):
        path, headers, body = drawn.choice(kept)
        answer = compat.client.post(
            path.decode(), content=_broken(drawn, body), headers=_odd(drawn, headers)
        )
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            problem = answer.json()
            assert problem.pop("error", None) or problem.pop("message")
            problem.pop("error_code", None)
            ProblemDocument.model_validate(problem)
    assert statuses.keys() >= {200, 400, 415, 422}
    assert compat.get("/v2/health/ready").status_code == 200


_TOKENS = [
    b"null", b"NaN", b"-1", b"1e400", b"[]", b"{}", b'"', b"\\u0000", b"\xff", b"9" * 30, b"true",
    b'"shape":[0]', b'"data"', b'"binary_data_size":3', b'"FP16"', b'"BYTES"', b"[[1,2],[3]]",
]  # fmt: skip


def _broken(drawn: random.Random, body: bytes) -> bytes:
    made = bytearray(body)
    for _ in range(drawn.randint(0, 4)):
        at = drawn.randrange(len(made) + 1)
        match drawn.randrange(4):
            case 0:
                made[at : at + drawn.randint(1, 12)] = drawn.choice(_TOKENS)
            case 1:
                del made[at : at + drawn.randint(1, 40)]
            case 2:
                made[at:at] = drawn.choice(_TOKENS)
            case _:
                made[at : at + 1] = drawn.randbytes(1)
    return bytes(made)


def _odd(drawn: random.Random, headers: dict[str, str]) -> dict[str, str]:
    changed = dict(headers)
    if drawn.random() < 0.2:
        changed[HEAD] = drawn.choice(["0", "1", "-1", "x", "99999999999999999999", "700"])
    if drawn.random() < 0.1:
        changed["content-type"] = drawn.choice(["text/plain", "application/octet-stream", "a"])
    return changed
