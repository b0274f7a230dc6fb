"""Vowpal Wabbit: its own average loss, exact continuation, and text that means what it says."""

import math
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from vowpalwabbit import pyvw

from config.model.parts import Limits
from learner.build import build_estimator, restore_estimator
from learner.errors import RestoreError, SpecError
from learner.tasks import TASKS
from learner.values import Reason, Refusal
from learner.vw.arguments import parse_arguments
from learner.vw.text import VWLine, features_text, parse_line, unlabelled
from tests.learner.streams import binary, classes, model_file, numbers

TEXT = {"format": "vw"}


def lines(task: str, count: int = 300) -> list[str]:
    """Lines of VW's text, some with importance and tag."""
    pairs = {"binary": binary, "multiclass": classes, "regression": numbers}[task](count)
    source = random.Random(3)
    written = []
    for i, (x, y) in enumerate(pairs):
        label = {True: "1", False: "-1", "a": "1", "b": "2", "c": "3"}.get(y, y)
        importance = source.choice(["", " 2", " 0.5"])
        tag = source.choice([" ", f" 'n{i}"])
        written.append(f"{label}{importance}{tag}|f a:{x['a']} b:{x['b']:.4f} |g {x['color']}")
    return written


def read(text: str) -> VWLine:
    line = parse_line(text, Limits())
    assert isinstance(line, VWLine), line
    return line


def average_of_the_driver(arguments: str, text: list[str], folder: Path) -> float:
    """The average loss that VW's own driver prints for a file of these lines."""
    data = folder / "data.vw"
    data.write_text("\n".join(text) + "\n")
    workspace = pyvw.Workspace(f"{arguments} -d {data}", enable_logging=True)
    workspace.finish()
    (told,) = [each for each in workspace.get_log() if each.startswith("average loss")]
    return float(told.split("=")[1].split()[0])


CONFIGURATIONS = [
    ("regression", "-b 18"),
    ("regression", "--coin"),
    ("regression", "--pistol"),
    ("regression", "--baseline"),
    ("regression", "--loss_function quantile --quantile_tau 0.3"),
    ("regression", "--sgd --power_t 0.4"),
    ("regression", "--normalized"),
    ("regression", "--invariant"),
    ("regression", "--nn 2 -q fg"),
    ("binary", "--confidence --confidence_after_training --initial_t 0.1"),
    ("binary", "--loss_function logistic"),
    ("binary", "--loss_function logistic --link logistic --l1 1e-6"),
    ("binary", "--loss_function logistic --binary"),
    ("binary", "--loss_function hinge -q fg"),
    ("binary", "--boosting 3"),
    ("binary", "--loss_function logistic --link logistic --sgd"),
    ("multiclass", "--oaa 3"),
    ("multiclass", "--oaa 3 --sgd"),
    ("multiclass", "--oaa 3 --loss_function logistic --probabilities"),
    ("multiclass", "--oaa 3 --scores"),
    ("multiclass", "--ect 3"),
    ("multiclass", "--log_multi 3"),
]


@pytest.mark.parametrize(("task", "arguments"), CONFIGURATIONS, ids=[c[1] for c in CONFIGURATIONS])
def test_the_loss_is_that_of_vws_own_driver(task: str, arguments: str, tmp_path: Path) -> None:
    file = model_file(task, {"vw": arguments}, metrics=["VWLoss"], topics=TEXT)
    estimator: Any = build_estimator(file)
    labels = TASKS[file.task].labels(file)
    loss = weight = 0.0
    text = lines(task)
    for line in map(read, text):
        estimator.learn(line.text, labels.native(line.label), line.weight)
        loss += estimator.last_loss
        weight += estimator.last_weight
    assert abs(loss / weight - average_of_the_driver(arguments, text, tmp_path)) < 1e-6


@pytest.mark.parametrize(("task", "arguments"), CONFIGURATIONS, ids=[c[1] for c in CONFIGURATIONS])
def test_going_on_from_a_dump_equals_going_on(task: str, arguments: str, tmp_path: Path) -> None:
    file = model_file(task, {"vw": arguments}, metrics=["VWLoss"], topics=TEXT)
    original: Any = build_estimator(file, tmp_path)
    labels = TASKS[file.task].labels(file)
    examples = [(line.text, labels.native(line.label)) for line in map(read, lines(task, 1200))]
    for number, (x, y) in enumerate(examples[:200]):
        if number % 3 == 0:  # as for events whose labels come later
            original.predict(x)
        original.learn(x, y, None)
    restored: Any = restore_estimator(file, pickle.loads(pickle.dumps(original.dump())), tmp_path)
    assert list(tmp_path.iterdir()) == [], "a dump leaves no file behind"
    for number, (x, y) in enumerate(examples[200:]):
        if number % 2 == 0:
            assert restored.predict(x) == original.predict(x)
        assert restored.learn(x, y, None) == original.learn(x, y, None)
        assert restored.last_loss == original.last_loss


def test_other_arguments_or_another_vw_are_refused(tmp_path: Path) -> None:
    file = model_file("binary", {"vw": "--loss_function logistic"})
    dumped: Any = build_estimator(file, tmp_path).dump()
    other = model_file("binary", {"vw": "--loss_function hinge"})
    with pytest.raises(RestoreError, match="learned with '--loss_function logistic', not"):
        restore_estimator(other, dumped, tmp_path)
    with pytest.raises(RestoreError, match=r"written by Vowpal Wabbit 8.0.0, this is"):
        restore_estimator(file, {**dumped, "version": "8.0.0"}, tmp_path)
    with pytest.raises(RestoreError, match="cannot load it"):
        restore_estimator(file, {**dumped, "model": b"no model"}, tmp_path)
    with pytest.raises(RestoreError, match="no model of Vowpal Wabbit"):
        restore_estimator(file, {"model": b""}, tmp_path)


class TestJson:
    @pytest.mark.parametrize(
        ("task", "arguments", "write"),
        [
            ("binary", "--loss_function logistic", lambda y: "1" if y else "-1"),
            ("regression", "-b 18", repr),
        ],
    )
    def test_features_learn_what_their_text_learns(
        self, task: str, arguments: str, write: Any
    ) -> None:
        by_json: Any = build_estimator(model_file(task, {"vw": arguments}))
        by_text: Any = build_estimator(model_file(task, {"vw": arguments}, topics=TEXT))
        for i, (x, y) in enumerate({"binary": binary, "regression": numbers}[task](200)):
            weight = [None, 0.5, 2][i % 3]
            head = write(y) if weight is None else f"{write(y)} {weight}"
            line = f"{head} | a:{x['a']} b:{x['b']} c:{x['c']} color={x['color']}"
            assert by_json.learn(x, y, weight) == by_text.learn(line, y, None)

    def test_a_nested_object_is_a_namespace(self) -> None:
        nested = {"a": 1, "user": {"age": 3, "city": "Oslo", "new": True, "old": False}, "b": True}
        assert features_text(nested) == "| a:1 b |user age:3 city=Oslo new"
        assert features_text({}) == "|"
        assert features_text({"user": {}}) == "| |user"
        assert features_text({"gone": None, "no": False}) == "|"

    def test_classes_are_the_labels_in_their_order(self) -> None:
        vw = {"vw": "--oaa 3 --loss_function logistic --probabilities"}
        estimator = build_estimator(model_file("multiclass", vw, labels=["a", "b", "c"]))
        right = 0
        for x, y in classes(600):
            answer = estimator.learn(x, y, None)
            assert answer is not None
            label, probabilities = answer
            assert probabilities is not None
            assert list(probabilities) == ["a", "b", "c"]
            assert max(probabilities, key=probabilities.__getitem__) == label
            right += label == y
        assert right > 400

    def test_as_many_labels_as_classes(self) -> None:
        file = model_file("multiclass", {"vw": "--oaa 4"}, labels=["a", "b", "c"])
        with pytest.raises(SpecError, match="has 4 classes, `labels:` names 3"):
            build_estimator(file)

    def test_a_weight_is_vws_importance(self) -> None:
        file = model_file("regression", {"vw": "-b 10"}, metrics=["VWLoss"])
        estimator: Any = build_estimator(file)
        estimator.learn({"a": 1}, 1, 2.5)
        assert (estimator.last_weight, estimator.last_loss) == (2.5, 2.5)


class TestAnswers:
    def test_a_probability_is_the_logistic_of_the_score(self) -> None:
        score: Any = build_estimator(model_file("binary", {"vw": "--loss_function logistic"}))
        link = {"vw": "--loss_function logistic --link logistic"}
        probability: Any = build_estimator(model_file("binary", link))
        for x, y in binary(200):
            one, other = score.learn(x, y, None), probability.learn(x, y, None)
            assert one[0] == other[0] == (one[1][True] > 0.5)
            assert math.isclose(one[1][True], other[1][True], abs_tol=1e-6)
            assert one[1][False] == 1.0 - one[1][True]

    @pytest.mark.parametrize("arguments", ["--loss_function logistic --binary", "--binary", "-b 9"])
    def test_signs_have_no_probabilities(self, arguments: str) -> None:
        estimator = build_estimator(model_file("binary", {"vw": arguments}))
        right = 0
        for x, y in binary(400):
            label, probabilities = estimator.learn(x, y, None) or (None, None)
            assert type(label) is bool
            assert probabilities is None
            right += label is y
        assert right > 280

    def test_the_label_on_a_line_is_not_looked_at(self) -> None:
        estimator = build_estimator(model_file("binary", {"vw": "-b 10"}, topics=TEXT))
        estimator.learn("1 |f a", True, None)
        answers = {estimator.predict(text) for text in ("1 |f a", "-1 9 'x|f a", "|f a")}
        assert len(answers) == 1


class TestArguments:
    @pytest.mark.parametrize(
        ("text", "options"),
        [
            ("-b 18 -q ab -q cd", {"bit_precision": ("18",), "quadratic": ("ab", "cd")}),
            ("-b18 -l0.5", {"bit_precision": ("18",), "learning_rate": ("0.5",)}),
            ("--l2=1e-6 --sgd", {"l2": ("1e-6",), "sgd": ()}),
            ("--initial_weight -0.5", {"initial_weight": ("-0.5",)}),
            ("--affix '+2a'", {"affix": ("+2a",)}),
        ],
    )
    def test_are_read_as_a_shell_and_vw_do(self, text: str, options: dict[str, Any]) -> None:
        assert dict(parse_arguments(text).options) == options

    @pytest.mark.parametrize(
        "text",
        [
            "-f model", "-i model", "-d data", "-p out", "-r out", "--cache_file x", "-c", "-k",
            "--passes 2", "--daemon", "--port 1", "--audit", "-a", "--dictionary x:y", "-t",
            "--initial_regressor=m", "-fmodel", "--readable_model m", "--bootstrap 5", "--bfgs",
            "--cb_adf", "--cb_explore_adf", "--csoaa_ldf m", "--nn 3 --dropout", "--lrq ab3",
            "--feature_mask m", "--alg logistic --boosting 3", "-b 40", "-b x", "stray", "--sgd=1",
            "--l2", "--l2 --sgd", "--nope", "'open", "--invert_hash x", "--span_server x", "-",
            "--oaa x", "--oaa 0", "--probabilities --oaa 3", "--extra_metrics m",
            "--automl 3", "--active --simulation", "--predictions /dev/stdout",
        ],
    )  # fmt: skip
    def test_others_are_refused_by_name(self, text: str) -> None:
        with pytest.raises(SpecError) as caught:
            build_estimator(model_file("multiclass" if "oaa" in text else "binary", {"vw": text}))
        assert caught.value.key == "learner.vw"

    @pytest.mark.parametrize(
        ("task", "text", "message"),
        [
            ("binary", "--oaa 2", "for task multiclass"),
            ("multiclass", "-b 18", "--oaa"),
            ("regression", "--binary", "does not suit task regression"),
            ("binary", "--link poisson", "does not suit task binary"),
            ("binary", "--learning_rat 3", 'did you mean "learning_rate"'),
            ("binary", "--loss_function nope", "Vowpal Wabbit refuses this"),
            ("binary", "-b 18 -b 19", "Vowpal Wabbit refuses this"),
        ],
    )
    def test_what_does_not_fit_is_said(self, task: str, text: str, message: str) -> None:
        with pytest.raises(SpecError, match=message):
            build_estimator(model_file(task, {"vw": text}))


class TestText:
    def test_awkward_features_stay_apart(self) -> None:
        """No two of these are the same features, so no two may be the same text."""
        sets: list[dict[str, Any]] = [
            {"a": "b"}, {"a=b": True}, {"a": "=b"}, {"a=": "b"}, {"a": True, "b": True},
            {"a b": True}, {"a%20b": True}, {"a|b": True}, {"a:b": True}, {"a\nb": True},
            {"a": "x y"}, {"a": "x%20y"}, {"a": "x\ty"}, {"a": "x|n z"}, {"a": "x:3"}, {"a": 3},
            {"a": "3"}, {"a:3": True}, {"": True}, {"": ""}, {"%": True}, {"": 2}, {"a": ""},
            {"a": {"b": True}}, {"a.b": True}, {"a b": {"c": True}}, {"a": {"b": "c"}}, {"": {}},
            {"\ud800": True}, {"\udfff": True}, {"é": True}, {"\x85": True}, {"\x00": True},
            {"a": {"": True}}, {"|a": {"b": True}}, {"'a": True}, {"a": -0.5}, {"a": 0.5},
        ]  # fmt: skip
        written = [features_text(x) for x in sets]
        assert len(set(written)) == len(sets)
        for text in written:
            text.encode()
            assert text.count("|") == 1 + text.count(" |")
            assert not set(text) & set("\n\r\t\0")

    @pytest.mark.parametrize("value", [0.1, -2.5, 1e-7, 1e16, 12345.678, 1e-17, 3e-20, 7, 10**12])
    def test_vw_reads_the_number_that_was_written(self, value: float) -> None:
        workspace = pyvw.Workspace("--quiet --noconstant")
        example = workspace.parse(f"1 {features_text({'f': {'a': value}})}")
        assert math.isclose(example.feature_weight("f", 0), value, rel_tol=1e-5)
        workspace.finish_example(example)
        workspace.finish()

    @pytest.mark.parametrize(
        ("text", "label", "weight", "tag"),
        [
            ("1 |f a", 1, None, None),
            ("-1 2.5 'id-7|f a", -1, 2.5, "id-7"),
            ("0.25 0.5 0.1 'x |f a:2", 0.25, 0.5, "x"),
            ("|f a", None, None, None),
            ("'t |f a", None, None, "t"),
            ("1|f a", None, None, "1"),
            ("x\t1 |f a", 1, None, None),
            (" 1  2  |f a", 1, 2.0, None),
            ("+1 |f:2 a:.5 b:1. c:-1e-3 |g d\n", 1, None, None),
            ("1 'it's|f a\r\n", 1, None, "it's"),
        ],
    )
    def test_label_weight_and_tag_are_read_as_vw_reads_them(
        self, text: str, label: float | None, weight: float | None, tag: str | None
    ) -> None:
        line = read(text)
        assert (line.label, line.weight, line.tag) == (label, weight, tag)
        assert type(line.label) is type(label)
        workspace = pyvw.Workspace("--quiet")
        example = workspace.parse(line.text)
        assert example.get_tag() == (tag or "")
        seen = example.get_simplelabel_label()
        assert math.isclose(seen, 3.4028234663852886e38 if label is None else label, rel_tol=1e-6)
        assert math.isclose(example.get_simplelabel_weight(), 1.0 if weight is None else weight)
        workspace.finish_example(example)
        workspace.finish()

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", Reason.wrong_type),
            ("1 a:1", Reason.wrong_type),
            ("1 |f a\n1 |f b", Reason.wrong_type),
            ("1 |f a\r1 |f b", Reason.wrong_type),
            ("1 |f a:\x00", Reason.null_byte),
            ("1 |f a:nan", Reason.not_finite),
            ("1 |f a b:-Inf c", Reason.not_finite),
            ("1 |f a:1e400", Reason.out_of_bounds),
            ("1 |f a:1e-400", Reason.out_of_bounds),
            ("1 |f a:1e13", Reason.out_of_bounds),
            ("1 |f a:-9999999999999", Reason.out_of_bounds),
            ("1 |f:1e13 a", Reason.out_of_bounds),
            ("1 |f a:x", Reason.wrong_type),
            ("1 |f a:0x10", Reason.wrong_type),
            ("1 |f a:1_0", Reason.wrong_type),
            ("1 |f a:", Reason.wrong_type),
            ("1 |f a:1:2", Reason.wrong_type),
            ("1 |f " + "x" * 1025, Reason.too_large),
            ("1 |f " + "ab " * 1200, Reason.too_many_features),
            ("one |f a", Reason.bad_label),
            ("1_0 |f a", Reason.bad_label),
            ("nan |f a", Reason.bad_label),
            ("1e999 |f a", Reason.bad_label),
            ("1 inf |f a", Reason.bad_label),
            ("1 2 3 4 |f a", Reason.bad_label),
            ("9" * 5000 + " |f a", Reason.bad_label),
        ],
    )
    def test_what_vw_would_take_amiss_is_refused(self, text: str, why: Reason) -> None:
        refusal = parse_line(text, Limits())
        assert isinstance(refusal, Refusal), refusal
        assert refusal.reason is why

    @pytest.mark.parametrize("bound", [0.5, 1.0, 10.0, 999.5, 1e12])
    def test_the_bound_is_the_bound(self, bound: float) -> None:
        limits = Limits(value=bound)
        for factor in (0.001, 0.5, 0.999, 1.0):
            assert isinstance(parse_line(f"1 |f a:{bound * factor:.10f} b", limits), VWLine)
        for factor in (1.001, 2.0, 1000.0):
            refusal = parse_line(f"1 |f b |g a:-{bound * factor:.10f}", limits)
            assert isinstance(refusal, Refusal)
            assert refusal.reason is Reason.out_of_bounds

    def test_unlabelled_is_the_line_without_its_head(self) -> None:
        assert unlabelled("1 2 'x|f a |g b") == "|f a |g b"

    def test_limits_are_those_of_the_model_file(self) -> None:
        assert isinstance(parse_line("1 |f " + "a " * 4, Limits(features=4)), VWLine)
        assert isinstance(parse_line("1 |f a a a a a", Limits(features=4)), Refusal)
        assert isinstance(parse_line("1 |f abcd " + "a " * 30, Limits(string=4)), VWLine)
        assert isinstance(parse_line("1 |f abcde " + "a " * 30, Limits(string=4)), Refusal)
