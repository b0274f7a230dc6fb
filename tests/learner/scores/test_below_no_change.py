"""A model that learns, and yet is worse than repeating the last label: its scores say so."""

from itertools import pairwise

import pytest
from river import datasets

from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import model_file
from tests.learner.taking import Taking

LEARNER = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}


def test_a_stream_whose_labels_come_in_runs():
    """Whether the flow of water is above a bound: today's is nearly yesterday's."""
    pairs = [(x, y > 40) for x, y in datasets.TrumpApproval()]
    file = model_file("binary", LEARNER, metrics=["Accuracy", "KappaT"])
    trainer = Trainer(file)
    refused = Taking(file).all(trainer, [Event(features=x, label=y) for x, y in pairs])
    told = trainer.snapshot(version="v1").metrics

    assert set(refused) == {None}
    labels = [y for _, y in pairs]
    p, p0 = told["Accuracy"]["lifetime"], told["Accuracy"]["no_change"]
    assert p0 == sum(y == before for before, y in pairwise(labels)) / (len(labels) - 1)
    assert p < p0
    assert told["KappaT"]["lifetime"] == pytest.approx((p - p0) / (1 - p0))
    assert told["KappaT"]["lifetime"] < 0
    assert told["Accuracy"]["high"] > told["Accuracy"]["low"]
