"""River's own predictions, to the last bit and in ties, and the weights it takes."""

import math
from typing import Any

import pytest
from river import (
    anomaly,
    compose,
    drift,
    dummy,
    ensemble,
    forest,
    imblearn,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    preprocessing,
    rules,
    tree,
)
from river.base import Base, Classifier

from config.model_file import TaskName
from learner.river.estimator import RiverEstimator, final_step, takes_weight
from tests.learner.streams import binary, classes, numbers, only_numbers

SCALER = preprocessing.StandardScaler
TASKS: dict[Any, TaskName] = {binary: "binary", classes: "multiclass", numbers: "regression"}
MODELS = {
    "logistic": (binary, lambda: SCALER() | linear_model.LogisticRegression()),
    "perceptron": (binary, linear_model.Perceptron),
    "ALMA": (binary, linear_model.ALMAClassifier),
    "naive Bayes": (classes, naive_bayes.GaussianNB),
    "tree": (classes, lambda: tree.HoeffdingTreeClassifier(grace_period=50)),
    "adaptive tree": (binary, lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=42)),
    "forest": (classes, lambda: forest.ARFClassifier(n_models=3, seed=42)),
    "rest": (classes, lambda: multiclass.OneVsRestClassifier(linear_model.LogisticRegression())),
    "pairs": (classes, lambda: multiclass.OneVsOneClassifier(linear_model.LogisticRegression())),
    "codes": (
        classes,
        lambda: multiclass.OutputCodeClassifier(linear_model.Perceptron(), code_size=5, seed=1),
    ),
    "neighbours": (classes, neighbors.KNNClassifier),
    "bagging": (
        binary,
        lambda: ensemble.BaggingClassifier(linear_model.LogisticRegression(), seed=1),
    ),
    "votes": (
        classes,
        lambda: ensemble.VotingClassifier(
            [naive_bayes.GaussianNB(), tree.HoeffdingTreeClassifier()], use_probabilities=False
        ),
    ),
    "sampler": (
        binary,
        lambda: imblearn.RandomUnderSampler(
            multiclass.OneVsOneClassifier(linear_model.LogisticRegression()),
            desired_dist={False: 0.5, True: 0.5},
            seed=1,
        ),
    ),
    "retrained": (
        binary,
        lambda: drift.DriftRetrainingClassifier(tree.HoeffdingTreeClassifier()),
    ),
    "no change": (classes, dummy.NoChangeClassifier),
    "prior": (classes, dummy.PriorClassifier),
    "linear": (numbers, lambda: SCALER() | linear_model.LinearRegression()),
    "rules": (numbers, rules.AMRules),
    "target": (numbers, lambda: preprocessing.TargetStandardScaler(SCALER() | linear())),
}


def linear() -> Any:
    return linear_model.LinearRegression()


@pytest.mark.parametrize("wants", [True, False], ids=["with probabilities", "labels only"])
@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_rivers_own(name: str, *, wants: bool) -> None:
    stream, make = MODELS[name]
    model = make()
    estimator = RiverEstimator(make(), task=TASKS[stream], wants_probabilities=wants)
    for x, y in only_numbers(stream(400)):
        label, probabilities = estimator.predict(x)
        assert repr(label) == repr(model.predict_one(x))
        if probabilities is not None:
            assert wants
            assert repr(probabilities) == repr(dict(model.predict_proba_one(x)))
        model.learn_one(x, y)
        estimator.learn(x, y, None)


@pytest.mark.parametrize(
    ("name", "has"),
    [("logistic", True), ("votes", False), ("pairs", False), ("sampler", False), ("linear", False)],
)
def test_probabilities_are_there_where_the_model_has_them(name: str, *, has: bool) -> None:
    stream, make = MODELS[name]
    estimator = RiverEstimator(make(), task=TASKS[stream], wants_probabilities=True)
    for x, y in only_numbers(stream(5)):
        estimator.learn(x, y, None)
    assert (estimator.predict(x)[1] is not None) == has


class Indecisive(Classifier, Base):
    """Every class is as likely as the others; none is known at first."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}

    def learn_one(self, x: Any, y: str) -> None:
        self.known[y] = 1.0
        self.known = dict.fromkeys(self.known, 1.0 / len(self.known))

    def predict_proba_one(self, x: Any, **kwargs: Any) -> dict[str, float]:
        return dict(self.known)


@pytest.mark.parametrize("wants", [True, False])
def test_a_tie_goes_to_the_label_that_river_takes(*, wants: bool) -> None:
    model = Indecisive()
    estimator = RiverEstimator(Indecisive(), task="multiclass", wants_probabilities=wants)
    assert estimator.predict({})[0] is None
    for label in ["b", "a", "c"]:
        model.learn_one({}, label)
        estimator.learn({}, label, None)
        assert estimator.predict({})[0] == model.predict_one({}) == "b"


WEIGHTED = [
    lambda: SCALER() | linear_model.LogisticRegression(),
    lambda: compose.Discard("a") | (SCALER() | linear_model.LogisticRegression()),
    lambda: (SCALER() + compose.Select("a")) | linear_model.LogisticRegression(),
    tree.HoeffdingTreeClassifier,
]


class TestWeights:
    @pytest.mark.parametrize("make", WEIGHTED)
    def test_a_weight_reaches_the_last_step(self, make: Any) -> None:
        light, heavy = (
            RiverEstimator(make(), task="binary", wants_probabilities=True) for _ in range(2)
        )
        assert light.takes_weight
        for x, y in only_numbers(binary(30)):
            light.learn(x, y, None)
            heavy.learn(x, y, 3.0)
        assert light.predict(x) != heavy.predict(x)

    def test_a_weight_of_one_is_no_weight(self) -> None:
        plain, weighted = (
            RiverEstimator(
                SCALER() | linear_model.LogisticRegression(),
                task="binary",
                wants_probabilities=True,
            )
            for _ in range(2)
        )
        for x, y in only_numbers(binary(100)):
            plain.learn(x, y, None)
            weighted.learn(x, y, 1.0)
        assert plain.predict(x) == weighted.predict(x)

    @pytest.mark.parametrize(
        "model",
        [
            naive_bayes.GaussianNB(),
            SCALER() | linear_model.PAClassifier(),
            forest.ARFClassifier(n_models=1, seed=1),
            multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
            anomaly.QuantileFilter(anomaly.OneClassSVM(), q=0.9)
            | linear_model.LogisticRegression(),
        ],
        ids=str,
    )
    def test_others_take_none(self, model: Any) -> None:
        assert not takes_weight(model)


def test_the_last_step_is_found_in_pipelines_of_pipelines() -> None:
    inner = compose.Pipeline(SCALER(), linear_model.LogisticRegression())
    assert type(final_step(compose.Pipeline(compose.Discard("a"), inner))).__name__ == (
        "LogisticRegression"
    )


def test_rivers_first_scaled_prediction_may_be_nan() -> None:
    """A trap: MinMaxScaler divides 0 by 0 at first; whoever scores must look."""
    model = preprocessing.MinMaxScaler() | linear_model.LinearRegression()
    estimator = RiverEstimator(model, task="regression", wants_probabilities=False)
    stream = only_numbers(numbers(3))
    answers = []
    for x, y in stream:
        answers.append(estimator.predict(x)[0])
        estimator.learn(x, y, None)
    assert all(answer is not None for answer in answers)
    assert math.isfinite(answers[-1])
