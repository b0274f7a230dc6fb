"""The example model files: each is read, learns its stream with River, and says true things."""

import itertools
from pathlib import Path

import pytest
from river import compose, datasets, drift, linear_model, metrics, preprocessing, tree
from river.datasets import synth

from config.model_file import load_model_file

FOLDER = Path(__file__).parents[2] / "config" / "models"
DRIFT_AT = 5000


def model_file(name):
    return load_model_file(FOLDER / f"{name}.yaml")


def stagger(seed):
    """The drift example's stream: one rule, then another from event 5,000 on."""
    before = synth.STAGGER(classification_function=2, seed=seed).take(DRIFT_AT)
    after = synth.STAGGER(classification_function=0, seed=seed + 1).take(DRIFT_AT)
    return itertools.chain(before, after)


STREAMS = {
    "phishing": datasets.Phishing,
    "vw": datasets.Phishing,
    "segments": datasets.ImageSegments,
    "trump": datasets.TrumpApproval,
    "drift": lambda: stagger(42),
}


def detections(model, detector, stream):
    """Index of each detection on the 0/1 error: predicted, judged, learned, in this order."""
    found = []
    for index, (x, y) in enumerate(stream):
        detector.update(int(model.predict_one(x) != y))
        if detector.drift_detected:
            found.append(index)
        model.learn_one(x, y)
    return found


def test_there_is_an_example_of_each_kind():
    """And each is called as its file."""
    names = sorted(path.stem for path in FOLDER.glob("*.yaml"))

    assert sorted(STREAMS) == names
    assert names == [model_file(name).name for name in names]
    assert {"binary", "multiclass", "regression"} == {model_file(name).task for name in names}


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_an_example_admits_every_event_of_its_stream(name):
    """Features by type and bounds, labels, numbers within the limit."""
    model = model_file(name)
    kinds = {"float": (float, int), "int": (int,), "string": (str,), "bool": (bool,)}

    for x, y in STREAMS[name]():
        for feature, value in x.items():
            spec = (model.features or {}).get(feature)
            assert spec is None or type(value) in kinds[spec.type]
            assert spec is None or (spec.min <= value <= spec.max)
            assert isinstance(value, str) or abs(value) <= model.limits.value
        assert not model.strict or x.keys() <= model.features.keys()
        assert model.labels is None or y in model.labels


def progressive(model, metric, stream):
    for x, y in stream:
        prediction = model.predict_one(x)
        if prediction is not None:
            metric.update(y, prediction)
        model.learn_one(x, y)
    return metric.get()


@pytest.mark.parametrize(
    ("name", "model", "metric", "at_least"),
    [
        (
            "phishing",
            compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
            metrics.Accuracy(),
            0.89,
        ),
        ("segments", tree.HoeffdingTreeClassifier(grace_period=50), metrics.Accuracy(), 0.77),
    ],
)
def test_an_example_learns(name, model, metric, at_least):
    """Well above guessing, from a cold start."""
    assert progressive(model, metric, STREAMS[name]()) >= at_least


def test_the_regression_example_learns():
    """Less than a percent of approval off, in the mean."""
    model = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.LinearRegression(intercept_lr=0.1)
    )

    assert progressive(model, metrics.MAE(), datasets.TrumpApproval()) < 0.6


@pytest.mark.parametrize("seed", [1, 2, 7, 42])
def test_the_injected_drift_is_found_first_and_within_1000_events(seed):
    """No alarm before it, whatever the seed: the first one is the change itself."""
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    found = detections(model, drift.ADWIN(delta=0.002), stagger(seed))

    assert DRIFT_AT <= found[0] < DRIFT_AT + 1000
