"""The trainer: interrupted anywhere it goes on as if it never had been; refusals leave no trace."""

import random
from collections import Counter
from itertools import islice

import pytest
from river import datasets, linear_model, metrics, naive_bayes, preprocessing

from checkpoints.unpickle import loads
from learner.errors import LearnFailedError
from learner.trainer import Saved, Trainer
from learner.values import Event, Reason, Refusal
from tests.effort import each_of
from tests.learner.streams import binary, classes, model_file, numbers, only_numbers
from tests.learner.taking import Taking

SCALED = "preprocessing.StandardScaler"
LOGISTIC = {"river": [SCALED, "linear_model.LogisticRegression"]}
FOREST = {"river": [{"forest.ARFClassifier": {"n_models": 3, "seed": 1}}]}
WINDOWS = ("lifetime", "rolling", "fading")
TREE = {"river": ["tree.HoeffdingAdaptiveTreeClassifier"]}
BAGGING = {
    "river": [
        {
            "ensemble.LeveragingBaggingClassifier": {
                "model": "tree.HoeffdingTreeClassifier", "n_models": 3, "seed": 1,
            }
        }
    ]
}  # fmt: skip
RECORDER = {"python": "tests.stream.recorder:Recorder"}
VW = {"vw": "--loss_function logistic --link logistic -b 10"}
NUMBERED = [({**x, "n": n}, y) for n, (x, y) in enumerate(only_numbers(binary(1200)))]

CASES = {
    "logistic regression": ("binary", LOGISTIC, only_numbers(binary(1200)), {}),
    "naive Bayes": ("multiclass", {"river": ["naive_bayes.GaussianNB"]},
                    only_numbers(classes(900)), {}),
    "adaptive tree": ("multiclass", TREE, classes(900, names=(0, 1, 2)), {}),
    "forest": ("binary", FOREST, binary(600), {}),
    "bagging": ("binary", BAGGING, binary(600), {}),
    "neighbours": ("binary", {"river": [SCALED, "neighbors.KNNClassifier"]},
                   only_numbers(binary(300)), {}),
    "linear regression": ("regression", {"river": [SCALED, "linear_model.LinearRegression"]},
                          only_numbers(numbers(900)), {}),
    "regression tree": ("regression", {"river": ["tree.HoeffdingTreeRegressor"]},
                        only_numbers(numbers(900)), {}),
    "VW": ("binary", VW, binary(1200), {}),
    "VW for classes": ("multiclass", {"vw": "--oaa 3 -b 10"}, classes(900, names=(1, 2, 3)), {}),
    "VW for numbers": ("regression", {"vw": "-b 10"}, numbers(900), {}),
    "python": ("binary", RECORDER, NUMBERED, {"trust": ["tests"]}),
}  # fmt: skip

SCORES = {
    "binary": ["Accuracy", "F1", "ROCAUC", "LogLoss"],
    "multiclass": ["Accuracy", "MacroF1", "CohenKappa"],
    "regression": ["MAE", "RMSE", "R2"],
}
DETECTORS = {
    "binary": [{"on": "error", "detector": name} for name in ("ADWIN", "DDM", "KSWIN")],
    "multiclass": [{"on": "error", "detector": name} for name in ("ADWIN", "FHDDM")],
    "regression": [{"on": "error", "detector": name} for name in ("ADWIN", "PageHinkley")],
}


def configured(task, learner, **more):
    scores = {"rolling": 200, "fading": 0.99}
    limits = {"duplicates": 50, "names": 20, "labels": 3}
    return model_file(
        task, learner, metrics=SCORES[task], drift=DETECTORS[task], scores=scores, limits=limits,
        **more,
    )  # fmt: skip


def as_events(pairs, *, seed=3):
    """The stream, some of it unfit, some repeated, and after the middle all the other way round."""
    rng = random.Random(seed)
    for n, (x, y) in enumerate(pairs):
        has_turned = n > len(pairs) // 2 and isinstance(y, bool)
        label = not y if has_turned else y
        given = Event(features=x, label=label, id=f"e-{n}" if n % 3 else None)
        if rng.random() < 0.05:
            given = rng.choice(
                [
                    Event(features={**x, "a": 1e13}, label=y),
                    Event(features=x, label=None),
                    Event(features=x, label=[y]),
                    Event(features=x, label=y, id=f"e-{max(1, n - 2)}"),
                    Event(features=x, label=y, weight=-1),
                ]
            )
        yield given


def take(trainer, events, first=0, *, most=7):
    """Take the events, some at a time; the refusals."""
    taking, found, events = Taking(trainer.model_file), [], list(events)
    for start in range(0, len(events), most):
        some = events[start : start + most]
        stamps = [1_700_000_000_000 + first + start + n for n in range(len(some))]
        found += taking.all(trainer, some, first=first + start, timestamps=stamps)
    return found


def saved(trainer, file, version="v1"):
    """What a version would keep of this trainer, through its bytes."""
    snapshot = trainer.snapshot(version=version)
    return Saved(
        payload=loads(snapshot.segments["model"], file.trust),
        segments=snapshot.segments,
        refused_by=snapshot.refused_by,
    )


def everything(trainer, pairs):
    """All that can be told apart: counts, scores, drifts, duplicates, and what it would answer."""
    snapshot = trainer.snapshot(version="v9")
    drifts = [{**each, "version": None} for each in trainer.drifts.items]
    predicted = [trainer._estimator.predict(x) for x, _ in pairs[:50]]
    return {
        "metrics": snapshot.metrics,
        "counts": (snapshot.learned, snapshot.scored, snapshot.nonfinite, snapshot.refused_by),
        "drifts": (snapshot.drift_total, drifts),
        "window": snapshot.segments["window"],
        "background": snapshot.segments["background"],
        "gate": trainer._gate.dump(),
        "predicted": predicted,
    }


@pytest.mark.parametrize("name", each_of(CASES))
def test_resumed_from_snapshots_equals_uninterrupted(name, tmp_path):
    """Cut at three places, each time continued elsewhere: all is the same to the last bit."""
    task, learner, pairs, more = CASES[name]
    file = configured(task, learner, **more)
    events = list(as_events(pairs))
    whole, parts = Trainer(file, tmp_path), Trainer(file, tmp_path)
    cuts = sorted(random.Random(name).sample(range(1, len(events)), 3))

    refusals = take(whole, events)
    resumed = []
    for first, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        resumed += take(parts, events[first:end], first)
        parts = Trainer(file, tmp_path, saved(parts, file))

    assert refusals == resumed
    assert any(refusals)
    assert everything(whole, pairs) == everything(parts, pairs)


@pytest.mark.parametrize("name", each_of(CASES))
def test_a_snapshot_changes_nothing(name, tmp_path):
    """Cut after every tenth event, or never: commits are as frequent as the clock will have it."""
    task, learner, pairs, more = CASES[name]
    file = configured(task, learner, **more)
    events = list(as_events(pairs))[:300]
    one, other = Trainer(file, tmp_path), Trainer(file, tmp_path)

    take(one, events)
    for first in range(0, len(events), 10):
        take(other, events[first : first + 10], first)
        other.snapshot(version="v1")

    assert everything(one, pairs) == everything(other, pairs)


def test_scores_are_rivers_own():
    """Progressive validation over what was admitted, the features in the record's order."""
    pairs = list(datasets.Phishing())
    trainer = Trainer(model_file("binary", LOGISTIC, metrics=["Accuracy", "LogLoss"]))
    take(trainer, (Event(features=x, label=y) for x, y in pairs))
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    accuracy, log_loss = metrics.Accuracy(), metrics.LogLoss()
    for x, y in pairs:
        accuracy.update(y, model.predict_one(x))
        log_loss.update(y, model.predict_proba_one(x))
        model.learn_one(x, y)

    report = trainer.snapshot(version="v1").metrics

    assert report["Accuracy"]["lifetime"] == accuracy.get()
    assert report["LogLoss"]["lifetime"] == log_loss.get()


def test_what_has_no_prediction_is_learned_and_not_scored():
    """The first classes of a naive Bayes: it has nothing to say yet."""
    pairs = list(islice(datasets.ImageSegments(), 500))
    file = model_file("multiclass", {"river": ["naive_bayes.GaussianNB"]}, metrics=["Accuracy"])
    trainer = Trainer(file)
    take(trainer, (Event(features=x, label=y) for x, y in pairs))
    model, accuracy, scored = naive_bayes.GaussianNB(), metrics.Accuracy(), 0
    for x, y in pairs:
        y_pred = model.predict_one(x)
        if y_pred is not None:
            accuracy.update(y, y_pred)
            scored += 1
        model.learn_one(x, y)

    tally = trainer.tally

    assert (tally.learned, tally.scored, tally.nonfinite) == (500, scored, 0)
    assert scored < 500
    assert trainer.snapshot(version="v1").metrics["Accuracy"]["lifetime"] == accuracy.get()


class Wild:
    """Predicts what no score can bear, now and then."""

    answers = (1.0, float("nan"), float("inf"), None, -float("inf"))

    def learn_one(self, x, y):
        pass

    def predict_one(self, x):
        return self.answers[x["n"] % 5]


def test_a_prediction_that_is_not_finite_is_counted_and_never_scored():
    """Nor does it reach a detector, which it would blind for good."""
    file = model_file(
        "regression", {"python": f"{__name__}:Wild"}, trust=["tests"], metrics=["MAE"],
        drift=[{"on": "error", "detector": "ADWIN"}],
    )  # fmt: skip
    trainer = Trainer(file)
    take(trainer, (Event(features={"n": n}, label=3) for n in range(100)))

    snapshot = trainer.snapshot(version="v1")

    assert (snapshot.learned, snapshot.scored, snapshot.nonfinite) == (100, 20, 60)
    of_windows = {window: snapshot.metrics["MAE"][window] for window in WINDOWS}
    assert of_windows == {"lifetime": 2.0, "rolling": 2.0, "fading": 2.0}


def test_a_weight_reaches_the_learner_and_not_the_scores():
    """As in River's own validation."""
    pairs = only_numbers(binary(200))
    trainer = Trainer(model_file("binary", LOGISTIC, metrics=["LogLoss"]))
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    log_loss = metrics.LogLoss()
    for n, (x, y) in enumerate(pairs):
        take(trainer, [Event(features=x, label=y, weight=n % 4)], n)
        log_loss.update(y, model.predict_proba_one(x))
        model.learn_one(x, y, w=n % 4)

    assert trainer.snapshot(version="v1").metrics["LogLoss"]["lifetime"] == log_loss.get()


def test_refusals_are_counted_by_reason_and_leave_no_trace():
    """With poison or without: the same model."""
    pairs = only_numbers(binary(300))
    file = configured("binary", LOGISTIC)
    clean, mixed = Trainer(file), Trainer(file)
    poison = [
        Event(features={"a": 1e300}, label=True),
        Event(features={"a": 1}, label="maybe"),
        Event(label=True, id="nobody"),
        Event(features={f"x{n}": 1 for n in range(21)}, label=True),
    ]
    take(clean, (Event(features=x, label=y) for x, y in pairs))
    refused = []
    for n, (x, y) in enumerate(pairs):
        refused += take(mixed, [Event(features=x, label=y), poison[n % 4]], 2 * n)[1:]
    mixed.refuse([Reason.not_json])

    assert all(isinstance(each, Refusal) for each in refused)
    counted = {
        "out_of_bounds": 75, "bad_label": 75, "label_unknown": 75, "too_many_features": 75,
        "not_json": 1,
    }  # fmt: skip
    assert mixed.refused_by == Counter(counted)
    unlike = ("counts",)
    one, other = everything(clean, pairs), everything(mixed, pairs)
    assert {k: v for k, v in one.items() if k not in unlike} == {
        k: v for k, v in other.items() if k not in unlike
    }


def test_detections_name_their_record_and_their_version():
    """The place of the record that raised them, and the first version that holds them."""
    pairs = [({"a": n % 7}, n > 1500) for n in range(3000)]
    drift = [{"on": "error", "detector": "ADWIN"}]
    learner = {"river": ["dummy.PriorClassifier"]}
    file = model_file("binary", learner, drift=drift, metrics=["Accuracy"])
    trainer = Trainer(file)
    take(trainer, (Event(features=x, label=y) for x, y in pairs[:1000]))
    trainer.snapshot(version="v2")
    take(trainer, (Event(features=x, label=y) for x, y in pairs[1000:]), 1000)

    trainer.snapshot(version="v3")

    first = trainer.drifts.items[-1]
    assert 1500 < first["offset"] < 2000
    assert (first["topic"], first["partition"], first["version"]) == ("events", 0, "v3")
    assert first["index"] == first["offset"] - 1  # the first event was learned, not scored
    assert first["direction"] == "worse"


class Moody:
    """Raises on one event, after it has already changed."""

    def __init__(self):
        self.total = 0

    def learn_one(self, x, y):
        self.total += 1
        if x["n"] == 3:
            raise OverflowError("math range error")

    def predict_one(self, x):
        return self.total % 2 == 0


def test_a_learner_that_raises_is_told_with_the_place():
    """The trainer is dirty then; the worker throws it away."""
    file = model_file("binary", {"python": f"{__name__}:Moody"}, trust=["tests"])
    trainer = Trainer(file)
    take(trainer, (Event(features={"n": n}, label=True) for n in range(3)))

    with pytest.raises(
        LearnFailedError, match="learning events-0-3 raised OverflowError"
    ) as raised:
        take(trainer, [Event(features={"n": 3}, label=True)], 3)

    assert (raised.value.topic, raised.value.partition, raised.value.offset) == ("events", 0, 3)


def test_metrics_and_detectors_may_change_between_versions():
    """Those that are new begin from nothing; the others go on."""
    pairs = only_numbers(binary(400))
    before = model_file("binary", LOGISTIC, metrics=["Accuracy"])
    after = model_file(
        "binary", LOGISTIC, metrics=["F1", "Accuracy"], drift=[{"on": "error", "detector": "DDM"}]
    )
    one, other = Trainer(before), Trainer(before)
    take(one, (Event(features=x, label=y) for x, y in pairs))
    take(other, (Event(features=x, label=y) for x, y in pairs[:200]))

    other = Trainer(after, None, saved(other, before))
    take(other, (Event(features=x, label=y) for x, y in pairs[200:]), 200)

    one_report = one.snapshot(version="v1").metrics
    other_report = other.snapshot(version="v1").metrics
    assert one_report["Accuracy"] == other_report["Accuracy"]
    assert list(other_report) == ["F1", "Accuracy"]
    assert other_report["F1"]["lifetime"] is not None
