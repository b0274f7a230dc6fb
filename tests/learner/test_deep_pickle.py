"""Models that nest deeper than Python recurses."""

import pickle
import sys
import threading

import pytest
from river import datasets, tree

from checkpoints.unpickle import loads
from learner.deep_pickle import dumps
from learner.trainer import Saved, Trainer
from learner.values import Event
from tests.learner.streams import model_file
from tests.learner.taking import Taking


def nested(depth):
    inner = None
    for _ in range(depth):
        inner = [inner]
    return inner


def test_what_is_flat_is_pickled_as_ever():
    """Protocol 5, on this thread."""
    assert dumps({"a": 1}) == pickle.dumps({"a": 1}, protocol=5)


def test_an_adaptive_tree_for_numbers_is_pickled_and_goes_on_exactly():
    """After 1,000 events of TrumpApproval it is deeper than the recursion limit."""
    learner = {"river": [{"tree.HoeffdingAdaptiveTreeRegressor": {"seed": 1}}]}
    file = model_file("regression", learner, metrics=["MAE"])
    pairs = list(datasets.TrumpApproval())
    whole, taking = Trainer(file), Taking(file)
    for n, (x, y) in enumerate(pairs[:1000]):
        taking.one(whole, Event(features=x, label=y), offset=n)
    with pytest.raises(RecursionError):
        pickle.dumps(whole._estimator.dump())
    snapshot = whole.snapshot(version="v1")

    saved = Saved(
        payload=loads(snapshot.segments["model"], ()),
        segments=snapshot.segments,
        refused_by={},
    )
    resumed = Trainer(file, None, saved)

    for n, (x, y) in enumerate(pairs[1000:], 1000):
        for trainer in (whole, resumed):
            taking.one(trainer, Event(features=x, label=y), offset=n)
    assert whole.snapshot(version="v2").metrics == resumed.snapshot(version="v2").metrics


def test_the_limits_of_the_process_are_as_they_were():
    """Recursion limit and stack size hold for the one thread only."""
    before = (sys.getrecursionlimit(), threading.stack_size())

    assert len(dumps(nested(50_000))) > 50_000

    assert (sys.getrecursionlimit(), threading.stack_size()) == before


def test_what_cannot_be_pickled_says_so_at_any_depth():
    """The error of the thread is the caller's."""
    deep = nested(5_000)
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        dumps([threading.Lock(), deep])
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        dumps([deep, threading.Lock()])


def test_the_deepest_is_refused_and_harms_nothing():
    """Beyond 200,000 levels."""
    with pytest.raises(RecursionError):
        dumps(nested(250_000))


def test_the_tree_is_rivers_own():
    """The oracle: River's tree itself cannot be pickled, on the main thread."""
    model = tree.HoeffdingAdaptiveTreeRegressor(seed=1)
    for x, y in datasets.TrumpApproval():
        model.learn_one(x, y)

    assert pickle.loads(pickle.dumps(tree.HoeffdingTreeRegressor()))
    with pytest.raises(RecursionError):
        pickle.dumps(model)
