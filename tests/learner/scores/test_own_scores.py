"""Scores of our own, each beside its definition written out event by event."""

import itertools
import pickle
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from config.model.parts import ScoreWindows as Windows
from config.model_file import TaskName, parse_model_file
from learner.errors import SpecError
from learner.scores.blocks import BLOCK_EVENTS
from learner.scores.scores import Scores, scores_of
from tests.learner.scores.test_scores import Event, feed, over_windows, stream

TABLE = {"true": {"true": 5.0, "false": -1.0}, "false": {"true": -20.0, "false": 0.0}}
COSTS = {"over": 1.0, "under": 3.0}
ROLLING = 300


def made(names: Sequence[str], task: TaskName) -> Scores:
    value = COSTS if task == "regression" else TABLE
    windows = Windows(rolling=ROLLING, fading=0.99)
    return Scores(names, task, windows, value=value if "Value" in names else None)


def accuracy(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def no_change_hits(ys: Sequence[Any]) -> list[bool]:
    return [y == before for before, y in itertools.pairwise(ys)]


def majority_hits(ys: Sequence[Any]) -> list[bool]:
    counts: Counter[Any] = Counter()
    hits = []
    for y in ys:
        if counts:
            hits.append(y == max(counts, key=lambda label: counts[label]))
        counts[y] += 1
    return hits


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("count", [2, 40, BLOCK_EVENTS, 1500])
def test_kappas_compare_with_the_last_label_and_with_the_majority(
    task: TaskName, count: int
) -> None:
    events = list(stream(task, count))
    ys = [y for y, *_ in events]
    own = [y == predicted for y, predicted, _ in events]

    report = feed(made(["KappaT", "KappaM", "Accuracy"], task), events).report()

    for name, others in (("KappaT", no_change_hits(ys)), ("KappaM", majority_hits(ys))):
        p0, late = accuracy(others), accuracy(others[-ROLLING:])
        if p0 < 1:
            expected = (accuracy(own) - p0) / (1 - p0)
            assert report[name]["lifetime"] == pytest.approx(expected, rel=1e-12)
        if late < 1:
            expected = (accuracy(own[-ROLLING:]) - late) / (1 - late)
            assert report[name]["rolling"] == pytest.approx(expected, rel=1e-12)
        assert report[name]["fading"] is None
    assert report["Accuracy"]["no_change"] == accuracy(no_change_hits(ys))
    assert report["Accuracy"]["majority"] == accuracy(majority_hits(ys))


def test_kappa_is_zero_for_who_is_as_good_and_below_for_who_is_worse() -> None:
    ys = [False, False, True, True, False, False, True, True]
    repeats: list[Event] = [(y, last, None) for last, y in zip([True, *ys], ys, strict=False)]
    wrong: list[Event] = [(y, not y, None) for y in ys]

    kappa_of_wrong = feed(made(["KappaT"], "binary"), wrong).report()["KappaT"]["lifetime"]

    # The learner's first answer is scored, the last label's is none.
    learner, other = 4 / 8, 4 / 7
    expected = (learner - other) / (1 - other)
    found = feed(made(["KappaT"], "binary"), repeats).report()["KappaT"]
    assert found["lifetime"] == pytest.approx(expected)
    assert found["no_change"] == 0.0
    assert kappa_of_wrong == pytest.approx((0 - other) / (1 - other))


def test_there_is_no_kappa_against_who_is_never_wrong() -> None:
    events: list[Event] = [(True, False, None)] * 5

    report = feed(made(["KappaT", "KappaM"], "binary"), events).report()

    assert [report[name]["lifetime"] for name in ("KappaT", "KappaM")] == [None, None]


def brier(task: str, event: Event) -> float:
    y, _, probabilities = event
    assert probabilities is not None
    if task == "binary":
        return (probabilities[True] - float(y)) ** 2
    return sum((p - (label == y)) ** 2 for label, p in probabilities.items())


def calibration_error(task: str, events: Sequence[Event]) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for y, predicted, probabilities in events:
        assert probabilities is not None
        is_binary = task == "binary"
        p = probabilities[True] if is_binary else probabilities[predicted]
        bins.setdefault(min(int(p * 10), 9), []).append((p, y if is_binary else predicted == y))
    return sum(
        len(bin_) / len(events)
        * abs(sum(p for p, _ in bin_) / len(bin_) - sum(hit for _, hit in bin_) / len(bin_))
        for bin_ in bins.values()
    )  # fmt: skip


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("count", [1, 7, 1500])
def test_brier_and_calibration_error(task: TaskName, count: int) -> None:
    events = list(stream(task, count))
    losses = [brier(task, event) for event in events]
    weights = [0.99**age for age in reversed(range(count))]

    report = feed(made(["Brier", "ECE"], task), events).report()

    late = losses[-ROLLING:]
    fading = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)
    assert over_windows(report["Brier"]) == {
        "lifetime": pytest.approx(sum(losses) / count),
        "rolling": pytest.approx(sum(late) / len(late)),
        "fading": pytest.approx(fading),
    }
    assert over_windows(report["ECE"]) == {
        "lifetime": pytest.approx(calibration_error(task, events)),
        "rolling": pytest.approx(calibration_error(task, events[-ROLLING:])),
        "fading": None,
    }
    for name in ("Brier", "ECE"):
        assert (report[name]["no_change"], report[name]["majority"]) == (None, None)


def test_bins_hold_every_probability_and_say_what_came_true() -> None:
    ps = [0.0, 0.05, 0.1, 0.1, 0.95, 1.0, 1.0]
    truths = [False, True, True, False, True, True, False]
    events: list[Event] = [
        (y, p > 0.5, {False: 1 - p, True: p}) for p, y in zip(ps, truths, strict=True)
    ]
    found = feed(made(["ECE"], "binary"), events).calibration()

    assert found is not None
    assert [each["count"] for each in found["bins"]] == [2, 2, 0, 0, 0, 0, 0, 0, 0, 3]
    assert found["bins"][1] == {
        "from": 0.1, "to": 0.2, "count": 2, "predicted": pytest.approx(0.1), "observed": 0.5
    }  # fmt: skip
    assert found["bins"][2]["predicted"] is None
    assert found["bins"][9]["observed"] == pytest.approx(2 / 3)
    assert found["ece"] == pytest.approx(calibration_error("binary", events))
    assert found["brier"] == pytest.approx(sum(brier("binary", each) for each in events) / 7)


def test_there_are_bins_for_who_asks_for_them() -> None:
    assert made(["Accuracy"], "binary").calibration() is None
    empty = made(["Brier"], "binary").calibration()
    assert empty is not None
    assert (empty["ece"], empty["brier"], len(empty["bins"])) == (None, None, 10)


def test_a_probability_beyond_its_bounds_is_in_the_nearest_bin() -> None:
    chances: list[dict[Any, float]] = [{True: 1.5}, {True: -0.5}, {}]
    events: list[Event] = [(True, True, each) for each in chances]
    found = feed(made(["ECE"], "binary"), events).calibration()

    assert found is not None
    assert [each["count"] for each in found["bins"]] == [2, *[0] * 8, 1]


def worth(y: bool, predicted: bool) -> float:
    return TABLE[str(predicted).lower()][str(y).lower()]


def test_value_of_classes_is_the_mean_of_the_table() -> None:
    events = list(stream("binary", 900))
    ys = [y for y, *_ in events]
    values = [worth(y, predicted) for y, predicted, _ in events]
    repeats = [worth(y, last) for last, y in itertools.pairwise(ys)]

    found = feed(made(["Value"], "binary"), events).report()["Value"]

    assert found["lifetime"] == pytest.approx(sum(values) / 900)
    assert found["rolling"] == pytest.approx(sum(values[-ROLLING:]) / ROLLING)
    assert found["no_change"] == pytest.approx(sum(repeats) / 899)
    assert found["low"] is not None
    assert -20 <= found["low"] < found["lifetime"] < (found["high"] or 0) <= 5


def test_value_of_numbers_counts_what_errors_cost() -> None:
    events: list[Event] = [(10.0, 12.0, None), (10.0, 9.0, None), (10.0, 10.0, None)]

    found = feed(made(["Value"], "regression"), events).report()["Value"]

    assert found["lifetime"] == pytest.approx(-(2 * 1.0 + 1 * 3.0) / 3)
    assert found["no_change"] == 0.0


LISTED = """
name: m
task: multiclass
labels: [low, mid, high]
learner: {river: [naive_bayes.GaussianNB]}
metrics: [Value]
value:
  low: {low: 1, mid: 0, high: -5}
  mid: {low: 0, mid: 2, high: 0}
  high: {low: -1, mid: 0, high: 10}
"""


def test_value_is_by_the_labels_of_the_model_file() -> None:
    model_file = parse_model_file(LISTED)
    scores = scores_of(model_file, model_file.metrics)
    feed(scores, [("high", "low", None), ("high", "high", None), ("low", "high", None)])

    assert scores.report()["Value"]["lifetime"] == pytest.approx((-5 + 10 - 1) / 3)


def test_the_second_label_of_a_binary_task_is_the_positive_one() -> None:
    labels, table = ("UP", "DOWN"), {"UP": {"UP": 1, "DOWN": 2}, "DOWN": {"UP": 3, "DOWN": 4}}
    scores = Scores(["Value"], "binary", Windows(), labels=labels, value=table)
    feed(scores, [(False, True, None)])  # UP, where DOWN was predicted

    assert scores.report()["Value"]["lifetime"] == 3.0


OWN: list[tuple[TaskName, list[str]]] = [
    ("binary", ["KappaT", "Accuracy", "Brier", "KappaM", "ECE", "Value", "F1"]),
    ("multiclass", ["ECE", "KappaM", "Brier", "KappaT", "MacroF1"]),
    ("regression", ["Value", "MAE", "R2"]),
]


@pytest.mark.parametrize(("task", "names"), OWN)
def test_a_restored_dump_goes_on_wherever_it_was_cut(task: TaskName, names: list[str]) -> None:
    """Every value to the last bit: windows, baselines, intervals, bins. Asking changes nothing."""
    events = list(stream(task, 1400))
    whole = feed(made(names, task), events)
    scores, rng, at = made(names, task), random.Random(5), 0
    while at < len(events):
        following = at + rng.choice([1, 3, 100, BLOCK_EVENTS, 400])
        feed(scores, events[at:following])
        scores.report()
        dumped, scores = pickle.loads(pickle.dumps(scores.dump())), made(names, task)
        scores.restore(dumped)
        at = following

    assert whole.report() == scores.report()
    assert whole.calibration() == scores.calibration()


def test_another_table_begins_the_value_anew_and_nothing_else() -> None:
    events = list(stream("binary", 50))
    before = feed(made(["Value", "Accuracy"], "binary"), events)
    other = {**TABLE, "true": {"true": 6.0, "false": -1.0}}
    after = Scores(["Value", "Accuracy"], "binary", Windows(), value=other)

    after.restore(pickle.loads(pickle.dumps(before.dump())))

    assert after.report()["Value"]["lifetime"] is None
    assert after.report()["Accuracy"]["lifetime"] == before.report()["Accuracy"]["lifetime"]


def test_a_score_that_is_new_has_the_baseline_of_its_own_events() -> None:
    events = list(stream("binary", 90))
    first = feed(Scores(["Accuracy"], "binary", Windows()), events[:50])
    second = Scores(["Accuracy", "KappaT"], "binary", Windows())

    second.restore(pickle.loads(pickle.dumps(first.dump())))
    report = feed(second, events[50:]).report()

    ys, own = [y for y, *_ in events], [y == predicted for y, predicted, _ in events]
    p, p0 = accuracy(own[50:]), accuracy(no_change_hits(ys)[49:])
    assert report["KappaT"]["lifetime"] == pytest.approx((p - p0) / (1 - p0))
    assert report["Accuracy"]["no_change"] == accuracy(no_change_hits(ys))


@pytest.mark.parametrize(
    ("task", "name", "told"),
    [
        ("regression", "KappaT", "does not suit a regression"),
        ("regression", "Brier", "does not suit a regression"),
        ("binary", "Value", "needs the section `value:`"),
        ("binary", "Kappat", 'did you mean "KappaT"'),
    ],
)
def test_what_cannot_be_scored_is_refused(task: TaskName, name: str, told: str) -> None:
    with pytest.raises(SpecError) as refused:
        Scores([name], task, Windows())

    assert told in str(refused.value)


BEFORE_THERE_WERE_BASELINES: list[tuple[TaskName, str, dict[str, Any]]] = [
    ("binary", "Accuracy",
     {"kind": "pairs", "state": {"pairs": {(True, True): 3, (False, True): 1},
      "recent": [(True, True)] * 3 + [(False, True)], "fading": [2.9, 3.9]}}),
    ("regression", "MAE",
     {"kind": "mean", "state": {"sums": [4.0, 0.75, 2.9, 3.9], "recent": [1.0, 1.0, 1.0, 0.0]}}),
]  # fmt: skip


@pytest.mark.parametrize(("task", "name", "entry"), BEFORE_THERE_WERE_BASELINES)
def test_a_dump_from_before_there_were_baselines_goes_on(
    task: TaskName, name: str, entry: dict[str, Any]
) -> None:
    """Without a comparison: baselines of later events alone would be another thing's."""
    scores = Scores([name], task, Windows())
    scores.restore([{**entry, "names": [name]}])
    before = scores.report()[name]
    feed(scores, stream(task, 300))
    after = scores.report()[name]

    assert (before["lifetime"], before["rolling"]) == (0.75, 0.75)
    assert before["fading"] == pytest.approx(2.9 / 3.9)
    assert after["lifetime"] not in (None, 0.75)
    assert [after[key] for key in ("no_change", "low", "high")] == [None] * 3
