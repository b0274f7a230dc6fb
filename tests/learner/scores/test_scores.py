"""Scores: equal to River's own metrics, whatever is asked of them and whenever."""

import math
import pickle
import random
from collections.abc import Iterator
from typing import Any

import pytest
from river import evaluate, linear_model, metrics, preprocessing
from river.datasets import Phishing

from config.model.parts import ScoreWindows as Windows
from config.model_file import TaskName
from learner.errors import SpecError
from learner.scores.scores import Scores, suited_names

LABELS: dict[str, list[Any]] = {
    "binary": [False, True],
    "multiclass": ["brickface", "sky", "foliage", "cement", "window", "path", "grass"],
}
WINDOWS = ("lifetime", "rolling", "fading")
Event = tuple[Any, Any, dict[Any, float] | None]
MEANS = {"Accuracy", "CrossEntropy", "LogLoss", "MAE", "MAPE", "MSE", "RMSE", "RMSLE", "SMAPE"}

# They have no value while all truths are equal, though River gives 0 for them.
NEED_TWO = {"ROCAUC", "RollingROCAUC", "RollingPRAUC", "R2"}


def stream(task: str, count: int, seed: int = 1) -> Iterator[Event]:
    """(truth, prediction, probabilities), right about half of the time."""
    rng = random.Random(seed)
    for _ in range(count):
        if task == "regression":
            y = 3.0 + rng.random() * rng.choice([0, 5])
            yield y, y + rng.random() - 0.5, None
            continue
        labels = LABELS[task]
        y = rng.choice(labels)
        weights = [rng.random() ** 2 + (label == y) * 0.5 for label in labels]
        probabilities = {
            label: weight / sum(weights) for label, weight in zip(labels, weights, strict=True)
        }
        yield y, max(probabilities, key=lambda label: probabilities[label]), probabilities


def feed(scores: Scores, events: Iterator[Event] | list[Event]) -> Scores:
    for event in events:
        scores.update(*event)
    return scores


def over_windows(score: dict[str, float | None]) -> dict[str, float | None]:
    return {window: score[window] for window in WINDOWS}


def river_value(name: str, events: Iterator[Event] | list[Event]) -> float:
    metric = getattr(metrics, name)()
    reads_labels = getattr(metric, "requires_labels", True)
    for y, y_pred, probabilities in events:
        metric.update(y, y_pred if reads_labels else probabilities)
    return float(metric.get())


ALL = [
    (task, name) for task in ("binary", "multiclass", "regression") for name in suited_names(task)
]


@pytest.mark.parametrize(("task", "name"), ALL)
@pytest.mark.parametrize("count", [1, 2, 7, 1500])
def test_lifetime_and_rolling_equal_rivers_own_metric_to_the_last_bit(
    task: TaskName, name: str, count: int
) -> None:
    scores = feed(Scores([name], task, Windows(rolling=300)), stream(task, count))

    report = scores.report()[name]

    if name in NEED_TWO and len({y for y, *_ in stream(task, count)}) == 1:
        assert (report["lifetime"], report["rolling"]) == (None, None)
        return
    assert river_value(name, stream(task, count)) == report["lifetime"]
    assert river_value(name, list(stream(task, count))[-300:]) == report["rolling"]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_scores_asked_for_together_and_often_equal_each_alone(task: TaskName) -> None:
    """Shared state and reports in between change no bit, neither does the order of the list."""
    names = suited_names(task)
    random.Random(3).shuffle(names)
    scores = Scores(names, task, Windows(rolling=50))
    for position, event in enumerate(stream(task, 700)):
        scores.update(*event)
        if position % 97 == 0:
            scores.report()

    report = scores.report()

    assert names == list(report)
    assert {name: river_value(name, stream(task, 700)) for name in names} == {
        name: values["lifetime"] for name, values in report.items()
    }


def test_scores_equal_rivers_progressive_validation_of_a_learner() -> None:
    def model() -> Any:
        return preprocessing.StandardScaler() | linear_model.LogisticRegression()

    names = ["Accuracy", "F1", "CohenKappa", "MCC", "ROCAUC", "LogLoss"]
    learner, scores = model(), Scores(names, "binary", Windows())
    for x, y in Phishing():
        scores.update(y, learner.predict_one(x), learner.predict_proba_one(x))
        learner.learn_one(x, y)

    report = scores.report()

    for name in names:
        river = evaluate.progressive_val_score(Phishing(), model(), getattr(metrics, name)())
        assert river.get() == report[name]["lifetime"], name


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, name in ALL if name in MEANS])
def test_fading_is_the_weighted_mean_of_the_contract(task: TaskName, name: str) -> None:
    factor, events = 0.99, list(stream(task, 800))
    single = [river_value(name, [event]) for event in events]
    if name.startswith("RMS"):
        single = [value**2 for value in single]
    weights = [factor**age for age in reversed(range(len(events)))]
    mean = sum(map(math.prod, zip(weights, single, strict=True))) / sum(weights)

    report = feed(Scores([name], task, Windows(fading=factor)), events).report()

    expected = math.sqrt(mean) if name.startswith("RMS") else mean
    assert pytest.approx(expected, rel=1e-12) == report[name]["fading"]


@pytest.mark.parametrize(("task", "name"), [each for each in ALL if each[1] not in MEANS])
def test_what_is_no_mean_over_events_does_not_fade(task: TaskName, name: str) -> None:
    report = feed(Scores([name], task, Windows()), stream(task, 20)).report()

    assert report[name]["fading"] is None


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_everything_is_null_before_the_first_scored_event(task: TaskName) -> None:
    names = [*suited_names(task), "VWLoss"]
    second = "mean" if task == "regression" else "majority"

    report = Scores(names, task, Windows()).report()

    nothing = dict.fromkeys((*WINDOWS, "no_change", second, "low", "high"))
    assert dict.fromkeys(names, nothing) == report


def test_values_that_are_not_finite_are_null() -> None:
    scores = Scores(["MSE", "RMSLE"], "regression", Windows(rolling=1))
    scores.update(1.0, 1e300, None)
    scores.update(1.0, -3.0, None)

    report = scores.report()
    assert over_windows(report["MSE"]) == {"lifetime": None, "rolling": 16.0, "fading": None}
    assert over_windows(report["RMSLE"]) == dict.fromkeys(WINDOWS)


CURVES = ["ROCAUC", "RollingROCAUC", "RollingPRAUC"]


@pytest.mark.parametrize("label", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_there_is_no_area_under_a_curve_of_one_class(name: str, label: bool) -> None:
    """River's 0, or -0, would read as the worst there is; with the other class it has a value."""
    events: list[Event] = [(label, True, {False: 0.2, True: 0.8})] * 5
    scores = feed(Scores([name], "binary", Windows(rolling=3)), events)
    assert over_windows(scores.report()[name]) == dict.fromkeys(WINDOWS)

    other: list[Event] = [(not label, False, {False: 0.9, True: 0.1})]
    report = feed(scores, other).report()[name]

    assert report["lifetime"] == river_value(name, events + other)
    assert report["rolling"] == river_value(name, (events + other)[-3:])


@pytest.mark.parametrize("name", CURVES)
def test_a_window_of_one_class_has_no_area_though_the_life_has_one(name: str) -> None:
    """Each is told by what it was fed."""
    events = [*stream("binary", 40), *[(True, True, {False: 0.2, True: 0.8})] * 5]
    report = feed(Scores([name], "binary", Windows(rolling=5)), events).report()[name]

    assert report["rolling"] is None
    assert report["lifetime"] == river_value(name, events)


def test_the_worst_area_is_zero_and_not_less_than_nothing() -> None:
    """River's own is -0.0, which equals it."""
    events: list[Event] = [(True, False, {False: 1.0}), (False, True, {True: 1.0})] * 3
    for name in ("ROCAUC", "RollingROCAUC"):
        value = feed(Scores([name], "binary", Windows()), events).report()[name]["lifetime"]
        assert str(value) == "0.0"


@pytest.mark.parametrize("truths", [[3.0], [3.0, 3.0, 3.0], [0.1] * 7])
def test_there_is_no_share_of_a_variance_of_zero(truths: list[float]) -> None:
    """R2 of equal truths; with another one it is River's."""
    events: list[Event] = [(y, y + 1, None) for y in truths]
    scores = feed(Scores(["R2"], "regression", Windows()), events)
    assert scores.report()["R2"]["lifetime"] is None

    more: list[Event] = [(5.0, 4.5, None)]
    assert feed(scores, more).report()["R2"]["lifetime"] == river_value("R2", events + more)


@pytest.mark.parametrize("name", ["F1", "Precision", "MCC", "CohenKappa", "GeometricMean"])
def test_where_river_has_a_convention_it_holds(name: str) -> None:
    """A division by zero is 0 to River and scikit-learn alike, and stays so."""
    events: list[Event] = [(False, False, None)] * 4
    report = feed(Scores([name], "binary", Windows()), events).report()[name]

    assert report["lifetime"] == river_value(name, events)


def test_extreme_probabilities_cost_what_river_says() -> None:
    edges = [0.0, 1e-16, 1e-15, 1 / 9, 0.5, 1 - 1e-15, 1 - 1e-16, 1.0]
    events: list[Event] = [
        (y, p > 0.5, {False: 1 - p, True: p}) for p in edges for y in (False, True)
    ]
    events.append((True, False, {False: 1.0}))
    names = ["LogLoss", "CrossEntropy", "ROCAUC"]

    report = feed(Scores(names, "binary", Windows()), events).report()

    assert [river_value(name, events) for name in names] == [
        report[name]["lifetime"] for name in names
    ]


def test_vw_loss_is_the_sum_of_losses_over_the_sum_of_weights() -> None:
    scores = Scores(["VWLoss"], "binary", Windows(rolling=2, fading=0.5))
    for loss, weight in [(4.0, 1.0), (1.0, 2.0), (3.0, 2.0)]:
        scores.update(True, True, None)
        scores.add_loss(loss, weight)

    expected = {"lifetime": 8 / 5, "rolling": 4 / 4, "fading": (1 + 0.5 + 3) / (0.25 + 1 + 2)}
    assert expected == over_windows(scores.report()["VWLoss"])
    assert scores.wants_loss
    assert not scores.wants_probabilities


@pytest.mark.parametrize(("name", "wants"), [("Accuracy", False), ("F1", False), ("ROCAUC", True)])
def test_says_whether_it_needs_probabilities(name: str, wants: bool) -> None:
    assert wants == Scores([name], "binary", Windows()).wants_probabilities


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_restored_dump_goes_on_as_if_never_interrupted(task: TaskName) -> None:
    names, events = suited_names(task), list(stream(task, 900))
    whole = feed(Scores(names, task, Windows(rolling=200)), events)
    first = feed(Scores(names, task, Windows(rolling=200)), events[:500])

    second = Scores(names, task, Windows(rolling=200))
    update = second.update  # may be held by its caller from before the restore
    second.restore(pickle.loads(pickle.dumps(first.dump())))
    for event in events[500:]:
        update(*event)

    assert whole.report() == second.report()


def test_a_changed_list_keeps_what_stays_and_starts_the_rest() -> None:
    events = list(stream("binary", 60))
    first = feed(Scores(["Accuracy", "LogLoss", "MCC"], "binary", Windows()), events[:40])
    second = Scores(["F1", "LogLoss", "Accuracy", "ROCAUC"], "binary", Windows())

    second.restore(pickle.loads(pickle.dumps(first.dump())))
    report = feed(second, events[40:]).report()

    expected = {
        "F1": river_value("F1", events[40:]),
        "LogLoss": river_value("LogLoss", events),
        "Accuracy": river_value("Accuracy", events),
        "ROCAUC": river_value("ROCAUC", events[40:]),
    }
    assert expected == {name: values["lifetime"] for name, values in report.items()}


def test_a_narrower_window_keeps_its_newest_events() -> None:
    events = list(stream("binary", 60))
    wide = feed(Scores(["Accuracy"], "binary", Windows(rolling=50)), events)
    narrow = Scores(["Accuracy"], "binary", Windows(rolling=10))

    narrow.restore(pickle.loads(pickle.dumps(wide.dump())))

    assert river_value("Accuracy", events[-10:]) == narrow.report()["Accuracy"]["rolling"]


def test_a_learner_may_hand_out_the_same_probabilities_again_and_change_them() -> None:
    names = ["LogLoss", "CrossEntropy", "ROCAUC", "RollingROCAUC"]
    events = list(stream("binary", 30))
    scores, handed_out = Scores(names, "binary", Windows()), {}
    for y, y_pred, probabilities in events:
        handed_out.update(probabilities or {})
        scores.update(y, y_pred, handed_out)

    report = scores.report()

    assert [river_value(name, events) for name in names] == [
        report[name]["rolling"] for name in names
    ]


@pytest.mark.parametrize(
    ("task", "name", "told"),
    [
        ("binary", "acuracy", 'did you mean "Accuracy"'),
        ("binary", "accuracy", 'did you mean "Accuracy"'),
        ("regression", "Accuracy", "does not suit a regression task"),
        ("multiclass", "F1", "there is MacroF1, MicroF1, WeightedF1"),
        ("multiclass", "LogLoss", "does not suit a multiclass task"),
        ("binary", "MAE", "does not suit a binary task"),
        ("binary", "FBeta", "needs arguments"),
        ("binary", "ConfusionMatrix", "is a table"),
        ("binary", "Silhouette", "does not suit a binary task"),
        ("binary", "base", "River has no metric"),
        ("binary", "__doc__", "River has no metric"),
        ("binary", "", "River has no metric"),
    ],
)
def test_a_score_that_cannot_be_is_refused_with_its_place(
    task: TaskName, name: str, told: str
) -> None:
    good = "MAE" if task == "regression" else "Accuracy"

    with pytest.raises(SpecError) as refused:
        Scores([good, name], task, Windows())

    assert refused.value.key == "metrics[1]"
    assert told in refused.value.message
