"""Predictions: what they say, which version they are from, and what is refused."""

from typing import Any

import pytest

from config.model_file import parse_model_file
from tests.api.running import PHISHING, Running, phishing, running, until

PATH = "/v1/models/phishing/predict"
STRICT = PHISHING.replace("phishing", "strict") + (
    "strict: true\nfeatures: {https: {type: float, min: 0, max: 1}, port: {type: int}}\n"
)


def test_a_prediction_is_the_models_own_and_names_its_version(api: Running) -> None:
    x, _ = phishing(1, start=500)[0]
    chances = api.learning.trainer._estimator.predict(x)[1]

    answer = api.post(PATH, {"features": x, "id": "order-1"})

    head = api.learning.head
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("age_seconds") >= 0
    assert body == {
        "prediction": chances[True] > 0.5,
        "probabilities": {"false": chances[False], "true": chances[True]},
        "prediction_id": "order-1",
        "model": "phishing",
        "version": "v1",
        "version_id": head.id,
        "learned": 200,
    }


def test_several_instances_are_answered_in_their_order(api: Running) -> None:
    xs = [x for x, _ in phishing(7, start=300)]
    alone = [api.post(PATH, {"features": x}).json()["probabilities"] for x in xs]

    answer = api.post(PATH, {"instances": xs})

    predictions = answer.json()["predictions"]
    assert [each["probabilities"] for each in predictions] == alone
    assert len({each["prediction_id"] for each in predictions}) == len(xs)


def test_each_prediction_without_an_id_gets_its_own(api: Running) -> None:
    x, _ = phishing(1)[0]
    ids = {api.post(PATH, {"features": x}).json()["prediction_id"] for _ in range(5)}
    assert len(ids) == 5


def test_predicting_changes_nothing(api: Running) -> None:
    x, _ = phishing(1, start=700)[0]
    first = api.post(PATH, {"features": x}).json()["probabilities"]
    for other, _ in phishing(20, start=700):
        api.post(PATH, {"features": {**other, "never_seen": 3.5}})
    assert api.post(PATH, {"features": x}).json()["probabilities"] == first


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"features": {"https": [1]}}, "wrong_type", "/features/https"),
        ({"features": {"a": {"b": {"c": 1}}}}, "wrong_type", "/features/a/b"),
        ({"features": {"a/b": {"c~d": []}}}, "wrong_type", "/features/a~1b/c~0d"),
        ({"features": 3}, "wrong_type", "/features"),
        ({"features": None}, "wrong_type", "/features"),
        ({"instances": [1]}, "wrong_type", "/instances/0"),
        ({"instances": [{"a": 1}, {"b": []}]}, "wrong_type", "/instances/1/b"),
        ({"instances": []}, "bad_value", "/instances"),
        ({"features": {"a": 1}, "instances": [{}]}, "missing_field", "/features"),
        ({}, "missing_field", "/features"),
        ({"features": {}, "label": True}, "unknown_field", "/label"),
        ({"features": {}, "id": 3}, "wrong_type", "/id"),
        ({"features": {}, "id": "x" * 2000}, "too_large", "/id"),
        ({"instances": [{}], "id": "x"}, "bad_value", "/id"),
        ({"instances": [{"features": {"a": 1}}]}, "bad_value", "/instances/0/features"),
        (
            {"instances": [{}, {"features": {}, "id": "x", "key": "k"}]},
            "bad_value",
            "/instances/1/features",
        ),
        ({"features": {"https": 1e13}}, "out_of_bounds", "/features/https"),
        ({"instances": [{}, {"https": -1e13}]}, "out_of_bounds", "/instances/1/https"),
        ({"features": {"https": "x" * 2000}}, "too_large", "/features/https"),
        ({"features": {"o": {"i": 1e13}}}, "out_of_bounds", "/features/o/i"),
        ({"features": {"i": 1, "o": {"i": 1}, "o.i": 2}}, "wrong_type", "/features/o/i"),
        ({"features": {"o.i": 2, "o": {"i": 1}}}, "wrong_type", "/features/o.i"),
        ({"features": {f"f{i}": 1 for i in range(1001)}}, "too_many_features", "/features"),
        ({"features": {"https": "text"}}, "wrong_type", "/features/https"),
        ({"instances": [{"https": 1}, {"https": True}]}, "wrong_type", "/instances/1/https"),
        ({"features": {"a\0": 1}}, "null_byte", "/features/a\0"),
        ({"features": {"a": "\0"}}, "null_byte", "/features/a"),
        ([], "wrong_type", ""),
        (None, "wrong_type", ""),
    ],
)
def test_a_body_that_cannot_be_answered_is_refused_by_its_field(
    api: Running, body: object, code: str, pointer: str
) -> None:
    answer = api.post(PATH, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("names", [["htps"], ["a.b", "Distnce"]])
def test_features_that_were_never_learned_are_named(api: Running, names: list[str]) -> None:
    x, _ = phishing(1)[0]
    odd = {**x, **dict.fromkeys(names, 1)}

    assert "unknown_features" not in api.post(PATH, {"features": x}).json()
    assert api.post(PATH, {"features": odd}).json()["unknown_features"] == names
    several = api.post(PATH, {"instances": [x, odd]}).json()["predictions"]
    assert [each.get("unknown_features") for each in several] == [None, names]


def test_an_instance_may_have_a_group_of_that_name_beside_others(api: Running) -> None:
    """Only what looks like a question is taken for one."""
    instances = [{"features": {"a": 1}, "https": 1}, {"features": 1}, {"id": "x"}]
    assert api.post(PATH, {"instances": instances}).status_code == 200


def test_features_sent_bare_are_told_where_they_belong(api: Running) -> None:
    """To predict and among events; not where there are features already."""
    told = 'it is no field that is known here; features belong under "features"'
    events = PATH.replace("predict", "events")
    for path, body, pointer in [
        (PATH, {"size": 1, "color": 0}, "/size"),
        (events, {"size": 1, "label": True}, "/size"),
        (events, {"events": [{"size": 1}]}, "/events/0/size"),
    ]:
        errors = api.post(path, body).json()["errors"]
        assert errors == [{"pointer": pointer, "message": told}]
    mended = api.post(PATH, {"fetures": {"a": 1}}).json()["detail"]
    assert mended.endswith('known here (did you mean "features"?)')
    assert "belong" not in api.post(PATH, {"features": {}, "size": 1}).json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        (b"", 400, "not_json", ""),
        (b"{", 400, "not_json", ""),
        (b'{"features": {}', 400, "not_json", ""),
        (b'{"features": {"a": 1},}', 400, "not_json", ""),
        (b"\xff\xfe{}", 400, "not_json", ""),
        (b'{"features": {"a": "\\ud800"}}', 422, "wrong_type", "/features/a"),
        (b'{"features": {"a": NaN}}', 422, "not_finite", "/features/a"),
        (b'{"features": {"a": -Infinity}}', 422, "not_finite", "/features/a"),
        (b'{"features": {"a": 1e400}}', 422, "not_finite", "/features/a"),
        (b'{"instances": [{}, {"a": {"b": 1e400}}]}', 422, "not_finite", "/instances/1/a/b"),
        (b'{"features": {"a": ' + b"9" * 400 + b"}}", 422, "out_of_bounds", "/features/a"),
        (b'{"features": {"a": ' + b"9" * 9000 + b"}}", 422, "out_of_bounds", "/features/a"),
        (b"[" * 100_000, 400, "too_deep", ""),
        (b'{"features":' * 50_000, 400, "too_deep", ""),
        (b'{"features": {"\x00": 1}}', 400, "null_byte", ""),
    ],
)
def test_bytes_that_are_no_question_are_refused(
    api: Running, body: bytes, status: int, code: str, pointer: str
) -> None:
    problem = api.post(PATH, body).json()

    assert (problem["status"], problem["code"]) == (status, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_wrong_name_is_answered_by_the_nearest_right_one(api: Running) -> None:
    assert '"features"' in api.post(PATH, {"feature": {}}).json()["detail"]


def test_strictness_and_bounds_of_the_model_file_hold_for_questions() -> None:
    with running(STRICT, pairs=lambda n: [({"https": 1.0, "port": 8}, True)] * n) as api:
        path = "/v1/models/strict/predict"
        answers = [
            api.post(path, {"features": features}).json()
            for features in ({"https": 0.5}, {"https": 2}, {"port": 1.5}, {"other": 1})
        ]

        assert answers[0]["version"] == "v1"
        assert [each["code"] for each in answers[1:]] == [
            "out_of_bounds",
            "wrong_type",
            "unknown_field",
        ]
        assert [each["errors"][0]["pointer"] for each in answers[1:]] == [
            "/features/https",
            "/features/port",
            "/features/other",
        ]


def test_a_model_that_is_not_served_is_not_found(api: Running) -> None:
    answer = api.post("/v1/models/nope/predict", {"features": {}})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_before_the_first_version_there_is_no_answer_but_no_fault_either() -> None:
    with running(learned=0) as api:
        answer = api.post(PATH, {"features": {}})
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert api.get("/readyz").status_code == 503
        assert api.get("/livez").status_code == 200
        assert api.get("/v1/models/phishing").status_code == 503
        assert api.get("/v1/models").json() == {"items": [], "next": None}

        api.learning.learn(phishing(10))
        version = api.learning.commit()

        until(lambda: api.serves(version))
        assert api.post(PATH, {"features": {}}).json()["learned"] == 10
        assert api.get("/readyz").json() == {"status": "ready", "models": {"phishing": "v1"}}


def test_labels_of_the_model_file_are_answered_by_their_names() -> None:
    model = PHISHING.replace("phishing", "named") + "labels: [DOWN, UP]\n"
    assert parse_model_file(model).labels == ("DOWN", "UP")
    with running(
        model, pairs=lambda n: [(x, "UP" if y else "DOWN") for x, y in phishing(n)]
    ) as api:
        body = api.post("/v1/models/named/predict", {"features": phishing(1)[0][0]}).json()
        assert body["prediction"] in ("DOWN", "UP")
        assert set(body["probabilities"]) == {"DOWN", "UP"}


class Leaving:
    """A learner that ends the program, or means to, where a question says so."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        """Nothing."""

    def predict_one(self, x: dict[str, Any]) -> bool:
        if "exit" in x:
            raise SystemExit(3)
        if "interrupt" in x:
            raise KeyboardInterrupt
        return True


@pytest.mark.parametrize("feature", ["exit", "interrupt"])
def test_a_learner_that_would_end_the_program_only_fails_to_answer(feature: str) -> None:
    """As with any other error of its own; the next question is answered."""
    learner = '{python: "tests.api.routes.test_predict:Leaving"}'
    model = f"name: phishing\ntask: binary\nlearner: {learner}\ntrust: [tests]\n"
    with running(model, learned=10) as api:
        answer = api.post(PATH, {"features": {feature: 1}})

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "prediction_failed")
        assert answer.headers["content-type"] == "application/problem+json"
        assert api.post(PATH, {"features": {"a": 1}}).json()["prediction"] is True


def test_ids_of_forked_processes_differ(api: Running) -> None:
    """The application is made before the fork, and what makes its ids unique is not."""
    asked = {"features": {}}
    ids = {api.post(PATH, asked).json()["prediction_id"]}
    for book in (0, 0):
        api.app.enter(api.app.served, book)
        ids.add(api.post(PATH, asked).json()["prediction_id"])
    assert len({each.partition("-")[0] for each in ids}) == 3
