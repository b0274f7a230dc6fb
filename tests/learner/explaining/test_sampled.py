"""Explanations found by asking: they find what matters, and err by what they say."""

import math
import random
from statistics import fmean

import pytest

from learner.explaining.sampled import LeaveOneOut, Shapley
from tests.learner.explaining.asking import Served

FOREST = {"forest.ARFClassifier": {"n_models": 3, "seed": 1}}
PLANTED = ("f2", "f5", "f7")


def planted(count, seed=11):
    """Ten features, of which three decide."""
    source = random.Random(seed)
    for _ in range(count):
        x = {f"f{n}": source.choice([-1.0, 1.0]) + source.gauss(0, 0.1) for n in range(10)}
        total = sum(math.copysign(1, x[name]) for name in PLANTED)
        yield x, total > 0


@pytest.mark.parametrize("method", ["leave_one_out", "shapley"])
@pytest.mark.parametrize(
    "steps",
    [["preprocessing.StandardScaler", "linear_model.LogisticRegression"],
     ["tree.HoeffdingTreeClassifier"]],
    ids=str,
)  # fmt: skip
def test_three_of_ten_features_that_decide_are_found(method, steps, tmp_path):
    """Of 200 explanations at least 95 % name just these as the largest three."""
    pairs = list(planted(2200))
    served = Served("binary", {"river": steps}, pairs[:2000], tmp_path)
    found = 0
    for x, _ in pairs[2000:]:
        told = served.explained(x, method=method, samples=5)
        assert told["method"] == method
        assert not told["exact"]
        found += {each["feature"] for each in told["contributions"][:3]} == set(PLANTED)
    assert found >= 0.95 * 200


def test_shapley_values_of_a_linear_model_lie_within_three_errors_of_the_exact(tmp_path):
    """Against the background they are weight times distance from its mean."""
    source = random.Random(5)
    pairs = []
    for _ in range(3000):
        x = {f"f{n}": source.gauss(n, 1 + n) for n in range(10)}
        pairs.append((x, sum(value * (n - 4) for n, value in enumerate(x.values())) / 10))
    steps = [{"linear_model.LinearRegression": {"optimizer": {"optim.SGD": [0.001]}}}]
    served = Served("regression", {"river": steps}, pairs[:2800], tmp_path)
    weights = served.model._estimator.dump().weights
    means = {name: fmean(row[name] for row in served.background) for name in weights}
    within = 0
    for x, _ in pairs[2800:]:
        told = served.explained(x, method="shapley", samples=30)
        assert told["residual"] == pytest.approx(0, abs=1e-9), "whatever was sampled"
        for each in told["contributions"]:
            name = each["feature"]
            exact = weights[name] * (x[name] - means[name])
            within += abs(each["contribution"] - exact) <= 3 * each["standard_error"]
    assert within >= 0.99 * 200 * 10


def test_a_forest_is_asked_against_its_background(tmp_path):
    pairs = list(planted(600))
    served = Served("binary", {"river": [FOREST]}, pairs[:500], tmp_path)
    told = served.explained(pairs[500][0])
    assert (told["method"], told["scale"], told["class"]) == ("leave_one_out", "probability", True)
    assert told["background"] == {"n": len(served.background), "learned": served.learned}
    assert (told["rounds"], told["unreached"]) == (8, 0)
    assert told["predictions_made"] == 8 * 11
    assert told["residual"] == pytest.approx(
        told["sum"] - served.model.predict(pairs[500][0])["probabilities"]["true"]
    )
    assert told == served.explained(pairs[500][0]), "asked again it says the same"


def test_a_model_without_probabilities_is_explained_by_its_label(tmp_path):
    pairs = list(planted(300))
    served = Served("binary", {"vw": "--loss_function hinge --nn 2"}, pairs, tmp_path)
    told = served.explained(pairs[0][0])
    assert told["scale"] == "label"
    assert told["method"] == "leave_one_out"
    assert {each["contribution"] for each in told["contributions"]} <= {n / 8 for n in range(-8, 9)}


@pytest.mark.parametrize("kind", [LeaveOneOut, Shapley])
def test_what_a_row_has_not_is_left_out_and_not_zero(kind):
    """And features that only the row has never reach the model."""
    seen = []

    def ask(x):
        seen.append(dict(x))
        return float(x.get("a", 100.0))

    sampling = kind(ask, {"a": 1.0, "b": "x"}, 1.0, [{"b": "y", "c": 3}])
    for _ in sampling.steps(2):
        pass
    assert sampling.contributions == {"a": -99.0, "b": 0.0}
    assert sampling.base == 100.0
    assert all("c" not in x and 0 not in x.values() for x in seen)


def test_stopped_early_it_says_what_it_did_not_reach():
    sampling = LeaveOneOut(lambda x: sum(x.values()), {"a": 1, "b": 2}, 3, [{"a": 0, "b": 0}])
    steps = sampling.steps()
    next(steps)
    next(steps)
    assert (sampling.contributions, sampling.unreached, sampling.rounds) == ({"a": 1}, 1, 0)
    assert (sampling.base, sampling.asked) == (0.0, 2), "what it compares with was asked first"
    assert sampling.errors == {"a": None}


def test_without_a_background_features_are_left_out():
    sampling = Shapley(lambda x: sum(x.values()), {"a": 1, "b": 2}, 3, [])
    for _ in sampling.steps():
        pass
    assert (sampling.base, sampling.contributions) == (0, {"a": 1.0, "b": 2.0})
