"""Explanations over HTTP: a prediction, why it is that, and what it may cost."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.running import PHISHING, Running, phishing, running, until

PATH = "/v1/models/phishing/explain"
FOREST = PHISHING.replace(
    "[preprocessing.StandardScaler, linear_model.LogisticRegression]",
    "[{forest.ARFClassifier: {n_models: 5, seed: 1}}]",
).replace("importance: {every: 8}\n", "")
VW = PHISHING.replace(
    "{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}",
    "{vw: '--loss_function logistic --link logistic -q ::'}",
).replace("importance: {every: 8}\n", "")
X, _ = phishing(1, start=500)[0]


def sum_of(explanation: dict[str, Any]) -> float:
    parts = [each["contribution"] for each in explanation["contributions"]]
    return float(explanation["base"] + sum(parts) + explanation["rest"])


def test_it_is_the_prediction_with_its_reasons(api: Running) -> None:
    predicted = api.post("/v1/models/phishing/predict", {"features": X, "id": "order-1"}).json()
    answer = api.post(PATH, {"features": X, "id": "order-1"})
    assert answer.status_code == 200
    body = answer.json()
    found = body.pop("explanation")
    assert predicted.pop("age_seconds") <= body.pop("age_seconds")
    assert body == predicted
    assert (found["method"], found["exact"], found["scale"]) == ("exact", True, "log_odds")
    assert (found["class"], found["against"]) == (True, False)
    assert {each["feature"]: each["value"] for each in found["contributions"]} == X
    assert found["sum"] == pytest.approx(sum_of(found), abs=1e-12)
    chance = 1 / (1 + math.exp(-found["sum"]))
    assert chance == pytest.approx(body["probabilities"]["true"], abs=1e-9)
    assert abs(found["residual"]) <= 1e-9


def test_vowpal_wabbits_own_terms() -> None:
    with running(VW) as api:
        found = api.post(PATH, {"features": X, "top": 3}).json()
    explanation = found["explanation"]
    assert (explanation["exact"], len(explanation["contributions"])) == (True, 3)
    chance = 1 / (1 + math.exp(-sum_of(explanation)))
    assert chance == pytest.approx(found["probabilities"]["true"], abs=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({}, 422, "missing_field", "/features"),
        ({"features": {"https": [1]}}, 422, "wrong_type", "/features/https"),
        ({"features": {"https": "yes"}}, 422, "wrong_type", "/features/https"),
        ({"instances": [X]}, 422, "unknown_field", "/instances"),
        ({"features": X, "method": "lime"}, 422, "bad_value", "/method"),
        ({"features": X, "samples": 0}, 422, "bad_value", "/samples"),
        ({"features": X, "samples": 101}, 422, "bad_value", "/samples"),
        ({"features": X, "samples": 1.5}, 422, "wrong_type", "/samples"),
        ({"features": X, "top": 0}, 422, "bad_value", "/top"),
        ({"features": X, "class": "UP"}, 404, "not_found", "/class"),
        ({"features": X, "class": [1]}, 422, "wrong_type", "/class"),
        ({"features": X, "id": "x" * 2000}, 422, "too_large", "/id"),
    ],
)
def test_what_is_wrong_is_named(
    api: Running, body: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    answer = api.post(PATH, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["errors"][0]["pointer"] == pointer
    assert api.post(PATH, {"features": X}).status_code == 200, "the next one is answered"


def test_true_is_not_the_class_one() -> None:
    text = "{name: phishing, task: multiclass, learner: {river: [naive_bayes.GaussianNB]}}"
    pairs = [(x, number % 3) for number, (x, _) in enumerate(phishing(60))]
    with running(text, learned=60, pairs=lambda count: pairs[:count]) as api:
        found = [api.post(PATH, {"features": X, "class": label}) for label in (1, True, False)]
    assert found[0].json()["explanation"]["class"] == 1
    assert [each.status_code for each in found] == [200, 404, 404]


def test_a_forest_is_asked_against_the_background_of_its_version() -> None:
    with running(FOREST) as api:
        answer = api.post(PATH, {"features": X, "samples": 3})
        found = answer.json()["explanation"]
        assert (found["method"], found["exact"]) == ("leave_one_out", False)
        assert found["background"] == {"n": 50, "learned": 199} or found["background"]["n"] > 30
        assert (found["rounds"], found["unreached"]) == (3, 0)
        assert found["predictions_made"] <= 3 * (len(X) + 1)
        refused = api.post(PATH, {"features": X, "method": "exact"}).json()
        assert (refused["code"], refused["errors"][0]["pointer"]) == ("bad_value", "/method")
        shapley = api.post(PATH, {"features": X, "method": "shapley", "samples": 2})
        assert shapley.json()["explanation"]["method"] == "shapley"


def test_the_budget_ends_it_and_one_at_a_time_is_under_way() -> None:
    """Whatever is asked at once is explained or told to come again; predictions go on."""
    with running(FOREST, explain_budget_ms=20) as api:
        body = {"features": X, "method": "leave_one_out", "samples": 100}
        found = api.post(PATH, body).json()["explanation"]
        assert 0 < found["rounds"] < 100
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(api.post, PATH, body) for _ in range(24)]
            predict = [
                pool.submit(api.post, "/v1/models/phishing/predict", {"features": X})
                for _ in range(24)
            ]
        answers = [each.result() for each in asked]
        assert {each.status_code for each in answers} == {200, 503}
        busy = next(each for each in answers if each.status_code == 503)
        assert (busy.json()["code"], busy.headers["retry-after"]) == ("overloaded", "1")
        assert {each.result().status_code for each in predict} == {200}


def test_a_budget_too_small_for_one_round_of_shapley_says_what_to_do() -> None:
    slow = FOREST.replace("n_models: 5", "n_models: 60")
    with running(slow, explain_budget_ms=1) as api:
        answer = api.post(PATH, {"features": X, "method": "shapley"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_value")
    assert "ask for leave_one_out" in answer.json()["detail"]


def test_before_there_is_a_version_it_is_not_ready() -> None:
    with running(learned=0) as api:
        assert api.post(PATH, {"features": X}).json()["code"] == "not_ready"


def test_importance_is_the_heads_in_json_and_in_the_gauge(api: Running) -> None:
    body = api.get("/v1/models/phishing/importance").json()
    head = api.learning.head
    assert head is not None
    assert (body["every"], body["measured"]) == (8, 24)
    worth = {each["feature"]: each["importance"] for each in body["items"]}
    assert worth == dict(head.manifest.importance)  # type: ignore[arg-type]
    lines = api.get("/metrics").text.splitlines()
    for feature, value in worth.items():
        name = f'weir_model_feature_importance{{feature="{feature}",model="phishing"}}'
        assert f"{name} {value}" in lines


def test_a_model_that_does_not_measure_it_says_how_to() -> None:
    with running(FOREST) as api:
        until(lambda: api.get("/v1/models/phishing").status_code == 200)
        answer = api.get("/v1/models/phishing/importance")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "importance: {every: 64}" in answer.json()["detail"]
