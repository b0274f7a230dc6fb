"""Predict, score, detect, learn: what came of it is told by place."""

from typing import Any

import pytest
from river import metrics

from config.model.parts import Drift
from config.model.parts import ScoreWindows as Windows
from learner.drift.monitor import Detectors
from learner.progressive import ExampleCounts, StepFailedError, progressive_steps
from learner.scores.scores import Scores


class Scripted:
    """Answers as it is told; its order of calls is kept.

    Args:
        answers: What to predict, by `x`; one dict of probabilities is handed out again and again.
    """

    flattens = True
    takes_weight = has_probabilities = True
    predicts_as_it_learns = draws_when_asked = False
    notes = ()

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self._handed_out: dict[bool, float] = {}
        self.calls: list[tuple[str, int]] = []

    def predict(self, x: int) -> Any:
        self.calls.append(("predict", x))
        answer, chance = self._answers[x]
        if chance is None:
            return answer, None
        self._handed_out.update({False: 1 - chance, True: chance})
        return answer, self._handed_out

    def learn(self, x: int, y: bool, w: float | None) -> None:
        self.calls.append(("learn", x))

    def dump(self) -> object:
        raise AssertionError("nobody asks")


def steps_of(answers, names=("Accuracy",), detectors=()):
    estimator, tally = Scripted(answers), ExampleCounts()
    scores = Scores(names, "binary", Windows())
    watches = Detectors([Drift(detector=name) for name in detectors], "binary")
    steps = progressive_steps(estimator, scores, watches, tally, is_regression=False)
    return estimator, scores, tally, steps


def test_each_is_predicted_before_it_is_learned_and_after_the_one_before():
    estimator, _, tally, steps = steps_of([(True, None)] * 3)

    steps(range(3), [True] * 3, None)

    assert estimator.calls == [(verb, x) for x in range(3) for verb in ("predict", "learn")]
    assert (tally.learned, tally.scored) == (3, 3)


def test_a_learner_may_hand_out_the_same_probabilities_again_and_change_them():
    chances = [0.1, 0.9, 0.6, 0.2, 0.7]
    ys = [False, True, False, True, True]
    names = ["LogLoss", "CrossEntropy", "ROCAUC", "RollingROCAUC"]
    _, scores, _, steps = steps_of([(p > 0.5, p) for p in chances], names)

    steps(range(5), ys, None)

    report = scores.report()
    for name in names:
        metric = getattr(metrics, name)()
        for y, p in zip(ys, chances, strict=True):
            metric.update(y, {False: 1 - p, True: p})
        assert metric.get() == report[name]["lifetime"], name


def test_what_is_not_predicted_or_not_finite_is_learned_and_not_scored():
    answers = [(None, None), (True, 0.5), (True, float("nan")), (False, 0.25)]
    _, scores, tally, steps = steps_of(answers, ["Accuracy", "LogLoss"])

    steps(range(4), [True, True, True, True], None)

    assert (tally.learned, tally.scored, tally.nonfinite, tally.unscored) == (4, 2, 1, 1)
    assert scores.report()["Accuracy"]["lifetime"] == 0.5


def test_a_label_of_probabilities_that_are_nan_is_counted_and_scored_as_river_does():
    """Where scores read labels alone; a label that is NaN itself is none."""
    answers = [(None, None), (False, float("nan")), (float("nan"), None), (True, None)]
    _, scores, tally, steps = steps_of(answers)

    steps(range(4), [True, True, True, True], None)

    assert (tally.learned, tally.scored, tally.nonfinite, tally.unscored) == (4, 2, 2, 1)
    assert scores.report()["Accuracy"]["lifetime"] == 0.5


class Odd:
    """What no estimator hands on: it cannot be compared."""

    def __ne__(self, other: object) -> bool:
        raise TypeError("odd")


def test_an_answer_that_no_error_can_be_taken_of_names_its_own_example():
    answers = [(None, None), (True, None), (Odd(), None), (True, None)]
    _, _, _, steps = steps_of(answers)

    with pytest.raises(StepFailedError, match="example 2: TypeError") as raised:
        steps(range(4), [True] * 4, None)
    assert raised.value.place == 2


def test_a_drift_is_found_at_its_example_wherever_the_calls_are_cut():
    """Scored and unscored ones before it, and calls of any size."""
    answers = [(None, None) if x % 7 == 0 else (x < 700, None) for x in range(1400)]
    found = {}
    for size in (1, 37, 1400):
        _, _, _, steps = steps_of(answers, detectors=["ADWIN"])
        found[size] = [
            (first + place, detection)
            for first in range(0, 1400, size)
            for place, detection in steps(
                range(first, min(first + size, 1400)), [True] * 1400, None
            )
        ]

    assert len(found[1]) == 1
    assert found[1] == found[37] == found[1400]
    (place, detection) = found[1][0]
    assert detection.index == sum(x % 7 != 0 for x in range(place))


class Heard:
    """A watch that keeps what it hears, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def scored(self, y: Any, predicted: Any, probabilities: Any) -> None:
        self.told.append((y, predicted))

    def unscored(self) -> None:
        self.told.append(None)


def test_who_watches_hears_of_each_example_once_whether_it_is_scored():
    """One without a prediction, and one whose chance is NaN where a score reads it, too."""
    answers = [(None, None), (True, 0.9), (True, float("nan")), (False, 0.2)]
    scores, heard = Scores(("LogLoss",), "binary", Windows()), Heard()
    scores.feeds.append(heard.scored)
    steps = progressive_steps(
        Scripted(answers), scores, Detectors([], "binary"), ExampleCounts(),
        is_regression=False, watch=heard,
    )  # fmt: skip

    steps(range(4), [True, True, False, False], None)

    assert heard.told == [None, (True, True), None, (False, False)]
