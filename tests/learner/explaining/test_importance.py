"""Importance is measured while learning, changes nothing of it, and follows from the log alone."""

import json
import random

import pytest
from river.datasets import synth

from config.errors import ModelFileError
from learner.errors import SpecError
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import binary, classes, model_file, numbers, only_numbers
from tests.learner.taking import Taking
from tests.learner.test_trainer import everything, saved

LOGISTIC = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}
LINEAR = {"river": ["preprocessing.StandardScaler", "linear_model.LinearRegression"]}
BAYES = {"river": ["naive_bayes.GaussianNB"]}
KINDS = {
    "binary": (LOGISTIC, binary),
    "multiclass": (BAYES, classes),
    "regression": (LINEAR, numbers),
}


def file_of(task="binary", learner=LOGISTIC, **importance):
    section = {"importance": {"every": 8, **importance}} if importance is not None else {}
    return model_file(task, learner, **section)


def trained(file, pairs, *, batch=64, restored_at=()):
    trainer, taking = Trainer(file), Taking(file)
    events = [Event(features=x, label=y) for x, y in pairs]
    for first in range(0, len(events), batch):
        if first in restored_at:
            trainer = Trainer(file, None, saved(trainer, file))
        taking.all(trainer, events[first : first + batch], first=first)
    return trainer


def segment(trainer):
    return trainer.snapshot(version="v1").segments["importance"]


@pytest.mark.parametrize("task", KINDS)
def test_batches_and_restarts_do_not_matter_to_the_last_bit(task):
    learner, made = KINDS[task]
    file, pairs = file_of(task, learner), only_numbers(made(1200))
    whole = segment(trained(file, pairs))
    assert whole == segment(trained(file, pairs, batch=7))
    assert whole == segment(trained(file, pairs, batch=50, restored_at={0, 150, 400, 1150}))
    report = json.loads(whole)
    assert (report["measured"], report["failed"]) == (149, 0), "the first has none to compare with"
    assert {each["feature"] for each in report["items"]} == {"a", "b", "c"}
    assert sum(each["measured"] for each in report["items"]) == 149


@pytest.mark.parametrize("task", KINDS)
def test_what_is_learned_does_not_change_by_it(task):
    learner, made = KINDS[task]
    pairs = only_numbers(made(600))
    with_it = trained(file_of(task, learner, every=1), pairs)
    without = trained(model_file(task, learner), pairs)
    assert everything(with_it, pairs) == everything(without, pairs)
    assert without.snapshot(version="v1").importance is None


def test_what_decides_is_worth_most():
    source = random.Random(3)
    pairs = []
    for _ in range(3000):
        x = {f"f{n}": source.gauss(0, 1) for n in range(5)}
        pairs.append((x, 2 * x["f1"] + x["f3"] > 0))
    top = trained(file_of(), pairs).snapshot(version="v1").importance
    assert list(top)[:2] == ["f1", "f3"]
    assert top["f1"] > 2 * top["f3"] > 0
    assert all(abs(top[name]) < 0.02 for name in ("f0", "f2", "f4"))


def test_it_follows_a_drift_within_three_thousand_events():
    """STAGGER's first rule is about size and colour, its third about size alone."""
    before = list(synth.STAGGER(classification_function=0, seed=1).take(3000))
    after = list(synth.STAGGER(classification_function=2, seed=2).take(3000))
    steps = ["preprocessing.OneHotEncoder", {"linear_model.LogisticRegression": {
        "optimizer": {"optim.SGD": [0.1]}}}]  # fmt: skip
    file = file_of("binary", {"river": steps}, every=2)
    top = trained(file, before).snapshot(version="v1").importance
    assert min(top["size"], top["color"]) > 0.05 > abs(top["shape"])
    top = trained(file, before + after).snapshot(version="v1").importance
    assert next(iter(top)) == "size"
    assert top["size"] > 0.2 > 0.05 > max(abs(top["color"]), abs(top["shape"]))


def test_its_course_is_kept_in_few_points():
    trainer = trained(file_of(every=1), only_numbers(binary(1000)))
    course = json.loads(segment(trainer))["over_time"]
    assert 32 <= len(course) <= 64
    learned = [point["learned"] for point in course]
    assert learned == sorted(learned)
    assert learned[-1] > 900
    assert set(course[-1]["importance"]) == {"a", "b", "c"}


def test_measurements_to_which_the_model_has_no_answer_are_counted_and_cost_no_event():
    """A step that wants a feature raises where the row of another event has it not."""
    steps = [{"compose.Select": ["a"]}, "naive_bayes.GaussianNB"]
    pairs = [({"a": 1.0, "b": 2.0} if n else {"b": 1.0}, bool(n % 3)) for n in range(90)]
    trainer = trained(file_of("binary", {"river": steps}, every=1), pairs[1:])
    assert json.loads(segment(trainer))["failed"] == 0
    mixed = [pairs[n] if n % 2 else ({"b": 3.0}, True) for n in range(90)]
    trainer = trained(file_of("binary", {"river": steps}, every=1), mixed)
    report = json.loads(segment(trainer))
    learned = trainer.tally.learned
    assert report["failed"] > 0
    assert learned + trainer.tally.raised == 90
    assert {each["feature"] for each in report["items"]} <= {"a", "b"}


def test_late_labels_are_measured_at_the_place_of_their_label():
    file = file_of(every=1)
    trainer, taking = Trainer(file), Taking(file)
    pairs = only_numbers(binary(100))
    taking.all(trainer, [Event(features=x, id=f"e{n}") for n, (x, _) in enumerate(pairs)])
    assert json.loads(segment(trainer))["measured"] == 0
    for n, (_, y) in enumerate(pairs):
        taking.one(trainer, Event(id=f"e{n}", label=y), offset=100 + n)
    assert json.loads(segment(trainer))["measured"] == 99, "the first has no other to compare with"


def test_it_may_be_turned_on_and_off_between_versions():
    pairs = only_numbers(binary(200))
    plain, file = model_file("binary", LOGISTIC), file_of()
    trainer = trained(plain, pairs)
    later = Trainer(file, None, saved(trainer, plain))
    Taking(file).all(later, [Event(features=x, label=y) for x, y in pairs], first=200)
    assert json.loads(segment(later))["measured"] == 25
    again = Trainer(plain, None, saved(later, file))
    assert "importance" not in again.snapshot(version="v2").segments


def test_learners_that_learn_otherwise_by_being_asked_are_refused():
    with pytest.raises(ModelFileError, match="Vowpal Wabbit learns otherwise"):
        file_of("binary", {"vw": "--loss_function logistic"})
    drawing = file_of("regression", {"river": ["facto.FMRegressor"]})
    with pytest.raises(SpecError, match="importance: cannot be measured of this learner"):
        Trainer(drawing)
