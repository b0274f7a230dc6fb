"""A trial learns what the live service would: River's own figures, the same refusals."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from river import datasets, evaluate, metrics

from config.processes.stopping import Stop
from learner.river.spec import build_pipeline
from stream.trying.progress import TrialProgress
from stream.trying.rows import Point
from stream.trying.side_by_side import SideBySide
from stream.trying.trial import POINTS_MAX, Curve, Decoding, Trial, TrialState
from tests.stream.raising import BAD
from tests.stream.rig import events
from tests.stream.trying.runs import LOGISTIC, MadeSource, candidate, stream, tried

SCALED = "preprocessing.StandardScaler"
CASES = {
    "Phishing": (
        "binary",
        [SCALED, "linear_model.LogisticRegression"],
        ["Accuracy", "ROCAUC", "F1"],
    ),
    "Bananas": ("binary", ["tree.HoeffdingTreeClassifier"], ["Accuracy", "LogLoss"]),
    "ImageSegments": ("multiclass", ["naive_bayes.GaussianNB"], ["Accuracy", "MacroF1"]),
    "ChickWeights": (
        "regression",
        [SCALED, "linear_model.LinearRegression"],
        ["MAE", "RMSE", "R2"],
    ),
    "TrumpApproval": ("regression", ["tree.HoeffdingTreeRegressor"], ["MAE", "R2"]),
}


def rivers_own(name: str, learner: list[Any], score: str) -> float:
    """What River's loop over its own stream gives."""
    model, _ = build_pipeline(learner)
    dataset = [(plain(x), y) for x, y in getattr(datasets, name)()]
    return evaluate.progressive_val_score(dataset, model, getattr(metrics, score)()).get()


def plain(x: dict[str, Any]) -> dict[str, Any]:
    """Features as JSON has them."""
    return {k: v.item() if hasattr(v, "item") else v for k, v in x.items()}


@pytest.mark.parametrize("name", CASES)
def test_scores_equal_rivers_to_the_last_bit(name: str) -> None:
    """Of classes and of numbers."""
    task, learner, scores = CASES[name]
    lines = "".join(f"  - {step}\n" for step in learner)
    text = f"name: m\ntask: {task}\nlearner:\n  river:\n{lines}metrics: [{', '.join(scores)}]\n"

    (row,) = tried(stream(name), text).rows

    expected = {score: rivers_own(name, learner, score) for score in scores}
    assert {score: row.metrics[score].lifetime for score in scores} == expected


@pytest.mark.parametrize(
    "learner",
    ["river: [tree.HoeffdingAdaptiveTreeClassifier: {seed: 1}]", 'vw: "--loss_function logistic"'],
)
def test_a_trial_goes_on_as_if_it_had_not_stopped(learner: str, tmp_path: Path) -> None:
    """In another process, from its state alone: scores, counts, drifts and curve."""
    text = (
        f"name: m\ntask: binary\nlearner: {{{learner}}}\n"
        "drift: [{on: error, detector: ADWIN}]\nmetrics: [Accuracy]\n"
    )
    one, decoding = candidate(text), Decoding(candidate(text).model_file)
    decoded = [decoding.of(each) for each in stream("Phishing").stretches(one.model_file)]
    whole, part = Trial(one, tmp_path, has_curve=True), Trial(one, tmp_path, has_curve=True)

    for each in decoded:
        whole.take(each)
    for place, each in enumerate(decoded):
        if place in (4, 9):
            state = copied(part.state())
            part = Trial(one, tmp_path, state=state)
        part.take(each)

    fields = ("learned", "scored", "refused_by", "drifts", "metrics", "curve")
    assert [getattr(part.row(), f) for f in fields] == [getattr(whole.row(), f) for f in fields]


def copied(state: TrialState) -> TrialState:
    """Through bytes, as it goes from process to process."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=TrialState)


def test_refusals_are_counted_by_reason() -> None:
    """Those of decoder, screen and gate alike, as dead letters name them."""
    event = {"features": {"a": 1.0}, "label": True}
    sent = [
        *[event] * 20, b"{", {**event, "label": "maybe"}, {**event, "colour": 1},
        {**event, "id": "x"}, {**event, "id": "x"}, {**event, "features": {"a": 1e30}},
    ]  # fmt: skip

    (row,) = tried(MadeSource(sent), LOGISTIC).rows

    assert row.refused_by == {
        "not_json": 1, "bad_label": 1, "unknown_field": 1, "duplicate": 1, "out_of_bounds": 1,
    }  # fmt: skip
    assert (row.learned, row.refused) == (21, 5)


def test_one_that_the_learner_raises_on_is_refused_and_costs_no_other() -> None:
    """As live, where the learner begins again from the head: here it begins anew."""
    text = (
        "name: raising\ntask: binary\ntrust: [tests]\nmetrics: [Accuracy]\n"
        'learner: {python: "tests.stream.raising:Raising"}\n'
    )
    sent = events(1_000, seed=1)
    without = [each for each in sent if each["features"]["n"] != BAD]

    raised, other = tried(MadeSource(sent), text, LOGISTIC).rows
    clean, _ = tried(MadeSource(without), text, LOGISTIC).rows

    assert (raised.learned, raised.refused_by) == (999, {"learn_error": 1})
    assert raised.metrics == clean.metrics
    assert (other.learned, other.metrics["Accuracy"].difference.events) == (1_000, 999)


def test_a_model_that_can_learn_nothing_costs_no_other() -> None:
    """It says why, and stands beside those that can."""
    text = (
        "name: m\ntask: binary\nmetrics: [Accuracy]\n"
        "learner: {river: [compose.Select: [price], linear_model.LogisticRegression]}\n"
    )
    sent = [{"features": {"a": 1.0}, "label": True}] * 3_000

    hopeless, other = tried(MadeSource(sent), text, LOGISTIC).rows

    assert other.learned == 3_000
    assert hopeless.failed is not None
    assert "price" in hopeless.failed


def test_a_curve_is_bounded_however_long_it_is() -> None:
    """Every second point goes when there are too many; those left are spread evenly."""
    curve = Curve()
    for records in range(100, 1_000_001, 100):
        if curve.is_due(records - 100, records):
            curve.add(Point(events=records, rolling={}))

    at = [point.events for point in curve.points]
    assert POINTS_MAX / 2 <= len(at) < POINTS_MAX
    assert {b - a for a, b in pairwise(at)} == {curve.every}
    assert at[-1] > 1_000_000 - curve.every


def test_it_stops_between_two_stretches_when_told() -> None:
    """What was taken by then has its rows."""
    stop, source = Stop(), stream("Phishing")
    trials = SideBySide([candidate(LOGISTIC)], source)

    class StopsSoon(TrialProgress):
        def at(self, records: int, beside: str = "") -> None:
            stop.is_asked = records >= 300

    done = trials.run(stop, StopsSoon("", None))

    assert (done.is_stopped, done.records, done.rows[0].learned) == (True, 300, 300)
