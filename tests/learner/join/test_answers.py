"""Answers of the API to events that come by another topic: scored as served, never learned."""

import pytest
from river import metrics

from learner.trainer import Trainer
from learner.values import Event, Reason
from tests.learner.join.test_rules import HOUR_MS, answer, file_of, question
from tests.learner.taking import Taking
from tests.learner.test_trainer import saved

ON = {"late_labels": {"horizon": "1h"}, "log": {"predictions": 1.0}}


class Line:
    """One learner, its events and its predictions; restored before each record or not."""

    def __init__(self, *, restarts=False, **more):
        self.file = file_of(**{**ON, **more})
        self.trainer, self.taking, self.offset = Trainer(self.file), Taking(self.file), 0
        self.restarts = restarts

    def take(self, event, at_ms=0, topic="events"):
        if self.restarts:
            self.trainer = Trainer(self.file, None, saved(self.trainer, self.file))
        refusal = self.taking.one(self.trainer, event, topic, 0, self.offset, at_ms)
        self.offset += 1
        return refusal and refusal.reason

    def served(self, name, prediction, at_ms=0):
        """The API answered under this id."""
        chances = {"true": 0.75, "false": 0.25} if prediction else {"true": 0.25, "false": 0.75}
        event = Event(id=name, served=(prediction, chances))
        return self.take(event, at_ms, self.file.topics.predictions)

    @property
    def snapshot(self):
        return self.trainer.snapshot(version="v1")

    @property
    def accuracy(self):
        return self.snapshot.served["Accuracy"]["lifetime"]


@pytest.fixture(params=[False, True], ids=["uninterrupted", "restarted each time"])
def line(request):
    return Line(restarts=request.param)


def test_an_answer_is_scored_when_its_label_lands(line):
    """Read before its event, after it, and after its label; an event with its label likewise."""
    line.served("before", True)
    line.take(question("before"))
    line.take(question("after"))
    line.served("after", False)
    line.take(question("last"))
    assert line.accuracy is None
    line.take(answer("before"))
    assert line.accuracy == 1.0
    line.take(answer("after"))
    assert line.accuracy == 0.5
    line.take(answer("last"))
    assert line.accuracy == 0.5
    line.served("last", True)
    line.served("whole", True)
    line.take(question("whole", label=True))

    assert line.accuracy == pytest.approx(3 / 4)
    assert line.snapshot.late.answers == 4
    assert line.snapshot.learned == 4


def test_of_two_answers_the_first_counts_and_once(line):
    line.take(question("x"))
    line.served("x", True)
    line.served("x", False)
    line.take(answer("x"))
    line.served("x", False)

    assert line.accuracy == 1.0
    assert line.snapshot.refused_by == {}


def test_answers_change_nothing_that_is_learned():
    """Nor log time: one that is read far ahead of its event lets none go."""
    plain, beside = Line(), Line()
    for n in range(20):
        beside.served(f"e-{n}", n % 2 == 0, 100 * HOUR_MS)
        for each in (plain, beside):
            each.take(question(f"e-{n}", float(n)), n)
    for n in range(20):
        for each in (plain, beside):
            assert each.take(answer(f"e-{n}", n % 3 == 0), 30) is None
    with_answers, without = beside.snapshot, plain.snapshot

    assert with_answers.metrics == without.metrics
    assert (with_answers.learned, with_answers.late.expired) == (20, 0)
    expected = metrics.Accuracy()
    for n in range(20):
        expected.update(n % 3 == 0, n % 2 == 0)
    assert with_answers.served["Accuracy"]["lifetime"] == expected.get()
    assert beside.trainer._estimator.predict({"a": 3.0}) == plain.trainer._estimator.predict(
        {"a": 3.0}
    )


def test_what_waits_for_its_label_is_bounded_and_has_its_horizon():
    """By `limits.pending` and `late_labels.horizon`; labels that wait, by `limits.duplicates`."""
    line = Line(limits={"pending": 2, "duplicates": 3})
    for name in "abc":
        line.served(name, True)
    assert [name in line.trainer.join.answers.waiting for name in "abc"] == [False, True, True]
    line.take(question("late", label=True), HOUR_MS + 1)
    line.served("d", True, HOUR_MS + 1)
    assert [name in line.trainer.join.answers.waiting for name in "abcd"] == [False] * 3 + [True]
    for name in "pqrs":
        line.take(question(name, label=True), HOUR_MS + 1)
    line.served("p", True)
    assert line.accuracy is None
    line.served("q", True)
    assert line.accuracy == 1.0


def test_an_answer_without_a_prediction_is_not_scored(line):
    line.take(Event(id="x", served=(None, None)), topic=line.file.topics.predictions)
    line.take(question("x", label=True))

    assert line.accuracy is None
    assert line.take(answer("x")) is Reason.label_duplicate


def test_there_are_no_served_scores_without_a_log():
    """None of the answers is written down: there is nothing to be scored."""
    for log in ({"predictions": 0.0}, None):
        assert Line(**({"log": log} if log else {"log": None})).snapshot.served is None
