"""Events by HTTP: they reach the topic byte for byte, or none of them does."""

from typing import Any

import pytest

from checkpoints.errors import Unavailable
from tests.api.running import PHISHING, Running, running

PATH = "/v1/models/phishing/events"


def test_one_event_goes_to_the_topic_as_it_was_written(api: Running) -> None:
    api.publisher.records.clear()
    body = b'{"label":true, "features": {"b": 1.0, "a": 1, "c": 12345678901234567, "d":1e2 }}'

    answer = api.post(PATH, body)

    assert answer.status_code == 202
    assert api.publisher.records == [("phishing.events", None, body)]
    place = {"topic": "phishing.events", "partition": 0, "offset": 0}
    assert answer.json() == {"items": [{"id": "phishing.events-0-0", **place}]}


def test_several_events_keep_order_bytes_and_keys(api: Running) -> None:
    api.publisher.records.clear()
    events = [
        b'{"features": {"a": 0.1}, "label": false, "id": "first"}',
        b'{ "id":"second","key":"k", "features":{},"label":1 }',
        b'{"features": {"o": {"i": null}}, "label": "x", "ts": "2026-11-20T12:00:00Z"}',
    ]
    answer = api.post(PATH, b'{"events": [' + b" , ".join(events) + b"]}")

    assert answer.status_code == 202
    assert [value for _, _, value in api.publisher.records] == events
    assert [key for _, key, _ in api.publisher.records] == [b"first", b"k", None]
    ids = [item["id"] for item in answer.json()["items"]]
    assert ids == ["first", "second", "phishing.events-0-2"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"label": True}, "wrong_type", "/features"),
        ({"features": None, "label": True}, "wrong_type", "/features"),
        ({"features": {"a": [1]}}, "wrong_type", "/features/a"),
        ({"features": {}, "label": [True]}, "bad_label", "/label"),
        ({"id": "a", "label": True}, "wrong_type", "/features"),
        ({"features": {}, "weight": "NaN"}, "wrong_type", "/weight"),
        ({"features": {}, "ts": "yesterday"}, "wrong_type", "/ts"),
        ({"features": {}, "ts": "2026-11-20T12:00:00"}, "wrong_type", "/ts"),
        ({"features": {}, "id": 7}, "wrong_type", "/id"),
        ({"features": {}, "extra": 7}, "unknown_field", "/extra"),
        ({"features": {"\0": 7}}, "null_byte", "/features/\0"),
        ({"events": []}, "bad_value", "/events"),
        ({"events": 3}, "wrong_type", "/events"),
        (
            {"events": [{"features": {}}, {"features": {"a": []}}]},
            "wrong_type",
            "/events/1/features/a",
        ),
        ({"events": [{"features": {}}, 7]}, "wrong_type", "/events/1"),
        ({"events": [{"features": {}}], "id": "x"}, "unknown_field", "/id"),
        ({"events": [{"features": {}}, {"features": {}, "ts": "x"}]}, "wrong_type", "/events/1/ts"),
    ],
)
def test_what_can_be_no_event_is_refused_by_its_field_and_nothing_is_published(
    api: Running, body: Any, code: str, pointer: str
) -> None:
    api.publisher.records.clear()

    answer = api.post(PATH, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert api.publisher.records == []


def test_numbers_that_are_none_are_refused_at_their_place(api: Running) -> None:
    body = b'{"events": [{"features": {"a": 1}}, {"features": {"a": 1e400}}]}'
    problem = api.post(PATH, body).json()
    assert problem["code"] == "not_finite"
    assert problem["errors"][0]["pointer"] == "/events/1/features/a"


def test_an_event_over_the_models_own_limit_is_refused() -> None:
    with running(PHISHING + "limits: {record: 100}\n") as api:
        events = [{"features": {"a": 1}}, {"features": {"a": "x" * 100}}]
        problem = api.post(PATH, {"events": events}).json()
        assert (problem["code"], problem["errors"][0]["pointer"]) == ("too_large", "/events/1")


def test_when_kafka_does_not_answer_the_client_may_try_again(api: Running) -> None:
    api.publisher.fails = Unavailable("Kafka does not answer", advice="wait")
    try:
        answer = api.post(PATH, {"features": {}, "label": True})
    finally:
        api.publisher.fails = None
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_a_batch_that_kafka_refuses_half_way_says_how_far_it_came(api: Running) -> None:
    api.publisher.records.clear()
    api.publisher.fails_at = 700
    try:
        answer = api.post(PATH, {"events": [{"features": {"n": n}} for n in range(2000)]})
    finally:
        api.publisher.fails_at = None
    assert answer.status_code == 503
    assert "700 of 2000" in answer.json()["detail"]
    assert len(api.publisher.records) == 700


def test_a_topic_of_vowpal_wabbits_text_takes_no_json() -> None:
    model = "name: text\ntask: binary\nlearner: {vw: --link logistic}\ntopics: {format: vw}\n"
    with running(model, learned=0) as api:
        answer = api.post("/v1/models/text/events", {"features": {}, "label": True})
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_format")


def test_labels_go_to_their_own_topic_byte_for_byte(api: Running) -> None:
    api.publisher.records.clear()
    one = b'{"id": "a",  "label": true}'

    answer = api.post("/v1/models/phishing/labels", one)
    several = api.post(
        "/v1/models/phishing/labels",
        b'{"labels": [{"label": 0, "id": "b"}, ' + one + b"]}",
    )

    assert (answer.status_code, several.status_code) == (202, 202)
    assert [item["id"] for item in several.json()["items"]] == ["b", "a"]
    assert api.publisher.records == [
        ("phishing.labels", b"a", one),
        ("phishing.labels", b"b", b'{"label": 0, "id": "b"}'),
        ("phishing.labels", b"a", one),
    ]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"label": True}, "missing_field", "/id"),
        ({"id": "a"}, "missing_field", "/label"),
        ({"id": "a", "label": True, "features": {}}, "unknown_field", "/features"),
        ({"id": "a", "label": None}, "bad_label", "/label"),
        ({"labels": []}, "bad_value", "/labels"),
        (
            {"labels": [{"id": "a", "label": 1}, {"id": 7, "label": 1}]},
            "wrong_type",
            "/labels/1/id",
        ),
        ({"labels": [{"id": "a", "label": 1, "ts": "x"}]}, "wrong_type", "/labels/0/ts"),
    ],
)
def test_what_can_be_no_label_is_refused_and_nothing_is_published(
    api: Running, body: Any, code: str, pointer: str
) -> None:
    api.publisher.records.clear()

    answer = api.post("/v1/models/phishing/labels", body)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert api.publisher.records == []
