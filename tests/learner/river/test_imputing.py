"""A null is absent, save where a step of the pipeline does something with None."""

import random
import sys

import pytest
from river import (
    base,
    compose,
    ensemble,
    linear_model,
    multiclass,
    naive_bayes,
    preprocessing,
    stats,
    tree,
)

from checkpoints.unpickle import loads
from learner.build import build_screen
from learner.river.imputing import filled, imputes
from learner.served_model import ServedModel
from learner.trainer import Trainer
from learner.values import Event, Reason
from tests.learner.streams import model_file
from tests.learner.taking import Taking

MEAN = [["temp", "stats.Mean"], ["u.wind", "stats.Max"], ["sky", "unknown"]]
STAT = {"preprocessing.StatImputer": MEAN}
PREVIOUS, ORDINAL = "preprocessing.PreviousImputer", "preprocessing.OrdinalEncoder"
NUMBERS = {"compose.Discard": ["sky"]}
SCALED = ["preprocessing.StandardScaler", "linear_model.LinearRegression"]
IMPUTED = {
    "a statistic": [STAT, NUMBERS, *SCALED],
    "the last one": [PREVIOUS, NUMBERS, *SCALED],
    "in a union": [{"compose.TransformerUnion": [STAT, PREVIOUS]}, NUMBERS, *SCALED],
    "a code": [ORDINAL, "tree.HoeffdingTreeRegressor"],
    "within a bag": [{"ensemble.BaggingRegressor": [[STAT, NUMBERS, *SCALED]]}],
}


def rows(count, seed=1):
    """Features with nulls, as an event has them and as River would; and the label."""
    rng = random.Random(seed)
    for n in range(count):
        holes = [rng.random() < 0.3 and n > 0 for _ in range(3)]
        temp, wind, sky = rng.uniform(0, 30), rng.uniform(0, 9), rng.choice("abc")
        event = {
            "temp": None if holes[0] else temp,
            "u": {"wind": None if holes[1] else wind},
            "sky": None if holes[2] else sky,
        }
        flat = {"temp": event["temp"], "u.wind": event["u"]["wind"], "sky": event["sky"]}
        yield event, flat, temp + wind


@pytest.mark.parametrize("name", IMPUTED)
def test_it_learns_as_rivers_own_loop_does_on_none(name):
    """To the last bit, also in what is served."""
    file = model_file("regression", {"river": IMPUTED[name]})
    trainer, taking = Trainer(file), Taking(file)
    river = Trainer(file)._estimator._model
    found = []
    for event, flat, y in rows(150):
        found.append(river.predict_one(flat))
        assert trainer._estimator.predict(taking.screen.features(event))[0] == found[-1]
        river.learn_one(flat, y)
        assert taking.one(trainer, Event(features=event, label=y)) is None

    served = ServedModel(file, loads(trainer.snapshot(version="v1").segments["model"], ()))
    for event, flat, _ in rows(20, seed=2):
        assert served.predict(event)["prediction"] == river.predict_one(flat)
    assert len(set(found)) > 100


@pytest.mark.parametrize("learner", [["tree.HoeffdingTreeRegressor"], SCALED])
def test_elsewhere_a_null_is_absent(learner):
    """As ever: most of River raises on None."""
    screen = build_screen(model_file("regression", {"river": learner}))

    assert screen.features({"a": None, "u": {"b": None, "c": 1}}) == {"u.c": 1}


@pytest.mark.parametrize(
    ("missing", "features", "expected"),
    [
        (["NA", None], {"temp": "NA", "b": "null"}, {"temp": None, "b": None}),
        (["NA"], {"u": {"b": "NA", "c": "na"}}, {"u.b": None, "u.c": "na", "temp": None}),
        (["?"], {"b": 1}, {"b": 1, "temp": None}),
    ],
)  # fmt: skip
def test_a_word_for_what_is_missing_is_imputed_and_so_is_what_is_left_out(
    missing, features, expected
):
    """`StatImputer` names its features, and raises on one that an event does not have."""
    imputer = {"preprocessing.StatImputer": [["temp", "stats.Mean"]]}
    file = model_file("regression", {"river": [imputer, *SCALED]}, missing=missing)

    assert build_screen(file).features(features) == expected


@pytest.mark.parametrize(
    ("missing", "features", "expected"),
    [
        (["NA", ""], {"a": "NA", "b": "", "c": "na", "u": {"d": "NA"}}, {"c": "na"}),
        (["-"], {"a": "-", "b": False}, {"b": False}),
        (None, {"a": "NA", "b": ""}, {"a": "NA", "b": ""}),
    ],
)  # fmt: skip
def test_a_listed_text_means_absent(missing, features, expected):
    """Exactly as it is listed; none is by default, since an event can say null."""
    file = model_file("regression", {"river": SCALED}, missing=missing)

    assert build_screen(file).features(features) == expected


def test_what_is_absent_has_no_kind_and_no_bounds():
    """It is what the model file says of features that are there."""
    specs = {"a": {"type": "float", "min": 0}, "b": {"type": "string"}}
    file = model_file("regression", {"river": [PREVIOUS, *SCALED]}, missing=["NA"],
                      features=specs, strict=True)  # fmt: skip
    screen = build_screen(file)

    assert screen.features({"a": "NA", "b": None}) == {"a": None, "b": None}
    assert screen.features({"a": "N/A"}).reason is Reason.wrong_type


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"a.b": None, "a": {"b": 1}}, {"a.b": 1}),
        ({"a": {"b": 1}, "a.b": None}, {"a.b": 1}),
        ({"a": {"b": None}, "a.b": None}, {"a.b": None}),
        ({"a": {"b": 2}, "a.b": 1}, Reason.wrong_type),
    ],
)
def test_a_null_gives_way_to_a_value_of_the_same_name(features, expected):
    """Only two values contradict each other."""
    screen = build_screen(model_file("regression", {"river": [PREVIOUS, *SCALED]}))

    found = screen.features(features)

    assert getattr(found, "reason", found) == expected


class Fills(base.Transformer):
    """Somebody's own imputer."""

    def transform_one(self, x):
        return {name: 0 if value is None else value for name, value in x.items()}


class Asks:
    """Somebody's own model."""

    def predict_one(self, x):
        return 0.0 if x.get("a") is None else x["a"]

    def learn_one(self, x, y):
        pass


class Holds:
    """Somebody's own model around River's imputer."""

    def __init__(self):
        self.steps = [preprocessing.PreviousImputer(), linear_model.LinearRegression()]

    def predict_one(self, x):
        return self.steps[1].predict_one(self.steps[0].transform_one(x))

    def learn_one(self, x, y):
        self.steps[0].learn_one(x)


class Idle:
    """Compares with None what is no feature."""

    def __init__(self):
        self.last = None

    def predict_one(self, x):
        return None if self.last is None else self.last

    def learn_one(self, x, y=None):
        if y is not None:
            self.last = y


def fill(x):
    """A function for `FuncTransformer`."""
    value = x["a"]
    return {"a": 0 if value is None else value}


IMPUTER = preprocessing.StatImputer(("age", stats.Mean()))
BAYES = naive_bayes.GaussianNB()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (IMPUTER | BAYES, True),
        (preprocessing.OrdinalEncoder() | tree.HoeffdingTreeClassifier(), True),
        ((preprocessing.StandardScaler() + IMPUTER) | BAYES, True),
        (multiclass.OneVsRestClassifier(IMPUTER | linear_model.LogisticRegression()), True),
        (ensemble.VotingClassifier([BAYES, IMPUTER | BAYES]), True),
        ((IMPUTER * "sky") | BAYES, True),
        (compose.FuncTransformer(fill) | BAYES, True),
        (Fills() | BAYES, True),
        (Asks(), True),
        (Holds(), True),
        (Idle(), False),
        (compose.FuncTransformer(sys.intern) | BAYES, False),
        (preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(), False),
        (ensemble.SRPClassifier(BAYES), False),
    ],
)
def test_a_step_that_asks_for_none_is_found_wherever_it_stands(model, expected):
    """By its own code, and not by a list of names."""
    assert imputes(model) is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (IMPUTER | BAYES, ("age",)),
        (compose.Select("age", "b") | IMPUTER | BAYES, ("age",)),
        ((compose.Prefixer("p_") | IMPUTER) | BAYES, ()),
        ((preprocessing.StandardScaler() + IMPUTER) | BAYES, ("age",)),
        (preprocessing.PreviousImputer() | IMPUTER | BAYES, ("age",)),
        (BAYES, ()),
    ],
)
def test_features_are_filled_in_where_the_imputer_sees_them_by_their_own_names(model, expected):
    """What another step has renamed is no feature of an event."""
    assert filled(model) == expected
