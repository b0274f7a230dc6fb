"""Baselines are River's dummies, scored by River's metrics; intervals hold what they promise."""

import math
import random
from typing import Any

import pytest
from river import dummy, linear_model, metrics, preprocessing, stats

from config.model.parts import ScoreWindows as Windows
from config.model_file import TaskName
from learner.scores.means import RunningMean
from learner.scores.scores import Scores, suited_names
from tests.effort import examples
from tests.learner.scores.test_scores import Event, feed, stream

SECOND = {"binary": "majority", "multiclass": "majority", "regression": "mean"}


def last_label() -> Any:
    return dummy.NoChangeClassifier()


class LastNumber:
    """River has no regressor that repeats the last label."""

    y: float | None = None

    def predict_one(self, _: object) -> float | None:
        return self.y

    def learn_one(self, _: object, y: float) -> None:
        self.y = y


class MeanSoFar:
    """River's, but for what it predicts of nothing: 0, before the first label."""

    def __init__(self) -> None:
        self.river = dummy.StatisticRegressor(stats.Mean())
        self.has_learned = False

    def predict_one(self, x: Any) -> float | None:
        return self.river.predict_one(x) if self.has_learned else None

    def learn_one(self, x: Any, y: float) -> None:
        self.river.learn_one(x, y)
        self.has_learned = True


def river_value(name: str, learner: Any, events: list[Event]) -> float:
    metric = getattr(metrics, name)()
    for y, *_ in events:
        predicted = learner.predict_one({})
        if predicted is not None:
            metric.update(y, predicted)
        learner.learn_one({}, y)
    return float(metric.get())


ALL = [
    (task, name)
    for task in ("binary", "multiclass", "regression")
    for name in suited_names(task)
    if getattr(getattr(metrics, name)(), "requires_labels", True)
]


@pytest.mark.parametrize(("task", "name"), ALL)
def test_baselines_are_rivers_dummies_scored_by_rivers_metric(task: TaskName, name: str) -> None:
    events = list(stream(task, 900))
    is_number = task == "regression"

    found = feed(Scores([name], task, Windows()), events).report()[name]

    last = LastNumber() if is_number else last_label()
    second = MeanSoFar() if is_number else dummy.PriorClassifier()
    assert found["no_change"] == pytest.approx(river_value(name, last, events), rel=1e-12)
    expected = river_value(name, second, events)
    assert found[SECOND[task]] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["LogLoss", "ROCAUC", "CrossEntropy", "RollingROCAUC"])
def test_what_reads_probabilities_has_no_baseline(name: str) -> None:
    found = feed(Scores([name], "binary", Windows()), stream("binary", 50)).report()[name]

    assert (found["no_change"], found["majority"]) == (None, None)


def test_after_one_event_there_is_no_baseline_yet() -> None:
    found = feed(Scores(["Accuracy", "F1"], "binary", Windows()), [(True, True, None)]).report()

    assert [found[name][key] for name in found for key in ("no_change", "majority")] == [None] * 4


def test_a_learner_below_no_change_is_shown_so() -> None:
    """Labels that come in runs, as the price of electricity: who repeats the last one is hard to
    beat, and a good accuracy means little."""
    rng, y, events = random.Random(7), True, []
    for _ in range(4000):
        y = y if rng.random() < 0.9 else not y
        events.append((y, y if rng.random() < 0.8 else not y, None))

    report = feed(Scores(["Accuracy", "KappaT", "KappaM"], "binary", Windows()), events).report()

    assert (report["Accuracy"]["lifetime"] or 0) < (report["Accuracy"]["no_change"] or 0)
    assert (report["KappaT"]["lifetime"] or 0) < 0 < (report["KappaM"]["lifetime"] or 0)


def test_a_model_below_no_change_has_a_negative_kappa() -> None:
    """As logistic regression on the price of electricity: 0.8373, where the last label has 0.8533.

    Here the price follows the last one more than the hour that the model sees.
    """
    rng, y = random.Random(11), True
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    scores = Scores(["Accuracy", "KappaT"], "binary", Windows())
    for hour in range(6000):
        x = {"hour": hour % 24, "noise": rng.random()}
        y = (8 <= hour % 24 < 20) if rng.random() < 0.15 else y
        scores.update(y, model.predict_one(x), None)
        model.learn_one(x, y)

    accuracy, kappa = scores.report()["Accuracy"], scores.report()["KappaT"]["lifetime"] or 0
    assert (accuracy["high"] or 0) < (accuracy["no_change"] or 0)
    p, p0 = accuracy["lifetime"] or 0, accuracy["no_change"] or 0
    assert kappa == pytest.approx((p - p0) / (1 - p0))
    assert kappa < -0.1


MEANS = {"Accuracy": "binary", "LogLoss": "binary", "Brier": "binary", "MAE": "regression",
         "RMSE": "regression", "SMAPE": "regression"}  # fmt: skip


@pytest.mark.parametrize("name", MEANS)
def test_means_over_events_have_an_interval_that_narrows(name: str) -> None:
    task: Any = MEANS[name]
    scores, widths = Scores([name], task, Windows()), []
    for part in range(3):
        feed(scores, stream(task, 1500, seed=part))
        found = scores.report()[name]
        assert found["low"] is not None
        assert found["high"] is not None
        assert found["lifetime"] is not None
        assert found["low"] <= found["lifetime"] <= found["high"]
        widths.append(found["high"] - found["low"])

    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1] > 0


@pytest.mark.parametrize("name", ["F1", "KappaT", "ECE", "ROCAUC", "MCC"])
def test_what_is_no_mean_over_events_has_no_interval(name: str) -> None:
    found = feed(Scores([name], "binary", Windows()), stream("binary", 300)).report()[name]

    assert (found["low"], found["high"]) == (None, None)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-math.inf, math.inf)])
def test_the_interval_holds_the_mean_at_all_times_at_once(bounds: tuple[float, float]) -> None:
    """Looked at after every event from the 100th on, in runs whose chance drifts: what it is to
    hold is the mean of the chances that there were. At most 5 % of the runs may ever miss."""
    runs, missed = examples(60), 0
    for seed in range(runs):
        rng, mean, chances = random.Random(seed), RunningMean(0.999), 0.0
        missed_here = False
        for n in range(1, 2001):
            chance = 0.3 + 0.2 * math.sin(n / 300)
            chances += chance
            mean.update([float(rng.random() < chance)])
            found = mean.interval(bounds)
            if n >= 100 and found is not None:
                missed_here |= not found[0] <= chances / n <= found[1]
        missed += missed_here

    assert missed <= max(1, 0.05 * runs)


def test_the_interval_is_as_wide_as_the_paper_says() -> None:
    mean = RunningMean(0.999)
    mean.update([1.0, 0.0] * 5000)
    low, high = mean.interval((0.0, 1.0)) or (0.0, 0.0)
    squares = mean.dump()[4]

    slow = math.log(math.log(2 * squares))
    expected = (1.7 * math.sqrt(squares * (slow + 3.8)) + 3.4 * slow + 13) / 10_000
    assert (high - low) / 2 == pytest.approx(expected)
    assert expected < 0.03


def test_what_can_have_one_value_only_is_known() -> None:
    mean = RunningMean(0.999)
    mean.update([0.0, 0.0])

    assert mean.interval((0.0, 0.0)) == (0.0, 0.0)


def test_a_loss_without_bounds_has_no_interval_before_there_are_events_enough() -> None:
    mean = RunningMean(0.999)
    mean.update([1.0, 2.0] * 49)
    assert mean.interval((0.0, math.inf)) is None

    mean.update([1.0, 2.0])
    found = mean.interval((0.0, math.inf))
    assert found is not None
    assert 0.0 <= found[0] < 1.5 < found[1]
