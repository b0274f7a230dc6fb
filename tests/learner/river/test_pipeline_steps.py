"""Steps called one after the other learn and answer as the pipeline would, to the last bit."""

import pickle
from typing import Any

import pytest
from river import (
    anomaly,
    base,
    compose,
    feature_extraction,
    feature_selection,
    linear_model,
    naive_bayes,
    preprocessing,
    stats,
    tree,
)
from river.datasets import Phishing

from learner.river.estimator import RiverEstimator
from learner.river.pipeline_steps import steps_of


class ByLabel(base.Transformer):
    """A transformer of somebody's own that learns from the label all the same."""

    _supervised = True

    def learn_one(self, x, y):
        pass

    def transform_one(self, x):
        return x


Scaler, Regression = preprocessing.StandardScaler, linear_model.LogisticRegression

PLAIN = {
    "scaler": lambda: Scaler() | Regression(),
    "two scalers": lambda: preprocessing.MinMaxScaler() | Scaler() | Regression(l2=0.1),
    "window": lambda: Scaler(window_size=50) | Regression(),
    "select and extend": lambda: (
        compose.Select("empty_server_form_handler", "popup_window", "age_of_domain")
        | feature_extraction.PolynomialExtender()
        | Regression()
    ),
    "stateless function": lambda: (
        compose.FuncTransformer(lambda x: {name: value + 1 for name, value in x.items()})
        | tree.HoeffdingTreeClassifier(grace_period=30)
    ),
    "bayes": lambda: preprocessing.Binarizer() | naive_bayes.BernoulliNB(),
}
OTHER = {
    "no pipeline": Regression,
    "union": lambda: (Scaler() + preprocessing.MinMaxScaler()) | Regression(),
    "supervised step": lambda: (
        feature_selection.SelectKBest(stats.PearsonCorr(), k=3) | Regression()
    ),
    "filter": lambda: (
        anomaly.QuantileFilter(anomaly.OneClassSVM(), q=0.9) | Scaler() | Regression()
    ),
    "pipeline within": lambda: compose.Pipeline(Scaler(), Scaler() | Regression()),
    "own supervised step": lambda: ByLabel() | Regression(),
    "transformers only": lambda: Scaler() | preprocessing.MinMaxScaler(),
}


def outcome(build: Any, *, by_steps: bool) -> tuple[list[Any], Any]:
    """Each answer before learning, and the learned model."""
    model, answers = build(), []
    steps = steps_of(model)
    for x, y in Phishing():
        if by_steps:
            answers.append(steps.predict_proba_one(x))
            steps.learn_one(x, y)
        else:
            answers.append(model.predict_proba_one(x))
            model.learn_one(x, y)
    return answers, model


@pytest.mark.parametrize("name", PLAIN)
def test_steps_equal_the_pipeline_to_the_last_bit(name: str) -> None:
    answers, model = outcome(PLAIN[name], by_steps=True)
    rivers, rivers_model = outcome(PLAIN[name], by_steps=False)

    assert answers == rivers
    assert str(model) == str(rivers_model)
    for x, _ in Phishing().take(50):
        assert model.predict_proba_one(x) == rivers_model.predict_proba_one(x)


@pytest.mark.parametrize("name", OTHER)
def test_other_models_are_left_to_river(name: str) -> None:
    assert steps_of(OTHER[name]()) is None


@pytest.mark.parametrize("build", [*PLAIN.values(), *list(OTHER.values())[:6]])
def test_an_estimator_answers_as_river_does_with_and_without_weights(build: Any) -> None:
    ours, rivers = build(), build()
    estimator = RiverEstimator(ours, task="binary", wants_probabilities=True)
    weighs = estimator.takes_weight

    for n, (x, y) in enumerate(Phishing().take(300)):
        assert (rivers.predict_one(x), rivers.predict_proba_one(x)) == estimator.predict(x)
        if weighs and n % 3 == 0:
            estimator.learn(x, y, 2.5)
            rivers.learn_one(x, y, w=2.5)
        else:
            estimator.learn(x, y, None)
            rivers.learn_one(x, y)


def test_what_the_steps_learn_is_in_the_pipeline_that_is_pickled() -> None:
    model = PLAIN["scaler"]()
    steps = steps_of(model)
    for x, y in Phishing().take(100):
        steps.learn_one(x, y)

    again = pickle.loads(pickle.dumps(model))

    x, _ = next(iter(Phishing()))
    assert again.predict_proba_one(x) == steps.predict_proba_one(x)
    assert again.predict_proba_one(x) != PLAIN["scaler"]().predict_proba_one(x)
