"""Whatever a model returns, what it is asked for is plain Python, or a mistake named as such."""

import collections
import decimal
import enum
import fractions
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from river import base, ensemble, linear_model, preprocessing, tree

from learner.plain import AnswerError
from learner.river.estimator import RiverEstimator
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import binary, model_file, numbers, only_numbers
from tests.learner.taking import Taking

SCALER = preprocessing.StandardScaler


class Fixed:
    """Answers what it was told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def learn_one(self, x: Any, y: Any) -> None:
        pass

    def predict_one(self, x: Any) -> Any:
        return self.answer


class Likely(Fixed, base.Classifier):
    """Answers these probabilities, and the likeliest label by River's own rule."""

    predict_one = base.Classifier.predict_one

    def predict_proba_one(self, x: Any, **kwargs: Any) -> Any:
        return self.answer


class Both(Fixed):
    """Answers a label and probabilities, each by a verb of its own."""

    def predict_proba_one(self, x: Any) -> Any:
        return {self.answer: np.float32(0.25)}


class Colour(enum.StrEnum):
    red = "red"


class Rank(enum.IntEnum):
    first = 1


def asked(model: Any, task: Any, *, wants: bool = True) -> Any:
    return RiverEstimator(model, task=task, wants_probabilities=wants).predict({"a": 1.0})


@pytest.mark.parametrize(
    ("task", "answer", "plain"),
    [
        ("regression", np.float64(0.1), 0.1),
        ("regression", np.float32(0.1), float(np.float32(0.1))),
        ("regression", np.float16(0.1), float(np.float16(0.1))),
        ("regression", np.int64(-7), -7),
        ("regression", np.uint8(7), 7),
        ("regression", np.array(2.5), 2.5),
        ("regression", 3, 3),
        ("regression", np.bool_(True), True),
        ("regression", None, None),
        ("binary", np.bool_(False), False),
        ("binary", np.array(1), True),
        ("binary", 1, True),
        ("binary", 0.0, False),
        ("multiclass", np.str_("red"), "red"),
        ("multiclass", np.array("red"), "red"),
        ("multiclass", np.int32(3), 3),
        ("multiclass", np.float64(3.0), 3),
        ("multiclass", Colour.red, "red"),
        ("multiclass", Rank.first, 1),
        ("multiclass", None, None),
    ],
    ids=repr,
)
def test_a_scalar_of_any_library_is_the_same_number_of_pythons(task, answer, plain):
    """And of Python's own type: no subclass, which would be written down as something else."""
    label, _ = asked(Fixed(answer), task)

    assert label == plain
    assert type(label) is type(plain)


@pytest.mark.parametrize("wild", [np.float64("nan"), np.float32("-inf"), math.inf])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_what_is_not_finite_stays_so(task, wild):
    """It is counted by whoever asked, and neither zero nor a mistake."""
    label, _ = asked(Fixed(wild), task)

    assert type(label) is float
    assert repr(label) == repr(float(wild))


@pytest.mark.parametrize(
    ("task", "answer", "name"),
    [
        ("regression", [0.5], "a list"),
        ("regression", decimal.Decimal("0.5"), "a decimal.Decimal"),
        ("regression", fractions.Fraction(1, 2), "a fractions.Fraction"),
        ("regression", np.zeros(3), "a numpy.ndarray"),
        ("regression", np.zeros(1), "a numpy.ndarray"),
        ("regression", 0.5 + 1j, "a complex"),
        ("regression", np.complex64(1), "a numpy.complex64"),
        ("regression", "0.5", r"a str \('0.5'\)"),
        ("regression", 10**400, "an int"),
        ("binary", "UP", "a str"),
        ("binary", 0.7, "a float"),
        ("binary", 2, "an int"),
        ("binary", {True: 1.0}, "a dict"),
        ("multiclass", 0.5, "a float"),
        ("multiclass", b"red", "a bytes"),
        ("multiclass", ("red",), "a tuple"),
    ],
    ids=repr,
)
def test_what_is_no_prediction_is_a_mistake_of_the_model_and_its_type_is_named(task, answer, name):
    """A model's mistake, told in its words and not in those of whatever stumbles over it."""
    with pytest.raises(AnswerError, match=f"predict_one of .*:Fixed answered {name}"):
        asked(Fixed(answer), task)


@pytest.mark.parametrize("kind", [Likely, Both], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wants", [True, False])
def test_probabilities_are_plain_in_keys_and_values(kind, wants):
    """In the same order, so that a tie goes where it went."""
    likely = collections.OrderedDict({np.str_("b"): np.float64(0.5), "a": 0.5})
    given = likely if kind is Likely else np.str_("b")
    label, chances = asked(kind(given), "multiclass", wants=wants)

    assert type(label) is str
    assert label == "b"
    if wants:
        assert type(chances) is dict
        assert {(type(k), type(v)) for k, v in chances.items()} == {(str, float)}
        assert next(iter(chances)) == "b"


@pytest.mark.parametrize(
    "answer", [[0.5, 0.5], np.array([0.5, 0.5]), {True: "0.5"}, {"UP": 0.5}, {True: None}], ids=repr
)
def test_what_are_no_probabilities_is_a_mistake_too(answer):
    """A list is what other libraries return."""
    with pytest.raises(AnswerError, match=r"predict_proba_one of .*:Likely answered"):
        asked(Likely(answer), "binary")


def test_a_repr_that_raises_or_never_ends_does_not_hide_the_mistake():
    """The message holds the type in any case."""

    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(AnswerError, match="its repr raises RuntimeError"):
        asked(Fixed(Shy()), "regression")
    with pytest.raises(AnswerError, match="a list") as raised:
        asked(Fixed([0.5] * 10_000), "regression")
    assert len(str(raised.value)) < 300


def passive_aggressive():
    return SCALER() | linear_model.PARegressor(C=0.01, mode=2)


def random_patches():
    return ensemble.SRPRegressor(n_models=3, seed=1)


def weighted():
    return ensemble.EWARegressor([linear_model.LinearRegression(), tree.HoeffdingTreeRegressor()])


@pytest.mark.parametrize("make", [passive_aggressive, random_patches, weighted])
def test_river_models_that_answer_numpy_numbers_are_written_down_with_their_drifts(make):
    """Scores, detections and the probe: all that a version holds, in JSON where it is JSON."""
    drift = [{"on": "error", "detector": "PageHinkley"}, {"on": "error", "detector": "ADWIN"}]
    file = model_file(
        "regression", {"python": f"{__name__}:{make.__name__}"}, trust=["tests"],
        metrics=["MAE", "MAPE", "SMAPE", "R2"], drift=drift,
    )  # fmt: skip
    trainer, taking = Trainer(file), Taking(file)
    for n, (x, y) in enumerate(only_numbers(numbers(900))):
        label = y if n < 400 else 60 + 10 * y
        assert taking.one(trainer, Event(features=x, label=label), offset=n) is None

    snapshot = trainer.snapshot(version="v2")

    assert snapshot.drift_total > 0
    assert msgspec.json.decode(snapshot.segments["drifts"])["total"] == snapshot.drift_total
    msgspec.json.encode(snapshot.metrics)
    assert {type(v) for of in snapshot.metrics.values() for v in of.values()} <= {float, type(None)}


class Threshold:
    """As a data scientist writes it: every number is numpy's."""

    def __init__(self) -> None:
        self.at = np.float64(0.0)

    def predict_one(self, x):
        return np.float64(x["a"]) > self.at

    def predict_proba_one(self, x):
        p = np.float32(0.75)
        return {np.bool_(True): p, np.bool_(False): 1 - p}

    def learn_one(self, x, y):
        self.at += np.float64(0.01) if y else np.float64(-0.01)


def test_an_own_class_of_numpy_numbers_is_scored_and_written_down():
    """Every kind of score: labels, probabilities, curves."""
    file = model_file(
        "binary", {"python": f"{__name__}:Threshold"}, trust=["tests"],
        metrics=["Accuracy", "LogLoss", "ROCAUC", "F1"],
        drift=[{"on": "error", "detector": "KSWIN"}],
    )  # fmt: skip
    trainer, taking = Trainer(file), Taking(file)
    for n, (x, y) in enumerate(only_numbers(binary(300))):
        assert taking.one(trainer, Event(features=x, label=y), offset=n) is None

    snapshot = trainer.snapshot(version="v2")

    assert snapshot.scored == 300
    msgspec.json.encode(snapshot.metrics)
    assert b"numpy" not in snapshot.segments["drifts"]
