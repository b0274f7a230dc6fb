"""What stands in a record, from what was asked and answered."""

import json

import pytest
from msgspec.structs import replace

from api.prediction_log.records import Note, records
from config.errors import ModelFileError
from config.model.answer_log import AnswerLog
from config.model_file import parse_model_file

FILE = "name: m\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n"
FACTS = {"model": "m", "version": "v3", "version_id": "ab" * 32, "learned": 9, "age_seconds": 0.5}


def answer(name, prediction=True, **more):
    return {"prediction": prediction, **more, "prediction_id": name, **FACTS}


def note(asked, answered, count=1):
    return Note("m", 1_700_000_000_007, count, json.dumps(asked).encode(),
                json.dumps(answered).encode())  # fmt: skip


def read(found):
    return [(key.decode(), json.loads(value)) for key, value, *_ in found]


def test_one_answer_is_one_record():
    one = answer("x", probabilities={"true": 0.75, "false": 0.25}, unknown_features=["b"])
    ((key, record),) = read(records(note({"features": {"a": 1, "b": "é"}}, one), AnswerLog()))
    assert key == "x"
    assert record == {
        "prediction_id": "x", "model": "m", "version": "v3", "version_id": "ab" * 32,
        "learned": 9, "predicted_at": "2023-11-14T22:13:20.007Z", "prediction": True,
        "probabilities": {"true": 0.75, "false": 0.25}, "features": {"a": 1, "b": "é"},
    }  # fmt: skip


@pytest.mark.parametrize("prediction", [None, 0.1 + 0.2, -0.0, "UP", 10**25])
def test_numbers_and_texts_stand_as_they_were_written(prediction):
    """Features, too, in their order: the learner is to learn what was asked."""
    text = b'{"id": "x", "features": {"z": 1.10, "a": 1e2, "m": {"k": -0.0}}, "key": "who"}'
    asked = note({}, answer("x", prediction))
    asked = Note(asked.model, asked.at_ms, 1, text, asked.answer)
    ((key, value, headers, _),) = records(asked, AnswerLog())
    assert (key, headers) == (b"who", ())
    assert b'"features":{"z": 1.10, "a": 1e2, "m": {"k": -0.0}},"key":"who"' in value
    assert b'"prediction":' + json.dumps(prediction).encode() + b"," in value


def test_several_answers_are_a_record_each():
    asked = {"instances": [{"a": 1}, {"a": 2}, {}], "key": "k"}
    answered = {"predictions": [answer(name) for name in "xyz"]}
    found = read(records(note(asked, answered, 3), AnswerLog()))
    assert [key for key, _ in found] == ["k"] * 3
    assert [(it["prediction_id"], it["features"]) for _, it in found] == [
        ("x", {"a": 1}), ("y", {"a": 2}), ("z", {}),
    ]  # fmt: skip


def test_without_features_and_in_part():
    names = [f"order-{number}" for number in range(1000)]
    asked = {"instances": [{"a": 1}] * 1000}
    some = AnswerLog(predictions=0.25, features=False)
    found = read(records(note(asked, {"predictions": list(map(answer, names))}), some))
    assert [key for key, _ in found] == [name for name in names if some.holds(name)]
    assert 200 < len(found) < 300
    assert not any("features" in record for _, record in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("log: {predictions: 0}", None),
        ("log: {predictions: 0.5}", AnswerLog(predictions=0.5)),
        ("log: {}", AnswerLog()),
        ("late_labels: {features: events}", None),
        ("late_labels: {features: predictions}", AnswerLog()),
        ("late_labels: {features: both}", AnswerLog()),
    ],
)
def test_answers_are_written_down_where_the_file_says_so_or_needs_it(text, expected):
    assert parse_model_file(FILE + text).answer_log == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("log: {predictions: 1.5}", "m:4: log.predictions: must be 1 or less, not 1.5"),
        ("log: {predictions: -0.5}", "m:4: log.predictions: must be 0 or more, not -0.5"),
        ("log: {share: 1}", "m:4: log.share: is not a key"),
        ("log: {features: false}\nlate_labels: {features: both}", "m:4: log: must hold every"),
        ("log: {predictions: 0}\nlate_labels: {features: predictions}", "m:4: log: must hold"),
    ],
)
def test_a_log_that_could_not_be_joined_is_refused(text, complaint):
    with pytest.raises(ModelFileError) as failed:
        parse_model_file(FILE + text, file="m")
    assert complaint in str(failed.value)


def test_the_record_of_a_traced_answer_says_which_trace():
    trace = b"00-" + b"4b" * 16 + b"-" + b"f0" * 8 + b"-01"
    traced = replace(note({"features": {}}, answer("x")), trace=trace)
    (record,) = records(traced, AnswerLog())
    assert record.headers == (("traceparent", trace),)
