"""A feature keeps the kind that it was first learned as, and what is of another kind is refused."""

import random

import pytest
from river import tree

from checkpoints.unpickle import loads
from learner.events.kinds import Kinds
from learner.served_model import ServedModel
from learner.trainer import Saved, Trainer
from learner.values import Event, Reason
from tests.learner.streams import model_file
from tests.learner.taking import Taking

TREE = {"river": [{"tree.HoeffdingTreeClassifier": {"grace_period": 20}}]}
NUMBER, TEXT, BOOL = 2.5, "red", True


def event(x, label="a", **more):
    return Event(features=x, label=label, **more)


class Learning:
    """A trainer and the screen before it, one event after the other."""

    def __init__(self, task="multiclass", learner=None, saved=None, **sections):
        self.file = model_file(task, learner or TREE, **sections)
        self.trainer = Trainer(self.file, saved=saved)
        self.taking = Taking(self.file)
        self.offset = 0

    def take(self, *events):
        found = self.taking.all(self.trainer, list(events), "shop", 3, self.offset)
        self.offset += len(events)
        return found

    def saved(self):
        snapshot = self.trainer.snapshot(version="v1")
        payload = loads(snapshot.segments["model"], ())
        return Saved(payload=payload, segments=snapshot.segments, refused_by=snapshot.refused_by)


@pytest.mark.parametrize("first", [NUMBER, TEXT, BOOL])
@pytest.mark.parametrize("then", [NUMBER, TEXT, BOOL, 7])
def test_a_value_of_another_kind_than_the_first_is_refused(first, then):
    """Whole numbers and others are of one kind; true is no number, whatever Python says."""
    learning = Learning()
    assert learning.take(event({"a": first})) == [None]

    (refusal,) = learning.take(event({"a": then}))

    same = type(first) is type(then) or {type(first), type(then)} == {int, float}
    assert (refusal is None) == same
    if refusal is not None:
        assert refusal.reason is Reason.wrong_type
        kinds = {float: "number", int: "number", str: "text", bool: "bool"}
        assert kinds[type(first)] in refusal.detail
        assert kinds[type(then)] in refusal.detail
        assert "shop-3-0" in refusal.detail


def test_a_word_for_what_is_missing_costs_its_own_events_and_no_more():
    """One that was learned would stand in the tree, where the next number finds no branch."""
    rng, good = random.Random(3), []
    learning, model = Learning(), tree.HoeffdingTreeClassifier(grace_period=20)
    for n in range(400):
        x = {"price": "n/a" if n % 9 == 8 else rng.uniform(0, 9), "items": rng.randrange(5)}
        y = "ab"[x["items"] > 2]
        (refusal,) = learning.take(event(x, y))
        assert (refusal is None) == (x["price"] != "n/a")
        if refusal is None:
            good.append((x, y))
    for x, y in good:
        model.learn_one(x, y)

    for x, _ in good[:50]:
        assert learning.trainer._estimator._model.predict_proba_one(x) == model.predict_proba_one(x)


@pytest.mark.parametrize(
    ("first", "then", "mend"),
    [
        (1.5, "N/A", "missing: [N/A]"),
        (1, "", 'missing: [""]'),
        ("NA", 3.25, "features: {a: {type: float}} and missing: [NA]"),
        ("?", 3, 'features: {a: {type: float}} and missing: ["?"]'),
        (2, "cheap", "features: {a: {type: string}}"),
        ("cheap", 2, "features: {a: {type: float}}"),
        (True, 1, "features: {a: {type: float}}"),
    ],
)
def test_a_refusal_names_the_line_that_mends_it(first, then, mend):
    """A word like NA is the culprit wherever it stands: first, or later."""
    learning = Learning()
    learning.take(event({"a": first}))

    assert learning.take(event({"a": then}))[0].mend == mend


@pytest.mark.parametrize(("listed", "word"), [("float", "NA"), ("int", "none"), ("bool", "-")])
def test_the_model_file_says_the_kind_before_any_event_does(listed, word):
    """The first event with a text is refused, and the next one learned."""
    learning = Learning(features={"a": {"type": listed}})
    right = {"float": 0.5, "int": 3, "bool": False}[listed]

    refusal, then = learning.take(event({"a": word}), event({"a": right}))

    assert (refusal.reason, then) == (Reason.wrong_type, None)
    assert repr(word) in refusal.detail
    assert listed in refusal.detail
    assert "missing: [" in refusal.mend


@pytest.mark.parametrize("refused", [event({"a": "x"}, 1.5), event({"a": "x"}, id="1")])
def test_what_is_refused_for_something_else_fixes_nothing(refused):
    """Only what is learned decides what a feature is."""
    learning = Learning()
    learning.take(event({"b": 1}, id="1"))

    first, then = learning.take(refused, event({"a": 1}))

    assert first is not None
    assert then is None


def test_kinds_live_in_the_snapshot():
    """With where they were first seen; the second refusal is as the first."""
    learning = Learning()
    learning.take(event({"a": 1, "b": "x", "c": True}))
    (before,) = learning.take(event({"a": "NA"}))

    again = Learning(saved=learning.saved())

    assert again.take(event({"a": "NA"})) == [before]
    assert again.take(event({"a": 2, "b": "y", "c": False})) == [None]


def test_a_snapshot_from_before_kinds_has_none():
    """Its names are known, and the next value of each says what it is."""
    prior = {"river": ["dummy.PriorClassifier"]}
    learning = Learning(learner=prior)
    learning.take(event({"a": 1}))
    saved = learning.saved()
    del saved.payload["gate"]["kinds"]

    again = Learning(learner=prior, saved=saved)

    first, then = again.take(event({"a": "x"}), event({"a": 1}))
    assert (first, then.reason) == (None, Reason.wrong_type)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_events_in_batches_are_refused_as_one_by_one(size):
    """Whatever is known before a batch, and with ids or without."""
    rng = random.Random(size)
    values = (1, 2.5, "x", "NA", True, None)
    events = [
        event({name: rng.choice(values) for name in rng.sample("abcd", 3)},
              rng.choice("yn"), id=str(n) if n > 150 else None)
        for n in range(300)
    ]  # fmt: skip
    one, many = Learning(), Learning()

    expected = [one.take(each)[0] for each in events]
    found = [f for n in range(0, 300, size) for f in many.take(*events[n : n + size])]

    assert found == expected
    assert one.trainer._gate.dump() == many.trainer._gate.dump()
    assert 20 < sum(each is None for each in found) < 290


@pytest.mark.parametrize("nested", [{"u": {"p": "x"}}, {"u.p": False}])
def test_a_nested_feature_has_its_kind_by_its_full_name(nested):
    """`u.p` is one feature, however it is written."""
    learning = Learning()

    assert [f and f.reason for f in learning.take(event({"u": {"p": 2}}), event(nested))] == [
        None, Reason.wrong_type,
    ]  # fmt: skip


@pytest.mark.parametrize(("x", "is_refused"), [({"a": "x"}, True), ({"u": {"w": "x"}}, False)])
def test_vowpal_wabbits_features_have_kinds_and_those_in_namespaces_have_none(x, is_refused):
    """Within a namespace names are hashed and never kept: a vocabulary has no bound."""
    learning = Learning("binary", {"vw": "--loss_function logistic"})
    learning.take(event({"a": 1, "u": {"w": 2}}, True))

    assert (learning.take(event(x, True))[0] is not None) == is_refused


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"a": "x"}, Reason.wrong_type),
        ({"b": 1}, Reason.wrong_type),
        ({"a": 3, "b": "z", "new": True}, None),
    ],
)
def test_a_question_is_refused_as_an_event_is(features, expected):
    """The served model has the kinds of what it learned."""
    learning = Learning()
    learning.take(event({"a": 1.5, "b": "x"}), event({"a": 2, "b": "y"}, "b"))
    served = ServedModel(learning.file, learning.saved().payload)

    answer = served.predict(features)

    assert getattr(answer, "reason", None) is expected


@pytest.mark.parametrize(
    ("features", "unknown"),
    [
        ({"Distance": 1.0, "Carrier": "AA"}, None),
        ({"Distnce": 1.0, "Carrier": "AA"}, ["Distnce"]),
        ({"Distance": 1.0, "Diverted": 3, "Cancelled": 0}, ["Diverted"]),
        ({f"x{n}" + "y" * 100: n for n in range(30)}, [f"x{n}" + "y" * 100 for n in range(20)]),
        ({}, None),
    ],
)
def test_a_question_names_features_that_were_never_learned(features, unknown):
    """Listed ones are known; a list has an end, and so has a name."""
    learning = Learning(features={"Cancelled": {"type": "int"}})
    learning.take(event({"Distance": 10, "Carrier": "AA"}))

    answer = ServedModel(learning.file, learning.saved().payload).predict(features)

    assert answer.get("unknown_features") == (unknown and [name[:80] for name in unknown])


def test_to_an_untrained_model_nothing_is_unknown():
    """It has learned no name to compare with."""
    learning = Learning()

    answer = ServedModel(learning.file, learning.saved().payload).predict({"a": 1})

    assert "unknown_features" not in answer


def test_names_are_known_only_as_what_they_are():
    """The question that is asked of a whole batch at once."""
    kinds = Kinds()
    kinds.learn({"a": 1, "b": "x", "c": None}, "t-0-0")

    assert kinds.know({"number": ["a"], "text": ["b"], "": ["c"]})
    assert not kinds.know({"number": ["a", "b"]})
    assert not kinds.know({"text": ["new"]})
