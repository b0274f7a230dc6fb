"""Labels from the event to the learner and back to the answer."""

import math
from typing import Any

import pytest

from learner.events.labels import Labels
from learner.tasks import TASKS
from learner.values import Reason, Refusal
from tests.learner.streams import model_file

OAA = {"vw": "--oaa 3"}
RIVER = {"river": ["tree.HoeffdingTreeClassifier"]}


def labels(task: str, learner: dict[str, Any] = RIVER, **sections: Any) -> Labels:
    file = model_file(task, learner, **sections)
    return TASKS[file.task].labels(file)


def reason(found: object) -> Reason:
    assert isinstance(found, Refusal), found
    return found.reason


class TestBinary:
    def test_without_labels_false_true_and_0_1_are_read_alike(self) -> None:
        each = labels("binary")
        assert [each.native(label) for label in (False, True, 0, 1)] == [False, True, False, True]
        assert all(type(each.native(label)) is bool for label in (0, 1))

    @pytest.mark.parametrize("label", ["maybe", "true", 7, -1, 1.0, 0.0, "", math.nan])
    def test_other_labels_are_bad(self, label: Any) -> None:
        assert reason(labels("binary").native(label)) is Reason.bad_label

    def test_of_two_labels_the_second_is_the_positive_one(self) -> None:
        each = labels("binary", labels=["DOWN", "UP"])
        assert (each.native("DOWN"), each.native("UP")) == (False, True)
        assert reason(each.native(True)) is Reason.bad_label
        assert reason(each.native("up")) is Reason.bad_label
        assert each.answer((True, {True: 0.75, False: 0.25})) == ("UP", {"DOWN": 0.25, "UP": 0.75})

    def test_numbers_and_booleans_are_not_mixed_up(self) -> None:
        each = labels("binary", labels=[0, 1])
        assert each.native(1) is True
        assert reason(each.native(True)) is Reason.bad_label
        assert each.answer((False, None)) == (0, None)

    def test_the_answer_without_labels_is_false_or_true(self) -> None:
        answer = labels("binary").answer((True, {True: 1.0}))
        assert answer == (True, {"false": 0.0, "true": 1.0})

    def test_no_prediction_and_no_number_become_null(self) -> None:
        each = labels("binary")
        assert each.answer((None, None)) == (None, None)
        assert each.answer((None, {})) == (None, None)
        assert each.answer((True, {False: math.nan, True: math.inf}))[1] == {
            "false": None,
            "true": None,
        }

    def test_a_missing_label(self) -> None:
        assert reason(labels("binary").native(None)) is Reason.missing_label


class TestMulticlass:
    def test_the_first_label_fixes_the_type(self) -> None:
        each = labels("multiclass")
        assert each.native("a") == "a"
        assert reason(each.native(1)) is Reason.bad_label
        other = labels("multiclass")
        assert other.native(1) == 1
        assert reason(other.native("a")) is Reason.bad_label
        assert reason(other.native(True)) is Reason.bad_label
        assert reason(other.native(1.0)) is Reason.bad_label
        assert other.native(-3) == -3

    @pytest.mark.parametrize("label", [True, False, 0.5])
    def test_a_class_is_no_boolean_and_no_fraction(self, label: Any) -> None:
        each = labels("multiclass")
        assert reason(each.native(label)) is Reason.bad_label
        assert each.native("a") == "a", "a refused label has fixed nothing"

    def test_the_number_of_labels_is_limited(self) -> None:
        each = labels("multiclass", limits={"labels": 2, "string": 5})
        assert [each.native(label) for label in ("a", "b", "a")] == ["a", "b", "a"]
        assert reason(each.native("c")) is Reason.too_many_labels
        assert reason(each.native("c" * 6)) is Reason.too_large
        assert each.known == ("a", "b")

    def test_whole_numbers_are_bounded(self) -> None:
        assert reason(labels("multiclass").native(10**13)) is Reason.out_of_bounds

    def test_what_was_seen_survives_a_snapshot(self) -> None:
        each = labels("multiclass")
        for label in ("b", "a"):
            each.native(label)
        again = labels("multiclass")
        again.restore(each.dump())
        assert again.known == ("b", "a")
        assert reason(again.native(3)) is Reason.bad_label
        assert again.answer(("a", {"a": 1.0})) == ("a", {"b": 0.0, "a": 1.0})

    def test_the_model_files_labels_are_the_admissible_ones(self) -> None:
        each = labels("multiclass", labels=["a", "b", "c"])
        assert each.native("c") == "c"
        assert reason(each.native("d")) is Reason.bad_label
        assert each.dump() == []
        assert each.answer(("a", {"a": 1.0})) == ("a", {"a": 1.0, "b": 0.0, "c": 0.0})

    def test_numbers_are_keyed_by_their_json_text(self) -> None:
        each = labels("multiclass", labels=[0, 1, 12])
        assert each.answer((12, {12: 0.5, 0: 0.5})) == (12, {"0": 0.5, "1": 0.0, "12": 0.5})


class TestRegression:
    @pytest.mark.parametrize("label", [0, -3, 2.5, 10**12])
    def test_a_number_stays_what_it_is(self, label: float) -> None:
        native = labels("regression").native(label)
        assert native == label
        assert type(native) is type(label)

    @pytest.mark.parametrize(
        ("label", "why"),
        [
            (True, Reason.bad_label),
            ("3", Reason.bad_label),
            (math.nan, Reason.not_finite),
            (math.inf, Reason.not_finite),
            (1e13, Reason.out_of_bounds),
            (-(10**400), Reason.out_of_bounds),
            (None, Reason.missing_label),
        ],
    )
    def test_others_are_refused(self, label: Any, why: Reason) -> None:
        assert reason(labels("regression").native(label)) is why

    def test_the_answer_is_a_float_or_null(self) -> None:
        each = labels("regression")
        assert each.answer((3, None)) == (3.0, None)
        assert each.answer((math.nan, None)) == (None, None)
        assert each.answer((None, None)) == (None, None)


class TestVowpalWabbit:
    def test_json_classes_are_1_to_k_without_labels(self) -> None:
        each = labels("multiclass", OAA)
        assert [each.native(label) for label in (1, 3)] == [1, 3]
        assert reason(each.native(0)) is Reason.bad_label
        assert reason(each.native(4)) is Reason.bad_label
        assert each.known == (1, 2, 3)
        assert labels("multiclass", {"vw": "--oaa 3 --indexing 0"}).known == (0, 1, 2)

    def test_json_classes_are_the_model_files_labels(self) -> None:
        each = labels("multiclass", OAA, labels=["a", "b", "c"])
        assert each.native("b") == "b"
        assert reason(each.native(2)) is Reason.bad_label

    def test_the_numbers_of_a_line_are_the_labels_in_order(self) -> None:
        each = labels("multiclass", OAA, labels=["a", "b", "c"], topics={"format": "vw"})
        assert each.native(2) == "b"
        assert reason(each.native(0)) is Reason.bad_label
        assert reason(each.native(2.0)) is Reason.bad_label, "VW wants it without a point"
        assert each.answer(("b", {"a": 0.0, "b": 1.0, "c": 0.0}))[0] == "b"

    def test_a_lines_binary_labels_are_minus_1_and_1(self) -> None:
        each = labels("binary", {"vw": "-b 10"}, labels=["no", "yes"], topics={"format": "vw"})
        assert [each.native(label) for label in (-1, 1, 1.0)] == [False, True, True]
        assert reason(each.native(0)) is Reason.bad_label
        assert each.answer((True, None)) == ("yes", None)


@pytest.mark.parametrize(
    ("task", "given", "label", "told"),
    [
        (
            "binary",
            None,
            1.0,
            "the labels are 0, 1; `labels` in the model file names others; write 1",
        ),
        ("multiclass", None, 3.0, "a class is a whole number or a string; write 3, without"),
        ("multiclass", [1, 2], 2.0, "the labels are 1, 2; write 2, without a fraction"),
        ("binary", None, "yes", "`labels` in the model file names others"),
    ],
)
def test_a_refused_label_says_what_to_write(
    task: str, given: list[int] | None, label: Any, told: str
) -> None:
    """1.0 is how many programs write 1; an event is refused rather than mended."""
    refusal = labels(task, **({"labels": given} if given else {})).native(label)
    assert isinstance(refusal, Refusal)
    assert told in refusal.detail
