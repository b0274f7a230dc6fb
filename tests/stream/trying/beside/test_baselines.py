"""The baselines over the window of the rolling scores: River's own, fed with the same events."""

import itertools
from collections import deque
from typing import Any

import pytest
from river import datasets, dummy, metrics, stats

from config.model_file import parse_model_file
from stream.trying.beside.baselines import RollingBaselines
from stream.trying.trial import Decoding, Trial
from tests.stream.trying.runs import LOGISTIC, candidate, stream

WINDOW = 50
HEAD = "{name: m, learner: {river: [%s]}, scores: {rolling: 50}, "
CLASSES = HEAD % "dummy.NoChangeClassifier" + "task: binary, metrics: [Accuracy, F1, LogLoss]}"
NUMBERS = HEAD % "dummy.NoChangeRegressor" + "task: regression, metrics: [MAE, RMSE, R2]}"


def of_river(model: Any, metric: type, ys: list[Any]) -> float:
    """The metric over the last events of which the model said anything."""
    recent: deque[Any] = deque(maxlen=WINDOW)
    for y in ys:
        if (predicted := model.predict_one({})) is not None:
            recent.append((y, predicted))
        model.learn_one({}, y)
    found = metric()
    for y, predicted in recent:
        found.update(y, predicted)
    return float(found.get())


@pytest.mark.parametrize(
    ("text", "stream_of", "names", "make"),
    [
        (CLASSES, datasets.Phishing, ("Accuracy", "F1"),
         (dummy.NoChangeClassifier, dummy.PriorClassifier)),
        (NUMBERS, datasets.ChickWeights, ("MAE", "RMSE", "R2"),
         (dummy.StatisticRegressor,)),
    ],
)  # fmt: skip
def test_the_better_baseline_over_the_window_is_rivers(
    text: str, stream_of: Any, names: tuple[str, ...], make: Any
) -> None:
    """Also where it goes on in another process; none of a score that reads probabilities."""
    ys = [y for _, y in stream_of()][:400]
    beside = RollingBaselines(parse_model_file(text))
    for n, y in enumerate(ys):
        beside.scored(y, None, None)
        if n == 170:
            beside = RollingBaselines(parse_model_file(text), beside.dump())

    found = beside.rolling()

    assert list(found) == list(names)
    for name in names:
        river = [
            of_river(each(stats.Mean()) if each is dummy.StatisticRegressor else each(),
                     getattr(metrics, name), ys)
            for each in make
        ]  # fmt: skip
        if make == (dummy.StatisticRegressor,):
            river.append(of_no_change(getattr(metrics, name), ys))
        best = min(river) if name in ("MAE", "RMSE") else max(river)
        assert found[name] == pytest.approx(best, rel=1e-9)


def of_no_change(metric: type, ys: list[float]) -> float:
    found = metric()
    for before, y in [*itertools.pairwise(ys)][-WINDOW:]:
        found.update(y, before)
    return float(found.get())


def test_a_curve_has_the_baseline_at_each_point_and_ends_where_the_row_does() -> None:
    """What is drawn last is what the table says."""
    one = candidate(LOGISTIC)
    trial, decoding = Trial(one, has_curve=True), Decoding(one.model_file)
    for stretch in stream("Phishing").stretches(one.model_file):
        trial.take(decoding.of(stretch))

    row = trial.row()

    assert row.curve[-1].events == row.learned == 1_250
    for name, score in row.metrics.items():
        assert row.curve[-1].rolling[name] == score.rolling
    beside = [point.baseline for point in row.curve if point.baseline]
    assert len(beside) >= len(row.curve) // 2
    assert all(0 < each["Accuracy"] < 1 for each in beside)
    assert "LogLoss" not in row.curve[-1].baseline
