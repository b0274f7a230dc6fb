"""Delayed progressive validation through the trainer equals a plain loop over River's own model."""

import random

import pytest
from river import linear_model, metrics, preprocessing, tree

from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import binary, model_file, only_numbers
from tests.learner.taking import Taking
from tests.learner.test_trainer import saved

LOGISTIC = ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]
LEARNERS = {
    "logistic regression": (
        {"river": LOGISTIC},
        lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    ),
    "Hoeffding tree": (
        {"river": ["tree.HoeffdingTreeClassifier"]},
        tree.HoeffdingTreeClassifier,
    ),
}
PAIRS = only_numbers(binary(1500))


def in_order(pairs, delay):
    """Questions and answers as they happen; an answer due at a question's moment comes first."""
    rng = random.Random(3)
    due = [n + (delay or rng.expovariate(1 / 100)) for n in range(len(pairs))]
    moments = [(n, 1, n) for n in range(len(pairs))]
    moments += [(max(time, n + 1e-6), 0, n) for n, time in enumerate(due)]
    return [(is_question, n, *pairs[n]) for _, is_question, n in sorted(moments)]


def as_plain_loop(model, moments):
    """Accuracy, and how many were scored."""
    accuracy, held, scored = metrics.Accuracy(), {}, 0
    for is_question, n, x, y in moments:
        if is_question:
            held[n] = model.predict_one(x)
            continue
        predicted = held.pop(n)
        if predicted is not None:
            accuracy.update(y, predicted)
            scored += 1
        model.learn_one(x, y)
    return accuracy.get(), scored


def as_events(moments):
    """A record each."""
    return [
        Event(features=x, id=f"e-{n}") if is_question else Event(id=f"e-{n}", label=y)
        for is_question, n, x, y in moments
    ]


def taken(trainer, file, events, *, restarts=0, seed=1):
    """Take all in batches of any size, now and then from a version of what was learned so far."""
    rng, taking, first, refused = random.Random(seed), Taking(file), 0, []
    while first < len(events):
        some = events[first : first + rng.randint(1, 40)]
        stamps = [1_000 * (first + n) for n in range(len(some))]
        found = taking.all(trainer, some, first=first, timestamps=stamps)
        refused += [each for each in found if each]
        first += len(some)
        if rng.random() < restarts / 100:
            trainer.seal()
            trainer = Trainer(file, None, saved(trainer, file))
    return trainer, refused


@pytest.mark.parametrize("delay", [1, 48, 1000, None])
@pytest.mark.parametrize("name", LEARNERS)
def test_any_delay_equals_the_plain_loop(name, delay):
    """To the last bit, whatever the batches; interrupted or not."""
    learner, build = LEARNERS[name]
    moments = in_order(PAIRS, delay)
    accuracy, scored = as_plain_loop(build(), moments)
    file = model_file("binary", learner, metrics=["Accuracy"])

    for restarts in (0, 30):
        trainer, refused = taken(Trainer(file), file, as_events(moments), restarts=restarts)
        trainer.seal()
        found = trainer.snapshot(version="v1")

        assert refused == []
        assert found.metrics["Accuracy"]["lifetime"] == accuracy
        assert (found.learned, found.scored) == (len(PAIRS), scored)
        assert (found.late.pending, found.late.labels) == (0, len(PAIRS))
