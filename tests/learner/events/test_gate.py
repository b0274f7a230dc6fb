"""The gate: what may be learned is decided from the record and the gate's own memory alone."""

import copy
import random

import pytest

from learner.build import build_screen
from learner.events.gate import Gate, RecentIds
from learner.tasks import TASKS
from learner.values import Event, Reason, Refusal
from tests.learner.streams import model_file
from tests.learner.taking import examples_of

CLASSIFIER = {"river": ["tree.HoeffdingTreeClassifier"]}
REGRESSOR = {"river": ["linear_model.LinearRegression"]}
WITHOUT_WEIGHTS = {"river": ["neighbors.KNNClassifier"]}


class Entrance:
    """Screen and gate, one after the other, as they stand in two processes."""

    def __init__(self, file):
        self.screen = build_screen(file)
        self.gate = Gate(file, TASKS[file.task].labels(file))

    def admit(self, event):
        """Features, native label and weight of one event, or the refusal."""
        x = self.screen.check(event)
        if isinstance(x, Refusal):
            return x
        admitted = self.gate.admit(examples_of([(0, 0, x, event)]))
        if admitted.refused:
            return admitted.refused[0][1]
        (x,), (y,) = admitted.xs, admitted.ys
        return x, y, None if admitted.ws is None else admitted.ws[0]


def gate(task="binary", *, learner=None, **sections):
    usual = REGRESSOR if task == "regression" else CLASSIFIER
    return Entrance(model_file(task, learner or usual, **sections))


def event(features, label=True, **more):
    return Event(features=features, label=label, **more)


def reason(found):
    return found.reason if isinstance(found, Refusal) else None


def memory(of):
    return copy.deepcopy((of.gate.dump(), of.gate.ids.in_order()))


def test_what_needs_no_change_is_passed_on_as_it_is():
    """No copy in the hot path; order and kinds are the record's."""
    features = {"z": 1, "a": 1.5, "m": "x", "b": True}

    example = gate().admit(event(features, False, weight=2))

    assert example == (features, False, 2)
    assert example[0] is features


def test_nulls_are_absent_and_nested_features_flattened_in_place():
    """River sees `outer.inner`, in the record's order; VW keeps the nesting for its namespaces."""
    features = {"a": 1, "n": None, "u": {"x": 2, "gone": None, "y": "s"}, "z": False, "e": {}}

    flat = gate().admit(event(features))[0]
    nested = gate(learner={"vw": "--quiet"}).admit(event(features))[0]

    assert list(flat.items()) == [("a", 1), ("u.x", 2), ("u.y", "s"), ("z", False)]
    assert nested == {"a": 1, "u": {"x": 2, "y": "s"}, "z": False, "e": {}}
    assert features["n"] is None  # the record itself is not touched


@pytest.mark.parametrize(
    ("features", "ways"),
    [
        ({"a.b": 1, "a": {"b": 2}}, "'a.b' is given twice, as a.b and as b in a"),
        ({"c": 0, "a": {"b": 2}, "a.b": 1}, "'a.b' is given twice, as b in a and as a.b"),
        ({"a": {"b.c": 1}, "a.b": {"c": 1}}, "'a.b.c' is given twice, as b.c in a and as c in a.b"),
    ],
)
def test_features_that_flattening_makes_one_are_refused(features, ways):
    """Neither is dropped in silence; events and questions alike, and VW keeps them apart."""
    of = gate()

    for found in (of.admit(event(features)), of.screen.features(features)):
        assert found == Refusal(Reason.wrong_type, f"feature {ways}", "gate")
    assert memory(of) == memory(gate())
    assert gate(learner={"vw": "--quiet"}).admit(event(features))[0] == features


@pytest.mark.parametrize(
    "features",
    [{"a.b": None, "a": {"b": 2}}, {"a.b": 2, "a": {"b": None}}, {"a": {"b": 1, "b.c": 1}}],
)
def test_what_is_absent_is_not_given_twice(features):
    """A null stands for nothing."""
    assert "a.b" in gate().admit(event(features))[0]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"a": 1e12}, None),
        ({"a": -1e12}, None),
        ({"a": 1.0000001e12}, Reason.out_of_bounds),
        ({"a": 10**400}, Reason.out_of_bounds),
        ({"a": -1e308}, Reason.out_of_bounds),
        ({"u": {"a": 1e13}}, Reason.out_of_bounds),
        ({"a": float("nan")}, Reason.out_of_bounds),
        ({"a": "x" * 1024}, None),
        ({"a": "x" * 1025}, Reason.too_large),
        ({"u": {"a": "x" * 1025}}, Reason.too_large),
        ({"x" * 1025: 1}, Reason.too_large),
        ({"u": {"x" * 1025: 1}}, Reason.too_large),
        ({f"f{i}": 1 for i in range(1000)}, None),
        ({f"f{i}": 1 for i in range(1001)}, Reason.too_many_features),
        ({f"f{i}": 1 if i else None for i in range(1001)}, None),
        ({"u": {f"f{i}": 1 for i in range(1001)}}, Reason.too_many_features),
        ({}, None),
    ],
)
def test_numbers_strings_and_counts_are_bounded(features, expected):
    """The limits of the model file, the bound itself admitted."""
    assert reason(gate().admit(event(features))) is expected


def test_nesting_needs_a_depth_of_two():
    """`limits.depth` 1: flat features only."""
    shallow = gate(limits={"depth": 1})

    assert reason(shallow.admit(event({"a": {"b": 1}}))) is Reason.too_deep
    assert reason(shallow.admit(event({"a": 1, "b": None}))) is None


def test_distinct_names_are_bounded_for_ever():
    """Known names pass on; one name too many is refused, and so is none of the others."""
    small = gate(limits={"names": 2})

    assert reason(small.admit(event({"a": 1}))) is None
    assert reason(small.admit(event({"b": 1, "c": 1}))) is Reason.too_many_features
    assert reason(small.admit(event({"b": 1, "a": 1}))) is None
    assert reason(small.admit(event({"c": 1}))) is Reason.too_many_features
    assert small.gate.dump()["names"] == ["a", "b"]


def test_labels_are_bounded_and_of_one_kind():
    """Of a multiclass task: the first label fixes int or string."""
    small = gate("multiclass", limits={"labels": 2})

    found = [reason(small.admit(event({}, label))) for label in ("a", "b", "c", 1, True, 1.5, "b")]

    bad = Reason.bad_label
    assert found == [None, None, Reason.too_many_labels, bad, bad, bad, None]


@pytest.mark.parametrize(
    ("task", "label", "expected"),
    [
        ("binary", None, Reason.missing_label),
        ("binary", "maybe", Reason.bad_label),
        ("binary", 7, Reason.bad_label),
        ("binary", 1.0, Reason.bad_label),
        ("binary", 1, None),
        ("regression", 1.5, None),
        ("regression", True, Reason.bad_label),
        ("regression", "1", Reason.bad_label),
        ("regression", 1e13, Reason.out_of_bounds),
        ("regression", 10**400, Reason.out_of_bounds),
        ("regression", float("nan"), Reason.not_finite),
        ("multiclass", 10**400, Reason.out_of_bounds),
        ("multiclass", "x" * 1025, Reason.too_large),
    ],
)
def test_labels_fit_the_task(task, label, expected):
    """A label of another kind is refused, never converted."""
    assert reason(gate(task).admit(event({"a": 1}, label))) is expected


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (0, None),
        (2.5, None),
        (-1, Reason.out_of_bounds),
        (1e13, Reason.out_of_bounds),
        (10**400, Reason.out_of_bounds),
        (float("nan"), Reason.out_of_bounds),
    ],
)
def test_a_weight_is_no_less_than_nothing_and_bounded(weight, expected):
    """An importance of 1e30 would move everything that was learned."""
    assert reason(gate().admit(event({"a": 1}, weight=weight))) is expected


def test_a_weight_is_refused_where_the_learner_takes_none():
    """Rather than learned as if it were 1."""
    assert (
        reason(gate(learner=WITHOUT_WEIGHTS).admit(event({}, weight=1)))
        is Reason.weight_unsupported
    )


SPECS = {
    "share": {"type": "float", "min": 0, "max": 1},
    "count": {"type": "int", "min": 0},
    "name": {"type": "string"},
    "is_new": {"type": "bool"},
    "u.a": {"type": "float"},
}


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"share": 0.5, "count": 3, "name": "x", "is_new": True}, None),
        ({"share": 1}, None),
        ({"share": True}, Reason.wrong_type),
        ({"share": "0.5"}, Reason.wrong_type),
        ({"share": 1.01}, Reason.out_of_bounds),
        ({"count": 3.0}, Reason.wrong_type),
        ({"count": -1}, Reason.out_of_bounds),
        ({"name": 5}, Reason.wrong_type),
        ({"is_new": 1}, Reason.wrong_type),
        ({"u": {"a": "x"}}, Reason.wrong_type),
        ({"share": None}, None),
        ({"other": 1}, None),
    ],
)
def test_listed_features_have_their_type_and_bounds(features, expected):
    """What is not listed is admitted unless the model file is strict; an int is a float."""
    assert reason(gate(features=SPECS).admit(event(features))) is expected
    if "other" in features:
        strict = gate(features=SPECS, strict=True)
        assert reason(strict.admit(event(features))) is Reason.unknown_field
        assert reason(strict.admit(event({"u": {"b": 1}}))) is Reason.unknown_field


def test_a_duplicate_is_known_within_the_window_exactly():
    """Of the last three ids that were learned."""
    small = gate(limits={"duplicates": 3})

    found = [reason(small.admit(event({}, id=name))) for name in "abcaadaeb"]

    duplicate = Reason.duplicate
    assert found == [None, None, None, duplicate, duplicate, None, None, None, None]
    assert small.gate.ids.in_order() == [["a", True], ["e", True], ["b", True]]


def test_an_id_has_a_length():
    """It is kept in every version."""
    assert reason(gate().admit(event({}, id="x" * 1025))) is Reason.too_large


def test_events_without_id_are_never_duplicates():
    """Only ids that were given take part."""
    one = gate()

    assert [reason(one.admit(event({"a": 1}))) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize(
    "refused",
    [
        event({"new": 1, "u": {"x": 10**13}}, id="new"),
        event({"new": 1}, "maybe", id="new"),
        event({"new": 1}, None, id="new"),
        event({"new": 1}, "a", id="new", weight=-1),
        event({"new": 1}, "a", id="seen"),
        event({f"new{i}": 1 for i in range(9)}, "fresh", id="new"),
        event({"a": 1}, "b", id="new"),
    ],
)
def test_a_refusal_changes_nothing(refused):
    """Neither names, labels nor ids: a replay decides the same."""
    one = gate("multiclass", limits={"names": 5, "labels": 1})
    one.admit(event({"a": 1}, "a", id="seen"))
    before = memory(one)

    assert isinstance(one.admit(refused), Refusal)

    assert memory(one) == before


def test_it_goes_on_from_its_memory():
    """Names, labels and ids come back, and the window keeps its size."""
    sections = {"limits": {"names": 2, "labels": 2, "duplicates": 2}}
    one, other = gate("multiclass", **sections), gate("multiclass", **sections)
    for name in "abc":
        one.admit(event({"x": 1}, "first", id=name))
    state, ids = memory(one)

    other.gate.restore(state, ids)

    for each in (
        event({"x": 1, "y": 2, "z": 3}, "first"),
        event({"x": 1}, 5),
        event({"x": 1}, "first", id="a"),
        event({"x": 1}, "first", id="c"),
        event({"x": 1}, "second", id="d"),
        event({"x": 1}, "third", id="e"),
    ):
        assert reason(one.admit(each)) is reason(other.admit(each))
    assert memory(one) == memory(other)


def test_a_question_passes_without_label_and_leaves_no_trace():
    """Requests must not fill the gate's memory, whoever asks them."""
    one = gate(limits={"names": 1})
    before = memory(one)

    assert one.screen.features({"u": {"a": 1}, "b": None}) == {"u.a": 1}
    assert reason(one.screen.features({"a": 1e13})) is Reason.out_of_bounds
    assert memory(one) == before


def test_vw_text_passes_as_it_is():
    """Its features were checked when it was read; id and label count as ever."""
    file = model_file("binary", {"vw": "--quiet"}, topics={"format": "vw"})
    one = Entrance(file)
    line = Event(text="1 'a|f x:1", label=1, id="a")

    assert one.admit(line) == ("1 'a|f x:1", True, None)
    assert reason(one.admit(line)) is Reason.duplicate
    assert reason(one.admit(Event(text="|f x:1", label=None))) is Reason.missing_label


def test_recent_ids_forget_the_oldest():
    """In the order in which they came."""
    ids = RecentIds(2, ["a", "b"])
    ids.add("c", True)

    assert ["a" in ids, "b" in ids, "c" in ids] == [False, True, True]


def test_many_at_once_are_admitted_as_one_by_one():
    """Whatever the length of the stretches, the same are refused for the same reasons."""
    rng = random.Random(5)
    sections = {"limits": {"names": 4, "labels": 3, "duplicates": 5}}
    made = [
        event(
            {rng.choice("abcde"): 1, "x": rng.random()},
            rng.choice(["u", "v", "w", "y", 1]),
            id=rng.choice([None, *"mnopqr"]),
        )
        for _ in range(400)
    ]
    single, many = gate("multiclass", **sections), gate("multiclass", **sections)
    expected = [single.admit(each) for each in made]

    found = []
    while len(found) < len(made):
        rows = [(0, 0, e.features, e) for e in made[len(found) :][: rng.randint(1, 9)]]
        admitted = many.gate.admit(examples_of(rows))
        by_place = dict(admitted.refused)
        learned = zip(admitted.places, admitted.xs, admitted.ys, strict=True)
        by_place |= {place: (x, y, None) for place, x, y in learned}
        found += [by_place[place] for place in range(len(rows))]

    assert found == expected
    assert memory(single) == memory(many)


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ({"type": "int", "max": 1e13}, 1_732_800_000_000, None),
        ({"type": "float", "max": 1e16}, 1.7328e15, None),
        ({"type": "int", "max": 1e13}, 10**14, Reason.out_of_bounds),
        ({"type": "int", "max": 1e13}, -(10**13), Reason.out_of_bounds),
        ({"type": "int", "min": -1e14}, -(10**13), None),
        ({"type": "int", "min": -1e14}, 10**13, Reason.out_of_bounds),
        ({"type": "int"}, 10**13, Reason.out_of_bounds),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_bounds_of_a_features_own_go_before_the_limit(spec, value, expected, is_nested):
    """They are the more specific word; where it has one of them, the limit is the other."""
    features = {"u": {"ts": value}} if is_nested else {"ts": value}
    name = "u.ts" if is_nested else "ts"

    assert reason(gate(features={name: spec}).admit(event(features))) is expected


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"ts": 1_732_800_000_000}, ["an epoch in milliseconds, 2024-11-28",
         "limits: {value: 1.0e+13} or features: {ts: {type: int, max: 1.0e+13}}"]),
        ({"u": {"at": 1.7e15}}, ["an epoch in microseconds, 2023-11-14",
         "limits: {value: 1.0e+16} or features: {u.at: {type: float, max: 1.0e+16}}"]),
        ({"a b": -(10**15)}, ['{"a b": {type: int, min: -1.0e+16}}']),
        ({"a": 10**310}, ["limits.value is 1e+12"]),
    ],
)  # fmt: skip
def test_a_number_beyond_the_limit_is_told_with_what_admits_it(features, words):
    """What it looks like, and the line of the model file; none where no number would do."""
    found = gate().admit(event(features))

    assert all(word in found.detail for word in words)
    assert found.mend in found.detail
    assert bool(found.mend) == (features != {"a": 10**310})
    assert "epoch" not in gate().admit(event({"a": 10**310})).detail
