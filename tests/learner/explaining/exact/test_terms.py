"""Vowpal Wabbit's answers explained by its own terms."""

import math
import os
import random
import sys

import pytest

from learner.explaining.exact.parts import NoAnswerError
from learner.explaining.explain import NotExplainedError
from tests.learner.explaining.asking import Served
from tests.learner.streams import binary, numbers

COUNT, LEARNED = 1000, 1000
LOGISTIC = "--loss_function logistic --link logistic"
CASES = {
    "plain": ("binary", LOGISTIC),
    "its score": ("binary", "--loss_function logistic"),
    "pairs": ("binary", f"{LOGISTIC} -q ::"),
    "triples": ("binary", f"{LOGISTIC} --interactions :::"),
    "ngrams": ("binary", f"{LOGISTIC} --ngram 2 --noconstant"),
    "numbers": ("regression", "-q ::"),
}


def nested(pairs):
    return [({"a": x["a"], "of": {"b": x["b"], "color": x["color"]}}, y) for x, y in pairs]


@pytest.mark.parametrize("name", CASES)
def test_the_terms_make_the_answer_or_it_is_not_called_exact(name, tmp_path):
    task, arguments = CASES[name]
    pairs = nested((binary if task == "binary" else numbers)(LEARNED + COUNT))
    served = Served(task, {"vw": arguments}, pairs[:LEARNED], tmp_path)
    exact = 0
    for x, _ in pairs[LEARNED:]:
        found, answer = served.explained(x), served.model.predict(x)
        if not found["exact"]:
            assert found["method"] == "leave_one_out", "outside of what it has seen VW clips"
            continue
        exact += 1
        if task == "binary":
            assert found["scale"] == "log_odds"
            read = 1 / (1 + math.exp(-found["sum"]))
            assert abs(read - answer["probabilities"]["true"]) <= 1e-5
        else:
            allowed = 1e-5 * max(1.0, abs(answer["prediction"]))
            assert abs(found["sum"] - answer["prediction"]) <= allowed
    assert exact == COUNT if task == "binary" else exact > 0.95 * COUNT


def test_terms_have_the_names_of_features(tmp_path):
    served = Served("binary", {"vw": f"{LOGISTIC} -q ::"}, nested(binary(500)), tmp_path)
    found = served.explained({"a": 0.5, "of": {"b": 1.0, "color": "red"}})
    names = {each["feature"] for each in found["contributions"]}
    assert {"a", "of.b", "of.color", "a*of.b", "a*of.color"} <= names
    values = {each["feature"]: each["value"] for each in found["contributions"]}
    assert values["of.color"] == "red"
    assert values["a*of.b"] is None


def test_names_that_mean_something_to_vw_are_told_as_they_came(tmp_path):
    source = random.Random(3)
    pairs = [
        ({"n n:|%": (v := source.gauss(0, 1)), "c^*": source.choice(["x y", "b:l|ue"])}, v > 0)
        for _ in range(500)
    ]
    served = Served("binary", {"vw": LOGISTIC}, pairs, tmp_path)
    found = served.explained(pairs[0][0])
    assert found["exact"]
    assert "n n:|%" in {each["feature"] for each in found["contributions"]}


@pytest.mark.parametrize("arguments", [f"{LOGISTIC} --nn 3", "--boosting 3", f"{LOGISTIC} -b 22"])
def test_where_the_score_is_not_one_sum_the_model_is_asked(arguments, tmp_path):
    served = Served("binary", {"vw": arguments}, nested(binary(300)), tmp_path)
    found = served.explained({"a": 0.5, "of": {"b": 1.0, "color": "red"}})
    assert (found["method"], found["exact"]) == ("leave_one_out", False)
    assert {each["feature"] for each in found["contributions"]} == {"a", "of.b", "of.color"}


@pytest.mark.parametrize("combined", ["-q ::", "--cubic ::o"])
def test_where_there_are_too_many_terms_the_model_is_asked(combined, tmp_path):
    """They are counted before VW writes them: a hundred features have a second's worth."""
    served = Served("binary", {"vw": f"{LOGISTIC} {combined}"}, nested(binary(300)), tmp_path)
    wide = {"a": 0.5, "of": {f"b{n}": 1.0 for n in range(150)}}
    assert served.explained({"a": 0.5, "of": {"b": 1.0}})["exact"]
    assert served.explained(wide)["method"] == "leave_one_out"
    with pytest.raises(NotExplainedError, match="or of so many terms"):
        served.explained(wide, method="exact")


def test_more_terms_than_were_counted_are_not_told_in_part(tmp_path):
    """N-grams are not counted, and their names are as long as they like."""
    served = Served("binary", {"vw": f"{LOGISTIC} --ngram 3"}, nested(binary(300)), tmp_path)
    wide = {"of": {f"b{n}{'x' * 1000}": 1.0 for n in range(600)}}
    assert served.explained(wide)["method"] == "leave_one_out"


@pytest.mark.parametrize("link", ["poisson", "glf1", "logistic", "identity"])
@pytest.mark.parametrize("a", [1e11, -1e11])
def test_what_overflows_is_asked_or_has_no_explanation(link, a, tmp_path):
    """Whatever the model answers there, nothing is told that is no number."""
    loss = {"poisson": "poisson", "logistic": "logistic"}.get(link, "squared")
    pairs = [({"a": x["a"]}, abs(y)) for x, y in numbers(300)]
    task = "binary" if loss == "logistic" else "regression"
    some = [(x, y > 1) for x, y in pairs] if task == "binary" else pairs
    arguments = f"--loss_function {loss} --link {link}"
    served = Served(task, {"vw": arguments}, some, tmp_path)
    for method in ("auto", "exact"):
        try:
            found = served.explained({"a": a}, method=method)
        except (NotExplainedError, NoAnswerError):
            continue
        assert math.isfinite(found["sum"])
        assert math.isfinite(found["residual"])


def test_what_is_written_to_stdout_before_and_after_stays_there(tmp_path, capfd):
    """The terms are caught where VW writes them, and nothing else is."""
    served = Served("binary", {"vw": LOGISTIC}, nested(binary(300)), tmp_path)
    os.write(1, b"before ")
    assert served.explained({"a": 0.5, "of": {"b": 1.0, "color": "red"}})["exact"]
    sys.stdout.flush()
    os.write(1, b"after")
    assert capfd.readouterr().out == "before after"
