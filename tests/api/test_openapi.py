"""The document: every route is in it, and every example is answered as it says."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.answers import ProblemDocument
from api.openapi import _alternatives
from api.operation import Operation
from tests.api.serving import PHISHING, Running, phishing, running, until

ROUTES = {
    ("POST", "/v1/models/{model}/predict"),
    ("POST", "/v1/models/{model}/events"),
    ("POST", "/v1/models/{model}/labels"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/models/{model}/metrics"),
    ("GET", "/v1/models/{model}/drifts"),
    ("GET", "/v1/models/{model}/versions"),
    ("GET", "/v1/models/{model}/versions/{version}"),
    ("GET", "/v1/models/{model}/audit"),
    *(
        ("POST", f"/v1/models/{{model}}/{command}")
        for command in ("rollback", "pin", "unpin", "freeze", "thaw", "tag")
    ),
    *(("GET", path) for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/")),
}


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """Two versions, a learner that obeys at once, and detections of drift."""
    with running() as found:
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
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(ids) == len(set(ids))
    assert {tag for each in operations for tag in each["tags"]} <= {
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


def test_every_example_is_answered_as_the_document_says(api: Running) -> None:
    sent = 0
    for operation in api.app.operations:
        for body in list(operation.bodies.values()) or [None]:
            _try(api, operation, body)
            sent += 1
    assert sent > len(ROUTES)


def _try(api: Running, operation: Operation, body: Any) -> None:
    path = operation.path.format(model="phishing", version="v1")
    if operation.method == "GET":
        answer = api.get(path)
    else:
        answer = api.post(path, {} if body is None else body)
    assert answer.status_code == operation.status, f"{operation.id}: {answer.text}"
    media = operation.media if operation.status < 400 else "application/problem+json"
    assert answer.headers["content-type"].startswith(media)
    if operation.result is not None:
        _reads_as(operation.result, answer.json())


def test_every_documented_answer_reads_as_its_schema(api: Running) -> None:
    for operation in api.app.operations:
        if operation.result is not None:
            _reads_as(operation.result, operation.example)


def _reads_as(kind: Any, content: Any) -> None:
    errors = []
    for each in _alternatives(kind):
        try:
            msgspec.convert(content, each)
        except msgspec.ValidationError as error:
            errors.append(str(error))
        else:
            return
    raise AssertionError(f"{content} is no {kind}: {errors}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/phishing/explain", 404),
        ("GET", "/v1/models/phishing/", 404),
        ("GET", "/v2/health/live", 404),
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
    problem = msgspec.json.decode(answer.content, type=ProblemDocument)
    assert problem.status == status
    assert ("allow" in answer.headers) == (status == 405)


def test_the_pages_need_nothing_from_elsewhere(api: Running) -> None:
    for path in ("/", "/docs"):
        answer = api.get(path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<script" not in answer.text
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    assert all(f'id="{each.id}"' in api.get("/docs").text for each in api.app.operations)


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
