"""What becomes of labels and events that do not fit: each by its rule, the same in a replay."""

import pytest

from learner.errors import LearnFailedError
from learner.trainer import Trainer
from learner.values import Event, Reason
from stream.learning.careful import take_carefully
from tests.learner.streams import model_file
from tests.learner.taking import Taking, examples_of
from tests.learner.test_trainer import saved

LEARNER = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}
HOUR_MS = 3_600_000


def file_of(task="binary", learner=LEARNER, **more):
    metrics = ["MAE" if task == "regression" else "Accuracy"]
    return model_file(task, learner, metrics=metrics, **more)


class Line:
    """One learner and its topic; each event at a time of its own."""

    def __init__(self, **more):
        self.file = file_of(**more)
        self.trainer, self.taking, self.offset = Trainer(self.file), Taking(self.file), 0

    def take(self, event, at_ms=0):
        """Why it is refused, if it is."""
        refusal = self.taking.one(self.trainer, event, offset=self.offset, timestamp_ms=at_ms)
        self.offset += 1
        return refusal and refusal.reason

    def restart_before(self, name, at_ms):
        """As it was before it learned and raised: one event learned, one that waits."""
        self.trainer, self.offset = Trainer(self.file), 0
        self.take(question("x", label=True))
        self.take(question(name, 14.0), at_ms)

    def restart(self):
        self.trainer = Trainer(self.file, None, saved(self.trainer, self.file))

    @property
    def told(self):
        found = self.trainer.snapshot(version="v1")
        return (
            found.learned,
            found.scored,
            found.late.pending,
            found.late.labels,
            found.late.expired,
        )


@pytest.fixture(params=[False, True], ids=["uninterrupted", "restarted each time"])
def line_of(request):
    """Makes a line, which is restored from a version before each event or not."""

    def make(**more):
        line = Line(**more)
        if request.param:
            take = line.take

            def restarted(*given, **named):
                line.restart()
                return take(*given, **named)

            line.take = restarted
        return line

    return make


def question(name, a=1.0, **more):
    return Event(features={"a": a}, id=name, **more)


def answer(name, label=True):
    return Event(id=name, label=label)


def test_labels_that_fit_no_event(line_of):
    """Unknown, before its event, twice the same, twice another."""
    line = line_of()

    assert line.take(answer("x")) is Reason.label_unknown
    assert line.take(question("x")) is None
    assert line.take(answer("x", "maybe")) is Reason.bad_label
    assert line.take(answer("x")) is None
    assert line.take(answer("x", 1)) is Reason.label_duplicate
    assert line.take(answer("x", False)) is Reason.label_conflict
    assert line.told == (1, 1, 0, 1, 0)
    assert sum(line.trainer.refused_by.values()) == 4


def test_the_label_of_an_event_that_had_one(line_of):
    """It is learned already: the same is a duplicate, another a conflict."""
    line = line_of()
    line.take(question("x", label=True))

    assert line.take(answer("x")) is Reason.label_duplicate
    assert line.take(answer("x", False)) is Reason.label_conflict
    assert line.told == (1, 1, 0, 0, 0)


def test_the_first_features_of_an_id_win(line_of):
    """A second question is a duplicate; a second event with a label is the label of the first."""
    one, other = line_of(), line_of()
    for each in (one, other):
        each.take(question("y", 2.0, label=False))
        each.take(question("x", 1.0))
    assert one.take(question("x", 7.0)) is Reason.duplicate
    assert one.take(question("x", 9.0, label=True)) is None
    assert other.take(answer("x")) is None

    assert one.told == other.told == (2, 2, 0, 1, 0)
    assert (
        one.trainer.snapshot(version="v1").metrics == other.trainer.snapshot(version="v1").metrics
    )
    asked = {"a": 3.0}
    assert one.trainer._estimator.predict(asked) == other.trainer._estimator.predict(asked)
    assert one.take(question("x")) is Reason.duplicate


def test_an_event_without_an_id_waits_under_its_place(line_of):
    """As `POST …/events` answers it."""
    line = line_of()
    line.take(Event(features={"a": 1.0}))

    assert line.take(answer("events-0-0")) is None
    assert line.told == (1, 1, 0, 1, 0)


def test_the_horizon_counts_the_time_of_the_log(line_of):
    """An event is let go when a record is passed that is later by more than the horizon."""
    line = line_of(late_labels={"horizon": "1h"})
    line.take(question("x"), 0)
    line.take(question("y"), 10)
    assert line.take(answer("x"), HOUR_MS) is None
    assert line.told[2:] == (1, 1, 0)

    assert line.take(answer("nobody"), HOUR_MS + 11) is Reason.label_unknown
    assert line.told[2:] == (0, 1, 1)
    assert line.take(answer("y"), 20) is Reason.label_late  # log time does not go back
    assert line.take(question("y"), 20) is Reason.duplicate
    assert line.take(question("old"), 5) is None
    assert line.take(question("new"), 2 * HOUR_MS) is None
    assert line.told[2:] == (1, 1, 2)


def test_the_default_is_learned_at_the_horizon(line_of):
    """At the place of the record that passed it, before that one; oldest first."""
    line, plain = line_of(late_labels={"horizon": "1h", "default": False}), Line()
    line.take(question("a", 1.0), 7)
    line.take(question("b", 2.0), 3)
    line.take(question("c", 3.0, label=True), HOUR_MS + 8)
    for each in (question("a", 1.0), question("b", 2.0), answer("b", False), answer("a", False),
                 question("c", 3.0, label=True)):  # fmt: skip
        plain.take(each)

    assert line.told == (3, 3, 0, 0, 0)
    asked = {"a": 3.0}
    assert line.trainer._estimator.predict(asked) == plain.trainer._estimator.predict(asked)
    assert line.take(answer("a", True)) is Reason.label_late
    assert line.take(answer("b", False)) is Reason.label_late


def test_one_too_many_lets_the_first_go(line_of):
    """Whatever their times."""
    line = line_of(limits={"pending": 2})
    for name, at_ms in (("x", 9), ("y", 5), ("z", 7)):
        line.take(question(name), at_ms)

    assert line.told[2:] == (2, 0, 1)
    assert line.take(answer("x")) is Reason.label_late
    assert line.take(answer("y")) is None


def test_ids_and_labels_have_their_limits(line_of):
    """As in any event."""
    line = line_of()
    assert line.take(question("x" * 10_000)) is Reason.too_large
    assert line.take(answer("x" * 10_000)) is Reason.too_large
    assert line.take(question("x", weight=2.0)) is None
    assert line.told[2:] == (1, 0, 0)


def test_where_answers_of_the_api_wait_events_do_not(line_of):
    """They have to have their label."""
    line = line_of(late_labels={"features": "predictions"})

    assert line.take(question("x")) is Reason.missing_label
    assert line.take(question("x", label=True)) is None


def test_lines_of_text_wait_like_any_event():
    """The label is written into the line that is learned, as Vowpal Wabbit's own."""
    vw = {"vw": "--loss_function logistic --link logistic"}
    topics = {"format": "vw"}
    late, plain = Line(learner=vw, topics=topics), Line(learner=vw, topics=topics)
    for n in range(50):
        label = 1 if n % 3 else -1
        body = f"|f a:{n % 7} b:{n % 5}"
        late.take(Event(text=f"'e-{n} {body}", id=f"e-{n}"))
        late.take(Event(id=f"e-{n}", label=label))
        plain.take(Event(text=f"{label} {body}", label=label))

    assert (late.trainer.tally.learned, len(late.trainer.join.pending)) == (50, 0)
    for n in range(20):
        asked = f"|f a:{n} b:{n / 2}"
        assert late.trainer._estimator.predict(asked) == plain.trainer._estimator.predict(asked)


class Raising:
    """Raises on one event when it is asked, on another when it learns."""

    def predict_one(self, x):
        if x["a"] == 13.0:
            raise ValueError("asked")
        return True

    def learn_one(self, x, y):
        if x["a"] == 14.0:
            raise ValueError("learned")


def test_an_event_that_cannot_be_asked_is_refused_and_does_not_wait():
    """Nothing else changes."""
    line = Line(learner={"python": "tests.learner.join.test_rules:Raising"}, trust=["tests"])
    line.take(question("x", label=True))

    assert line.take(question("y", 13.0)) is Reason.learn_error
    assert line.take(answer("y")) is Reason.label_unknown
    assert line.told[2:] == (0, 0, 0)


def test_an_event_that_cannot_be_learned_is_let_go_with_its_label():
    """Where the learner raises as it learns: its label is refused, and what comes is learned."""
    line = Line(learner={"python": "tests.learner.join.test_rules:Raising"}, trust=["tests"])
    line.take(question("x", label=True))
    line.take(question("bad", 14.0), 5)
    one = answer("bad")

    with pytest.raises(LearnFailedError) as failed:
        line.take(one, 6)
    line.restart_before("bad", at_ms=5)
    examples = examples_of([(9, 6, line.taking.screen.check(one), one)])
    refusal = line.trainer.refuse_raised(examples, 0, failed.value.what)

    assert refusal.reason is Reason.learn_error
    assert line.told[2:] == (0, 0, 1)
    assert line.take(question("next", label=True), 7) is None


@pytest.mark.parametrize("is_last_bad", [False, True])
def test_an_event_that_raises_with_its_default_label_costs_no_other(is_last_bad, caplog):
    """Neither the event at whose place it is let go, nor others whose horizon has passed."""
    line = Line(learner={"python": "tests.learner.join.test_rules:Raising"}, trust=["tests"],
                late_labels={"horizon": "1h", "default": False})  # fmt: skip
    line.take(question("x", label=True))
    names = {"good": 2.0, "bad": 14.0, "also good": 3.0, "also bad": 14.0}
    for name, a in list(names.items())[: None if is_last_bad else 3]:
        line.take(question(name, a), 1)
    later = [question(name, 5.0, label=True) for name in ("innocent", "next")]
    places = [(9 + n, HOUR_MS + 9, line.taking.screen.check(it), it) for n, it in enumerate(later)]

    done = take_carefully(line.trainer, examples_of(places))

    assert (done.refused, done.raised) == ([], [])
    bad = 2 if is_last_bad else 1
    assert line.told == (5, 5, 0, 0, bad)  # x, two good ones, the innocent, the next
    assert caplog.text.count("is not learned with its default label: ValueError: learned") == bad


def test_where_answers_wait_a_label_may_come_before_its_answer(line_of):
    """The log of predictions may be read after the label; the same label is taken once."""
    line = line_of(late_labels={"horizon": "1h", "features": "predictions"})

    assert line.take(answer("x", True)) is None
    assert line.take(answer("x", True)) is Reason.label_duplicate
    assert line.take(answer("x", False)) is Reason.label_conflict
    assert line.told[2:] == (1, 0, 0)
    assert line.take(question("x", served=(True, {"true": 0.9, "false": 0.1}))) is None
    assert line.told == (1, 1, 0, 1, 0)
    assert line.take(answer("x", True)) is Reason.label_duplicate
    assert line.take(answer("y", True), 1) is None
    assert line.take(question("z", served=(True, None)), HOUR_MS + 2) is None
    assert line.told[2:] == (1, 1, 0)
    assert line.trainer.refused_by["label_unknown"] == 1


def test_what_was_served_is_scored_beside(line_of):
    """Each by its own prediction; an answer without one is not scored."""
    line = line_of(late_labels={"features": "both"})
    for n, served in enumerate([(True, None), (False, None), (None, None), None]):
        line.take(question(f"e-{n}", served=served))
        line.take(answer(f"e-{n}", True))

    found = line.trainer.snapshot(version="v1")
    assert (found.learned, found.scored) == (4, 4)
    assert found.served["Accuracy"]["lifetime"] == 0.5


def test_numbers_of_any_size_are_kept(line_of):
    """As labels of what was learned, and of what waits; MessagePack has 64 bits."""
    learner = {"river": ["preprocessing.StandardScaler", "linear_model.LinearRegression"]}
    line = line_of(task="regression", learner=learner, limits={"value": 1e40},
                   late_labels={"features": "both"})  # fmt: skip
    assert line.take(question("x")) is None
    assert line.take(answer("x", 10**30)) is None
    assert line.take(answer("early", -(10**30))) is None
    assert line.take(answer("early", 10**41)) is Reason.out_of_bounds
    assert line.take(answer("x", 10**30 + 1)) is Reason.label_conflict
    assert line.take(answer("early", -(10**30))) is Reason.label_duplicate
    assert line.take(question("early", served=(1.5, None))) is None
    assert line.told == (2, 2, 0, 2, 0)


def test_a_label_that_is_not_learned_is_no_class(line_of):
    """Neither one in conflict, nor one that waits for its event."""
    learner = {"river": ["preprocessing.StandardScaler", "naive_bayes.GaussianNB"]}
    line = line_of(task="multiclass", learner=learner, late_labels={"features": "both"})
    line.take(question("x"))
    line.take(answer("x", "red"))

    assert line.take(answer("x", "blue")) is Reason.label_conflict
    assert line.take(answer("early", "green")) is None
    assert line.take(answer("early", 7)) is Reason.bad_label
    assert line.trainer._labels.known == ("red",)


def test_time_that_only_refused_records_have_counts_from_the_next_event():
    """Wherever a batch ends: a batch may hold nothing but refused ones."""
    late = {"horizon": "1h", "default": False}
    one, other = Line(late_labels=late), Line(late_labels=late)
    for each in (one, other):
        each.take(question("x"), 0)
    one.trainer.take(examples_of([]).between(0, 0))
    empty = examples_of([])
    empty.newest = HOUR_MS + 1
    one.trainer.take(empty)
    assert one.told == (0, 0, 1, 0, 0)

    one.take(question("next", label=True), 5)
    other.take(question("next", label=True), HOUR_MS + 1)
    assert one.told == other.told == (2, 2, 0, 0, 0)
    asked = {"a": 3.0}
    assert one.trainer._estimator.predict(asked) == other.trainer._estimator.predict(asked)


def test_a_label_that_waits_goes_with_the_event_that_raises():
    """It would wait for ever."""
    line = Line(learner={"python": "tests.learner.join.test_rules:Raising"}, trust=["tests"],
                late_labels={"features": "both"})  # fmt: skip
    line.take(question("x", label=True))
    line.take(answer("bad"), 1)
    one = question("bad", 14.0)
    with pytest.raises(LearnFailedError) as failed:
        line.take(one, 2)
    line.trainer = Trainer(line.file)
    line.take(question("x", label=True))
    line.take(answer("bad"), 1)

    line.trainer.refuse_raised(examples_of([(9, 2, {"a": 14.0}, one)]), 0, failed.value.what)

    assert line.told[2:] == (0, 0, 0)
    assert line.trainer.refused_by == {"learn_error": 1, "label_unknown": 1}


@pytest.mark.parametrize(
    ("task", "first", "same", "other"), [("binary", True, 1, 0), ("regression", 1, 1.0, 1.5)]
)
def test_an_early_label_is_the_same_however_it_is_written(line_of, task, first, same, other):
    """As one of an event that was learned is."""
    learner = {"river": ["preprocessing.StandardScaler", "linear_model.LinearRegression"]}
    line = line_of(task=task, learner=learner if task == "regression" else LEARNER,
                   late_labels={"features": "both"})  # fmt: skip
    line.take(answer("early", first))
    for _ in range(2):
        assert line.take(answer("early", same)) is Reason.label_duplicate
        assert line.take(answer("early", other)) is Reason.label_conflict
        line.take(question("early", served=(None, None)))


def test_an_empty_id_is_one_like_others(line_of):
    """Whoever sends it gets what he asks for."""
    line = line_of()
    assert line.take(question("")) is None
    assert line.take(question("")) is Reason.duplicate
    assert line.take(answer("", True)) is None
    assert line.take(answer("", True)) is Reason.label_duplicate
    assert line.told == (1, 1, 0, 1, 0)


@pytest.mark.parametrize("default", [None, False])
def test_a_label_after_the_horizon_is_late_whatever_was_learned_then(line_of, default):
    """Neither a duplicate of the default label, nor in conflict with it."""
    late = {"horizon": "1h", **({} if default is None else {"default": default})}
    line = line_of(late_labels=late)
    line.take(question("x"), 0)
    line.take(question("next", label=True), HOUR_MS + 1)

    assert line.take(answer("x", True), HOUR_MS + 2) is Reason.label_late
    assert line.take(answer("x", False), HOUR_MS + 3) is Reason.label_late
    assert line.take(question("x"), HOUR_MS + 4) is Reason.duplicate
