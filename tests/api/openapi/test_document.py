"""The document: every route is in it, and every example is answered as it says."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.explaining.explained import ExplainBody
from api.http.bodies import PredictBody
from api.openapi.answers import ProblemDocument
from api.openapi.document import operations
from api.openapi.questions import EventBody, ExplainQuestion, LabelBody, Question, Questions
from checkpoints.operating.verbs import AT_BOTH_DOORS
from learner.events.decode import FIELDS
from tests.api.dashboard.local_letters import LocalLetters
from tests.api.running import PHISHING, Running, phishing, running, until

JSON = "application/json"
TYPED = {"content-type": JSON}
USUAL = {"model": "phishing", "version": "v1"}
ROUTES = {
    ("POST", "/v1/models/{model}/predict"),
    ("POST", "/v1/models/{model}/explain"),
    ("POST", "/v1/models/{model}/events"),
    ("POST", "/v1/models/{model}/labels"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/models/{model}/metrics"),
    ("GET", "/v1/models/{model}/calibration"),
    ("GET", "/v1/models/{model}/importance"),
    ("GET", "/v1/models/{model}/labels"),
    ("GET", "/v1/models/{model}/drifts"),
    ("GET", "/v1/models/{model}/history"),
    ("GET", "/v1/models/{model}/dead-letters"),
    ("GET", "/v1/models/{model}/features"),
    ("GET", "/ui"),
    ("GET", "/v1/models/{model}/versions"),
    ("GET", "/v1/models/{model}/versions/{version}"),
    ("GET", "/v1/models/{model}/audit"),
    *(("POST", f"/v1/models/{{model}}/{verb.name}") for verb in AT_BOTH_DOORS),
    ("POST", "/v1/models/{model}:predict"),
    ("POST", "/invocations"),
    ("POST", "/v2/models/{model}/infer"),
    ("POST", "/v2/models/{model}/versions/{number}/infer"),
    *(("GET", f"/v2/models/{{model}}{path}") for path in ("", "/ready")),
    *(("GET", f"/v2/models/{{model}}/versions/{{number}}{path}") for path in ("", "/ready")),
    *(("GET", path) for path in ("/v2", "/v2/health/live", "/v2/health/ready")),
    *(("GET", path) for path in ("/ping", "/health", "/version")),
    *(("GET", path) for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/")),
}


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """Two versions, a learner that obeys at once, and detections of drift."""
    letters = LocalLetters("phishing.events", [("bad_label", "no label", b"{}")])
    with running(letters=letters) as found:
        found.learning.learn(phishing(900, start=200))
        version = found.learning.commit()
        found.learning.beat(control_seq=10_000)
        until(lambda: found.serves(version))
        yield found


@pytest.fixture(scope="module")
def document(api: Running) -> dict[str, Any]:
    return dict(api.get("/openapi.json").json())


def test_it_holds_the_routes_of_this_release_and_no_other(document: dict[str, Any]) -> None:
    found = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert found == ROUTES
    assert document["openapi"].startswith("3.1")


def test_operation_ids_differ_and_every_reference_is_there(document: dict[str, Any]) -> None:
    found = [operation for _, _, operation in operations(document)]
    ids = [each["operationId"] for each in found]
    assert len(ids) == len(set(ids))
    assert {tag for each in found for tag in each["tags"]} <= {
        tag["name"] for tag in document["tags"]
    }
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert "ProblemDocument" in references


def test_every_problem_and_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                assert all("example" in each for each in response["content"].values())


def test_every_example_is_answered_as_the_document_says(
    api: Running, document: dict[str, Any]
) -> None:
    sent = 0
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {"content": {JSON: {}}})["content"][JSON]
        for example in content.get("examples", {"none": {"value": None}}).values():
            _try(api, _path(api, path), method, operation, example)
            sent += 1
    assert sent > len(ROUTES)


def _path(api: Running, path: str) -> str:
    """With a model, one of its versions, and the number of the one that answers now."""
    loaded = api.app.served.lines["phishing"].loaded
    assert loaded is not None
    return path.format_map({**USUAL, "number": loaded.version.number})


def _try(
    api: Running, path: str, method: str, operation: dict[str, Any], example: dict[str, Any]
) -> None:
    answer = api.get(path) if method == "get" else api.post(path, example["value"])
    usual = next(iter(operation["responses"]))
    assert str(answer.status_code) == usual, f"{operation['operationId']}: {answer.text}"
    (media,) = operation["responses"][usual]["content"]
    assert answer.headers["content-type"].startswith(media)


def test_every_answer_and_its_example_read_as_their_type(api: Running) -> None:
    """As pydantic reads them, which is stricter than the schema."""
    read = 0
    for route in api.app.operations:
        if route.response_model is None or route.path == "/openapi.json":
            continue
        kind = TypeAdapter(route.response_model)
        for content in route.responses[route.status_code or 200]["content"].values():
            kind.validate_python(content["example"], strict=True)
        if "GET" in (route.methods or ()):
            answer = api.get(_path(api, route.path))
            kind.validate_json(answer.content, strict=True)
            read += 1
    assert read > 8


def test_the_shapes_of_raw_bodies_are_those_that_are_decoded() -> None:
    assert set(EventBody.model_fields) == set(FIELDS)
    asked = {*Question.model_fields, *Questions.model_fields}
    assert asked == set(PredictBody.__struct_fields__)
    assert set(LabelBody.model_fields) == {"id", "label", "ts"}
    explained = {field.alias or name for name, field in ExplainQuestion.model_fields.items()}
    assert explained == set(ExplainBody.__struct_encode_fields__)


def _example_of(document: dict[str, Any], path: str, status: str, method: str = "post") -> Any:
    (content,) = document["paths"][path][method]["responses"][status]["content"].values()
    return content["example"]


M = "/v1/models/{model}"
WRONG = {"name": "https", "datatype": "FP64", "shape": [2], "data": [1]}


@pytest.mark.parametrize(
    ("path", "request_", "status"),
    [
        (f"{M}/predict", {"content": b"no", "headers": TYPED}, "400"),
        (f"{M}/rollback", {"content": b"no", "headers": TYPED}, "400"),
        (f"{M}/events", {"content": b"no", "headers": TYPED}, "400"),
        (f"{M}/labels", {"content": b"no", "headers": TYPED}, "400"),
        (f"{M}/predict", {"json": {"features": {}}, "model": "phising"}, "404"),
        (f"{M}/versions/{{version}}", {"version": "v999"}, "404"),
        (f"{M}/pin", {"json": {"to": "v999", "reason": "x"}}, "404"),
        (M, {"model": "phising"}, "404"),
        (f"{M}/predict", {"content": b"a", "headers": {"content-type": "text/plain"}}, "415"),
        (f"{M}/predict", {"json": {"features": {"https": [1]}}}, "422"),
        (f"{M}/events", {"json": {"features": {}, "ts": "yesterday"}}, "422"),
        (f"{M}/labels", {"json": {"label": True}}, "422"),
        (f"{M}/rollback", {"json": {"to": "v1", "mode": "forget"}}, "422"),
        (f"{M}:predict", {"json": {"instances": [{"https": [1]}]}}, "422"),
        ("/invocations", {"json": {"inputs": {"https": [1, 2], "port": [1]}}}, "422"),
        ("/invocations", {"content": b"a", "headers": {"content-type": "text/plain"}}, "415"),
        ("/v2/models/{model}/infer", {"json": {"inputs": [WRONG]}}, "422"),
        ("/v2/models/{model}/infer", {"content": b"no", "headers": TYPED}, "400"),
        ("/v2/models/{model}", {"model": "phising"}, "404"),
        ("/v2/health/live", {"headers": {"host": "evil.example"}}, "403"),
        (f"{M}/audit", {"params": {"limit": "1001"}}, "422"),
        (f"{M}/versions", {"params": {"limit": "1001"}}, "422"),
        (f"{M}/versions/{{version}}", {"version": "17"}, "422"),
        (f"{M}/metrics", {"params": {"verbose": "1"}}, "422"),
        ("/livez", {"headers": {"host": "evil.example"}}, "403"),
    ],
)
def test_the_example_of_a_problem_is_what_is_answered(
    api: Running, document: dict[str, Any], path: str, request_: dict[str, Any], status: str
) -> None:
    """Word for word."""
    names = {name: request_.pop(name, usual) for name, usual in USUAL.items()}
    method = "post" if {"json", "content"} & request_.keys() else "get"

    answer = api.client.request(method, path.format_map(names), **request_)

    assert str(answer.status_code) == status
    assert answer.json() == _example_of(document, path, status, method)


def test_no_problem_example_is_of_another_status(document: dict[str, Any]) -> None:
    """And the statuses of one route do not share one."""
    seen = 0
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                (content,) = response["content"].values()
                example = content["example"]
                assert str(example["status"]) == status
                seen += 1
    assert seen > 60


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/phishing/reasons", 404),
        ("GET", "/v1/models/phishing/explain", 405),
        ("GET", "/v1/models/phishing/", 404),
        ("GET", "/v2/health", 404),
        ("GET", "/redoc", 404),
        ("GET", "/v1/models/phishing/predict", 405),
        ("PUT", "/v1/models/phishing", 405),
        ("DELETE", "/v1/models/phishing/versions/v1", 405),
        ("POST", "/livez", 405),
        ("POST", "/v1/models/phishing/rebuild", 404),
        ("OPTIONS", "/v1/models", 405),
    ],
)
def test_what_is_no_route_is_a_problem(api: Running, method: str, path: str, status: int) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == status
    problem = ProblemDocument.model_validate_json(answer.content)
    assert problem.status == status
    assert ("allow" in answer.headers) == (status == 405)


def test_the_pages_need_nothing_from_elsewhere(api: Running) -> None:
    for path in ("/", "/docs"):
        answer = api.get(path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<script" not in answer.text
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    assert all(f'id="{each.operation_id}"' in api.get("/docs").text for each in api.app.operations)


def test_the_examples_name_a_model_that_is_served() -> None:
    """Whoever copies one asks a model that is there."""
    with running(PHISHING.replace("name: phishing", "name: other"), learned=0) as api:
        page = api.get("/docs").text
        paths = api.get("/openapi.json").json()["paths"]

    assert "/v1/models/other/predict -H" in page
    assert "/v1/models/phishing" not in page
    (model,) = paths["/v1/models/{model}/predict"]["post"]["parameters"]
    assert (model["name"], model["example"]) == ("model", "other")


def test_a_problem_type_leads_to_its_place_in_the_documentation(api: Running) -> None:
    kind = api.get("/nowhere").json()["type"]
    page, _, fragment = kind.partition("#")
    assert f'id="{fragment}"' in api.get(page).text


def test_with_keys_the_document_asks_for_them(tmp_path: Any) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("[]")
    with running(learned=0, keys_file=path) as api:
        document = api.get("/openapi.json").json()
        predict = document["paths"]["/v1/models/{model}/predict"]["post"]
        assert predict["security"] == [{"key": []}]
        assert "401" in predict["responses"]
        assert "security" not in document["paths"]["/livez"]["get"]
