"""An event that raises costs an event: all else is as if it had never been."""

import functools
import importlib
import inspect
import pickle
import pkgutil
import random

import numpy as np
import pytest
import river
from river import base, facto, linear_model, preprocessing

from checkpoints.unpickle import loads
from learner.errors import LearnFailedError, UnlearnableError
from learner.trainer import Saved, Trainer
from learner.trial.draws import draws_when_asked
from learner.trial.first_events import FIRST_EVENTS
from learner.trial.why_raised import why_raised
from learner.values import Event, Reason
from tests.effort import each_of
from tests.learner.streams import binary, classes, model_file, numbers, only_numbers
from tests.learner.taking import Taking, examples_of

SCALER = "preprocessing.StandardScaler"
PICKED = {"compose.Select": ["a", "b"]}
SCORES = {"binary": ["Accuracy", "F1"], "multiclass": ["MacroF1"], "regression": ["MAE"]}


class Picky:
    """Takes no number above two in `b`, and counts what it learned."""

    def __init__(self):
        self.n = 0

    def predict_one(self, x):
        if x["b"] > 2:
            raise OverflowError("too much of b")
        return self.n % 3 == 0

    def learn_one(self, x, y):
        self.n += 1


class Panic(BaseException):
    """No Exception, as a panic of River's Rust is none."""


class Panicking(Picky):
    """Raises what nobody expects."""

    def predict_one(self, x):
        if x["b"] > 2:
            raise Panic("value is NaN")
        return self.n % 3 == 0


class Exhausted(Picky):
    """Has no memory left for an answer."""

    def predict_one(self, x):
        raise MemoryError("for now")


def lacking(x):
    return {name: value for name, value in x.items() if name != "b"} | {"other": 1}


CASES = {
    "many classes": ("multiclass",
                     {"river": [SCALER, PICKED, "naive_bayes.GaussianNB"]},
                     only_numbers(classes(600)), lacking),
    "a column that is not there": ("regression",
                                   {"river": [PICKED, SCALER,
                                              "linear_model.LinearRegression"]},
                                   only_numbers(numbers(600)), lacking),
    "an own class": ("binary", {"python": f"{__name__}:Picky"},
                     [pair for pair in only_numbers(binary(600)) if pair[0]["b"] <= 2],
                     lambda x: {**x, "b": 7.5}),
    "a panic": ("binary", {"python": f"{__name__}:Panicking"},
                [pair for pair in only_numbers(binary(300)) if pair[0]["b"] <= 2],
                lambda x: {**x, "b": 7.5}),
}  # fmt: skip


def configured(task, learner, **more):
    drift = [{"on": "error", "detector": "ADWIN", "delta": 0.2}]
    limits = {"duplicates": 30, "names": 20, "labels": 5}
    return model_file(
        task, learner, metrics=SCORES[task], drift=drift, limits=limits, trust=["tests"], **more
    )


def streams(pairs, spoil, task):
    """The stream with events that raise in it, and the same without them.

    Some that raise have an id that a good one has right after, some a label that no good one has.
    """
    rng, good, all_ = random.Random(4), [], []
    for n, (x, y) in enumerate(pairs):
        name = f"e-{n}" if n % 2 else None
        if n > 20 and rng.random() < 0.1:
            label = "never" if task == "multiclass" and n % 3 else y
            all_.append(Event(features=spoil(x), label=label, id=name))
        added = [Event(features=x, label=y, id=name)]
        if rng.random() < 0.1:
            added.append(Event(features=x, label=y, id=f"e-{max(1, n - rng.randrange(60))}"))
        good += added
        all_ += added
    return all_, good


def taken(file, events, most, *, cut=None):
    """A trainer that took the events some at a time; and the refusals, in order."""
    trainer, found = Trainer(file), []
    taking = Taking(file)
    for first in range(0, len(events), most):
        found += taking.all(trainer, events[first : first + most], first=first)
        if cut is not None and first <= cut < first + most:
            trainer = Trainer(file, None, saved(trainer, file))
    return trainer, found


def saved(trainer, file):
    made = trainer.snapshot(version="v1")
    payload = loads(made.segments["model"], file.trust)
    return Saved(payload=payload, segments=made.segments, refused_by=made.refused_by)


def told_apart(trainer, pairs):
    """All that the raising ones might have left a trace in."""
    made = trainer.snapshot(version="v9")
    refused = {k: n for k, n in made.refused_by.items() if k != Reason.learn_error}
    places = {"offset", "version", "timestamp_ms", "at", "at_ms"}
    drifts = [{k: v for k, v in each.items() if k not in places} for each in trainer.drifts.items]
    answers = [trainer._estimator.predict(x) for x, _ in pairs[:50]]
    counts = made.learned, made.scored, made.nonfinite, refused
    return made.metrics, counts, drifts, made.segments["window"], trainer._gate.dump(), answers


@pytest.mark.parametrize("name", each_of(CASES))
def test_what_raises_when_asked_leaves_no_trace(name):
    """Batches of any size, a restore in the midst: counts, scores, drifts, ids, names, labels."""
    task, learner, pairs, spoil = CASES[name]
    file = configured(task, learner)
    events, good = streams(pairs, spoil, task)
    without, _ = taken(file, good, 10)

    for most, cut in ((1, None), (7, 300), (100, 123), (len(events), None)):
        with_them, refusals = taken(file, events, most, cut=cut)
        raised = [each for each in refusals if each and each.reason is Reason.learn_error]

        assert len(raised) == len(events) - len(good)
        assert all(each.detail.startswith(f"{each.detail.split(':')[0]}: ") for each in raised)
        assert with_them.tally.raised == with_them.refused_by[Reason.learn_error] == len(raised)
        assert told_apart(with_them, pairs) == told_apart(without, pairs), most


def test_the_detail_says_what_was_raised():
    file = configured("binary", {"python": f"{__name__}:Picky"})
    events = [Event(features={"b": b}, label=True) for b in (1, 9)]

    _, refusals = taken(file, events, 2)

    assert (refusals[1].detail, refusals[1].stage) == ("OverflowError: too much of b", "learn")


@pytest.mark.parametrize(
    "learner",
    [{"python": f"{__name__}:Exhausted"}, {"river": [PICKED, {"facto.FMRegressor": {"seed": 1}}]}],
)
def test_what_may_have_changed_something_is_a_dirty_learner(learner):
    """No memory is no fault of the event; a draw moves the generator."""
    task, label = ("regression", 1.0) if "river" in learner else ("binary", True)
    file = configured(task, learner)
    good = [Event(features={"a": a, "b": 1.0}, label=label) for a in (1.0, 2.0, 3.0)]
    trainer, taking = Trainer(file), Taking(file)
    if "river" in learner:
        taking.all(trainer, good)

    with pytest.raises(LearnFailedError):
        taking.one(trainer, Event(features={"a": 4.0}, label=label), offset=3)


def test_names_of_events_that_raise_do_not_pile_up():
    """A scaler keeps each name that it is asked about; beyond the limit it is thrown away."""
    file = configured("binary", {"river": [SCALER, PICKED, "linear_model.LogisticRegression"]})
    trainer, taking = Trainer(file), Taking(file)
    taking.one(trainer, Event(features={"a": 1.0, "b": 2.0}, label=True))
    spoilt = [Event(features={"a": 2.0, f"n{n}": 1.0}, label=True) for n in range(30)]

    with pytest.raises(LearnFailedError):
        taking.all(trainer, spoilt, first=1)
    assert trainer.tally.raised == 20


FIRST = {
    "text": ({"river": [SCALER, "linear_model.LinearRegression"]},
             {"hum": 0.5, "dteday": "2011-01-01"},
             "'dteday' is text and reaches StandardScaler: leave it out, or encode it"),
    "two texts": ({"river": ["preprocessing.MinMaxScaler", "linear_model.LinearRegression"]},
                  {"b": "x", "hum": 0.5, "a": "y"},
                  "'b' and 'a' are text and reach MinMaxScaler: leave them out, or encode them"),
    "a column that is not there": ({"river": [{"compose.Select": ["temp"]},
                                              "linear_model.LinearRegression"]},
                                   {"hum": 0.5},
                                   "'temp' is missing and Select wants it"),
    "text into a part of a union": (
        {"river": [{"compose.TransformerUnion": [
            [{"compose.Select": ["a"]}, SCALER],
            [{"compose.Select": ["b"]}, "preprocessing.OneHotEncoder"]]},
            "linear_model.LinearRegression"]},
        {"a": "one", "b": "two"},
        "'a' is text and reaches StandardScaler: leave it out, or encode it"),
    "a number where text belongs": ({"river": [{"feature_extraction.BagOfWords": {"on": "a"}},
                                               "linear_model.LinearRegression"]},
                                    {"a": 4, "b": 1.0},
                                    "'a' is no text, which is all that BagOfWords takes"),
    "an own class": ({"python": f"{__name__}:Picky"}, {"b": 9.0},
                     "Picky raises OverflowError: too much of b"),
}  # fmt: skip


def refuse(trainer, x, offset):
    """What is done with an event on which a copy of the learner raised."""
    event = Event(features=x, label=1.0)
    trainer.refuse_raised(examples_of([(offset, 0, x, event)]), 0, "TypeError: of its own")


@pytest.mark.parametrize("name", FIRST)
def test_where_each_of_the_first_raises_it_is_said_what_does_not_fit(name):
    """The feature, the step, and where; it is a model file's error, exit 2."""
    learner, x, why = FIRST[name]
    file = configured("regression", learner)
    trainer = Trainer(file)

    for offset in range(40, 40 + FIRST_EVENTS - 1):
        refuse(trainer, x, offset)
    with pytest.raises(UnlearnableError) as raised:
        refuse(Trainer(file, None, saved(trainer, file)), x, 59)

    assert why in str(raised.value)
    assert "model model" in str(raised.value)
    assert "events-0 at offset 59" in str(raised.value)
    assert raised.value.exit_code == 2


def test_one_that_is_learned_before_the_twentieth_is_enough():
    """Then it is these events that are wrong, not the pipeline."""
    file = configured("regression", FIRST["text"][0])
    trainer, bad = Trainer(file), FIRST["text"][1]
    for offset in range(FIRST_EVENTS - 1):
        refuse(trainer, bad, offset)
    Taking(file).one(trainer, Event(features={"hum": 0.5}, label=1.0), offset=FIRST_EVENTS)
    for offset in range(FIRST_EVENTS + 1, 60):
        refuse(trainer, bad, offset)

    assert (trainer.tally.learned, trainer.tally.raised) == (1, 58)


def test_what_raises_only_when_it_learns_is_found_too():
    """And the model that is asked about it stays as it is."""
    model = preprocessing.StandardScaler() | linear_model.PARegressor()
    before = pickle.dumps(model)

    assert why_raised(model, {"a": 1.0}, "dear") == "PARegressor raises TypeError: " + _raised(
        lambda: linear_model.PARegressor().learn_one({"a": 0.0}, "dear")
    )
    assert pickle.dumps(model) == before


def _raised(call):
    try:
        call()
    except TypeError as error:
        return str(error)
    raise AssertionError("it did not raise")


def test_every_component_that_draws_when_asked_is_known():
    """Found by asking each: whether one of its generators has moved."""
    drawing = {type(model).__name__ for model in _components() if _draws(model)}

    known = {type(model).__name__ for model in _components() if draws_when_asked(model)}
    assert drawing - {"EntropySampler"} <= known, "active learning is no part of a model file"
    assert draws_when_asked(preprocessing.StandardScaler() | facto.FMClassifier())
    assert not draws_when_asked(preprocessing.StandardScaler() | linear_model.PARegressor())


def _components():
    """One of each of River's, as its own tests make it, that has learned a little."""
    rng = random.Random(1)
    for module in pkgutil.iter_modules(river.__path__):
        for _, kind in sorted(vars(importlib.import_module(f"river.{module.name}")).items()):
            if not inspect.isclass(kind) or not issubclass(kind, base.Estimator):
                continue
            try:
                model = kind(**next(iter(kind._unit_test_params())))
                for _ in range(30):
                    x = {"a": rng.random(), "b": rng.random()}
                    label = x["a"] > 0.5 if isinstance(model, base.Classifier) else x["a"]
                    model.learn_one(x, *((label,) if model._supervised else ()))
            except Exception:  # one that needs other arguments, or other events
                continue
            yield model


def _draws(model):
    before = _generators(model)
    for verb in ("predict_one", "predict_proba_one", "transform_one"):
        for x in ({"a": 0.3, "b": 0.2}, {"c": 0.3, "d": 0.1}):
            try:
                getattr(model, verb)(dict(x))
            except Exception:
                continue
    return _generators(model) != before


def _generators(part, seen=None):
    """The states of all generators in an object, however deep."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return []
    seen.add(id(part))
    if isinstance(part, random.Random):
        return [part.getstate()]
    if isinstance(part, np.random.RandomState):
        state = part.get_state()
        return [(state[1].tobytes(), state[2])]
    if isinstance(part, functools.partial):
        inner = [part.func, part.keywords]
    elif isinstance(part, dict):
        inner = [*part.values(), getattr(part, "default_factory", None)]
    elif isinstance(part, list | tuple | set):
        inner = list(part)
    elif inspect.ismethod(part):
        inner = [part.__self__]
    else:
        inner = list(getattr(part, "__dict__", {}).values())
    return [state for each in inner for state in _generators(each, seen)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_rust_makes_of_nan_costs_an_event():
    """A factorisation machine that has diverged, in a jackknife, whose quantiles are Rust."""
    machine = {"facto.FMRegressor": {"n_factors": 5, "seed": 1}}
    learner = {"river": [{"conf.RegressionJackknife": {"regressor": machine, "window_size": 50}}]}
    file = model_file("regression", learner, metrics=["MAE"])
    trainer, taking = Trainer(file), Taking(file)

    def learn():
        for n in range(40):
            x = {"price": 1000.0 + 3 * n, "n": n % 7}
            taking.one(trainer, Event(features=x, label=100.0 + n % 5), offset=n)

    with pytest.raises(LearnFailedError, match="PanicException: Value is NaN"):
        learn()
