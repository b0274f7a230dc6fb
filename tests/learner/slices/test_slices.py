"""Scores by slice are those of the events of one value alone, to the last bit."""

import random

import msgspec
import pytest
from river import metrics

from config.errors import ModelFileError
from config.model_file import parse_model_file
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import model_file
from tests.learner.taking import Taking
from tests.learner.test_trainer import saved

RIVER = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}
SLICES = ["country", {"feature": "age", "bins": [18, 30]}]
HOUR_MS = 3_600_000


def events(count, *, seed=1):
    rng = random.Random(seed)
    made = []
    for n in range(count):
        x = {"a": rng.gauss(0, 1), "age": rng.choice([7, 18, 29.5, 64])}
        made.append(Event(features=x, label=x["a"] + rng.gauss(0, 1) > 0, id=f"e{n}"))
    return made


def file_of(**more):
    names = more.pop("metrics", ["Accuracy", "F1", "LogLoss", "KappaT", "ECE"])
    learner = more.pop("learner", RIVER)
    return model_file(more.pop("task", "binary"), learner, metrics=names, **more)


def learn(trainer, file, made, *, restored_at=()):
    taking = Taking(file)
    for n, event in enumerate(made):
        if n in restored_at:
            trainer = Trainer(file, None, saved(trainer, file))
        assert taking.one(trainer, event, offset=n) is None
    return trainer


def told(trainer):
    found = trainer.snapshot(version="v1").segments.get("slices")
    return {} if found is None else msgspec.json.decode(found)


class Recorded:
    """What the learner predicted of each event, by River's own loop."""

    def __init__(self, file, made):
        trainer, taking = Trainer(file), Taking(file)
        self.rows = []
        for n, event in enumerate(made):
            predicted = trainer._estimator.predict(dict(event.features))
            self.rows.append((event, predicted))
            taking.one(trainer, event, offset=n)

    def score(self, metric, is_in):
        for event, (label, chances) in self.rows:
            if is_in(event.features):
                metric.update(event.label, chances[True] if chances and wants(metric) else label)
        return metric.get()


def wants(metric):
    return isinstance(metric, metrics.LogLoss)


@pytest.mark.parametrize("restored_at", [(), (1, 300, 777)], ids=["uninterrupted", "restored"])
def test_each_value_has_the_scores_of_its_own_events(restored_at):
    """Whatever the bounds of blocks, and across restarts."""
    made = events(900)
    file = file_of(slices=[{"feature": "age", "bins": [18, 30]}])
    found = told(learn(Trainer(file), file, made, restored_at=restored_at))["age"]
    river = Recorded(file_of(), made)

    assert {each["value"] for each in found} == {"<18", "18-30", ">=30"}
    bins = {"<18": lambda x: x["age"] < 18, "18-30": lambda x: 18 <= x["age"] < 30,
            ">=30": lambda x: x["age"] >= 30}  # fmt: skip
    assert sum(each["scored"] for each in found) == 900
    for each in found:
        is_in, told_of = bins[each["value"]], each["metrics"]
        assert each["scored"] == sum(is_in(event.features) for event in made)
        for name, metric in [("Accuracy", metrics.Accuracy()), ("F1", metrics.F1()),
                             ("LogLoss", metrics.LogLoss())]:  # fmt: skip
            assert told_of[name]["lifetime"] == river.score(metric, is_in)


def test_the_first_twenty_values_are_told_apart_and_the_rest_is_one():
    """In the order in which they come, so a replay tells the same apart."""
    made = [Event(features={"a": 1.0, "town": n % 30}, label=n % 2 == 0)
            for n in range(300)]  # fmt: skip
    file = file_of(slices=["town"], metrics=["Accuracy"])
    found = told(learn(Trainer(file), file, made, restored_at=(17,)))["town"]

    assert {each["value"] for each in found} == {str(n) for n in range(20)} | {"other"}
    assert found[-1]["value"] == "other"
    assert found[-1]["scored"] == 100


@pytest.mark.parametrize(
    ("x", "value"),
    [
        ({"k": True}, "true"),
        ({"k": 1}, "1"),
        ({"k": 1.0}, "1.0"),
        ({"k": "é"}, "é"),
        ({}, "absent"),
    ],
)
def test_a_value_is_told_by_its_json_text(x, value):
    """One that is missing is a value, too."""
    file = file_of(slices=["k"], metrics=["Accuracy"],
                   learner={"river": ["dummy.NoChangeClassifier"]})  # fmt: skip
    made = [Event(features={"a": 1.0, **x}, label=True)]
    trainer = learn(Trainer(file), file, made * 2)
    assert [each["value"] for each in told(trainer)["k"]] == [value]


def test_namespaces_of_vowpal_wabbit_are_reached_into(tmp_path):
    """As in the event; River has the same names flat."""
    for learner in ({"vw": "--loss_function logistic"}, RIVER):
        file = file_of(slices=["who.age"], metrics=["Accuracy"], learner=learner)
        made = [Event(features={"who": {"age": 7}}, label=True)] * 3
        assert [
            each["value"] for each in told(learn(Trainer(file, tmp_path), file, made))["who.age"]
        ] == ["7"]


def test_labels_that_come_late_are_told_apart_by_their_age():
    """Without a word in the model file; events with their label are no part of it."""
    file = file_of(slices=["country"], metrics=["Accuracy"])
    trainer, taking = Trainer(file), Taking(file)
    ages_ms = {"now": 5_000, "soon": 20 * 60_000, "today": 5 * HOUR_MS, "month": 700 * HOUR_MS}
    taking.one(trainer, Event(features={"a": 1.0, "country": 1}, label=True), offset=0)
    for n, name in enumerate(ages_ms, 1):
        taking.one(trainer, Event(features={"a": 2.0, "country": 2}, id=name), offset=n)
    for n, (name, at_ms) in enumerate(ages_ms.items(), 10):
        taking.one(trainer, Event(id=name, label=True), offset=n, timestamp_ms=at_ms)
    found = told(trainer)

    assert {each["value"]: each["scored"] for each in found["label_age"]} == {
        "<1m": 1, "1m-1h": 1, "1h-1d": 1, ">=7d": 1,
    }  # fmt: skip
    assert {each["value"]: each["scored"] for each in found["country"]} == {"1": 1, "2": 4}


def test_slices_may_change_and_those_that_stay_go_on():
    """One of the same feature with other bins begins anew."""
    made = events(100)
    before = file_of(slices=SLICES, metrics=["Accuracy"])
    trainer = learn(Trainer(before), before, made)
    after = file_of(slices=["country", {"feature": "age", "bins": [20]}, "a"], metrics=["Accuracy"])
    trainer = Trainer(after, None, saved(trainer, before))
    learn(trainer, after, events(10, seed=2)[:0])
    assert {
        name: sum(each["scored"] for each in found) for name, found in told(trainer).items()
    } == {"country": 100}


def test_without_slices_nothing_is_written():
    file = file_of(metrics=["Accuracy"])
    assert told(learn(Trainer(file), file, events(20))) == {}


@pytest.mark.parametrize(
    ("slices", "complaint"),
    [
        ("[a, a]", "slices: name a twice"),
        ("[label_age]", "label_age is there by itself"),
        ("[{feature: a, bins: [3, 1]}]", "bins must rise"),
        ("[{feature: a, bins: []}]", "bins must be 1 to 19 numbers"),
        ("[{feature: a, bins: [.nan]}]", "finite"),
        ("[{bins: [1]}]", "slices[0].feature: is missing"),
        ("country", "slices: "),
    ],
)
def test_what_cannot_be_told_apart_is_refused(slices, complaint):
    text = "name: m\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\nslices: "
    with pytest.raises(ModelFileError) as failed:
        parse_model_file(text + slices)
    assert complaint in str(failed.value)
