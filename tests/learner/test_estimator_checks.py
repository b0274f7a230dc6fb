"""Every estimator we name behaves: the shared checks, run against each."""

import pickle
import sys
import types

import pytest
from river import linear_model

from config.model_file import ModelFile
from learner.build import build_estimator, restore_estimator
from learner.deep_pickle import dumps
from learner.estimator_checks import Check, Subject, yield_checks
from tests.effort import each_of
from tests.learner import streams

COUNT = 420  # enough for a Hoeffding tree to split, whose grace period is 200
SCALED = ["preprocessing.StandardScaler"]
SHALLOW = {"grace_period": 50, "max_depth": 2}
NUMERIC = "numeric"  # these get the stream without its string

RIVER = {
    "logistic regression": ("binary", [*SCALED, "linear_model.LogisticRegression"], NUMERIC),
    "ALMA": ("binary", [*SCALED, "linear_model.ALMAClassifier"], NUMERIC),
    "passive-aggressive": ("binary", [*SCALED, "linear_model.PAClassifier"], NUMERIC),
    "GaussianNB": ("binary", ["naive_bayes.GaussianNB"], NUMERIC),
    # River's trees grow for as long as they learn, unless a depth bounds them.
    "Hoeffding tree": ("binary", [{"tree.HoeffdingTreeClassifier": SHALLOW}], ""),
    "Hoeffding adaptive tree": (
        "binary",
        [{"tree.HoeffdingAdaptiveTreeClassifier": {**SHALLOW, "seed": 3}}],
        "",
    ),
    "adaptive random forest": ("binary", [{"forest.ARFClassifier": {"n_models": 3}}], ""),
    "one against the rest": (
        "multiclass",
        [*SCALED, {"multiclass.OneVsRestClassifier": ["linear_model.LogisticRegression"]}],
        NUMERIC,
    ),
    "Hoeffding tree, classes": ("multiclass", ["tree.HoeffdingTreeClassifier"], ""),
    "linear regression": ("regression", [*SCALED, "linear_model.LinearRegression"], NUMERIC),
    "Hoeffding tree regressor": ("regression", ["tree.HoeffdingTreeRegressor"], NUMERIC),
    "target scaler": (
        "regression",
        [
            {
                "preprocessing.TargetStandardScaler": {
                    "regressor": [*SCALED, "linear_model.LinearRegression"]
                }
            }
        ],
        NUMERIC,
    ),
    "no change": ("binary", ["dummy.NoChangeClassifier"], ""),
    "prior": ("multiclass", ["dummy.PriorClassifier"], ""),
    "mean": ("regression", [{"dummy.StatisticRegressor": ["stats.Mean"]}], ""),
}
VW = {
    "squared": ("regression", "-b 12"),
    "logistic": ("binary", "--loss_function logistic --link logistic -b 12"),
    "logistic score": ("binary", "--loss_function logistic --l1 1e-6 --l2 1e-6 -b 12"),
    "hinge": ("binary", "--loss_function hinge -b 12"),
    "binary": ("binary", "--loss_function logistic --binary -b 12"),
    "sgd": ("regression", "--sgd --power_t 0.4 -b 12"),
    "invariant": ("regression", "--invariant -b 12"),
    "coin": ("regression", "--coin -b 12"),
    "ftrl": ("binary", "--ftrl --loss_function logistic -b 12"),
    "pistol": ("regression", "--pistol -b 12"),
    "baseline": ("regression", "--baseline -b 12"),
    "confidence": ("binary", "--confidence --initial_t 0.1 -b 12"),
    "network": ("regression", "--nn 3 -b 12"),
    "boosting": ("binary", "--boosting 3 -b 12"),
    "factors": ("regression", "--new_mf 2 -q :: -b 12"),
    "oaa": ("multiclass", "--oaa 3 -b 12"),
    "oaa scores": ("multiclass", "--oaa 3 --scores -q :: -b 12"),
    "oaa probabilities": ("multiclass", "--oaa 3 --loss_function logistic --probabilities -b 12"),
    "ect": ("multiclass", "--ect 3 -b 12"),
    "log_multi": ("multiclass", "--log_multi 3 -b 12"),
    "recall_tree": ("multiclass", "--recall_tree 3 -b 12"),
}
CHECKS = list(yield_checks())
MAKE_PAIRS = {
    "binary": streams.binary,
    "multiclass": streams.classes,
    "regression": streams.numbers,
}


def subject(file: ModelFile, pairs: list[streams.Pair], scratch: object = None) -> Subject:
    return Subject(
        make=lambda: build_estimator(file, scratch),
        revive=lambda each: restore_estimator(file, pickle.loads(dumps(each.dump())), scratch),
        examples=pairs,
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", each_of(RIVER))
def test_river(name: str, check: Check) -> None:
    task, river, kind = RIVER[name]
    pairs = MAKE_PAIRS[task](COUNT)
    pairs = streams.only_numbers(pairs) if kind == NUMERIC else pairs
    check(subject(streams.model_file(task, {"river": river}), pairs))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", each_of(VW))
def test_vowpal_wabbit(name: str, check: Check, tmp_path) -> None:
    task, vw = VW[name]
    labels = {"labels": ["a", "b", "c"]} if task == "multiclass" else {}
    file = streams.model_file(task, {"vw": vw}, **labels)
    check(subject(file, MAKE_PAIRS[task](COUNT), tmp_path))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_vowpal_wabbit_on_its_own_text(check: Check, tmp_path) -> None:
    """With `format: vw` an example is a line, which nothing adds to or takes from."""
    vw = {"vw": "--loss_function logistic -b 12"}
    file = streams.model_file("binary", vw, topics={"format": "vw"})
    pairs = [
        (f"{1 if y else -1} 'id|f a:{x['a']} b:{x['b']} {x['color']}", y)
        for x, y in streams.binary(COUNT)
    ]
    check(subject(file, pairs, tmp_path))


class MajorityOfUsers:
    """A learner such as a user may write, without probabilities."""

    def __init__(self) -> None:
        self.counts: dict[object, int] = {}

    def learn_one(self, x: dict[str, object], y: object) -> None:
        self.counts[y] = self.counts.get(y, 0) + 1

    def predict_one(self, x: dict[str, object]) -> object:
        return max(self.counts, key=self.counts.__getitem__) if self.counts else None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", [MajorityOfUsers, linear_model.Perceptron])
def test_a_python_class_of_the_users(make: type, check: Check, monkeypatch) -> None:
    module = types.ModuleType("models_of_a_user")
    module.build = make
    monkeypatch.setitem(sys.modules, module.__name__, module)
    trust = [module.__name__, MajorityOfUsers.__module__]
    file = streams.model_file("binary", {"python": "models_of_a_user:build"}, trust=trust)
    check(subject(file, streams.only_numbers(streams.binary(COUNT))))
