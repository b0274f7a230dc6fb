"""Exact explanations: the parts make the answer, on a thousand events of each kind of model."""

import math

import pytest

from learner.explaining.exact.parts import NoAnswerError
from learner.explaining.explain import NotExplainedError
from tests.effort import each_of
from tests.learner.explaining.asking import Served
from tests.learner.streams import binary, classes, numbers, only_numbers

SCALER, COUNT, LEARNED = "preprocessing.StandardScaler", 1000, 1000
TREE = "tree.HoeffdingTreeClassifier"
LINEAR = [
    "linear_model.LogisticRegression", "linear_model.Perceptron", "linear_model.PAClassifier",
    "linear_model.ALMAClassifier",
]  # fmt: skip
BAYES = [f"naive_bayes.{name}" for name in ("GaussianNB", "BernoulliNB")]
COUNTED = [f"naive_bayes.{name}" for name in ("MultinomialNB", "ComplementNB")]
SOON = {"grace_period": 50, "delta": 0.01}  # it splits within the events here
LEAVES = [{TREE: {**SOON, "leaf_prediction": it}} for it in ("mc", "nb", "nba")]
OTHER_TREES = [
    {f"tree.{name}": SOON}
    for name in ("HoeffdingAdaptiveTreeClassifier", "ExtremelyFastDecisionTreeClassifier")
]
NUMBER_TREES = [
    {"tree.HoeffdingTreeRegressor": {**SOON, "leaf_prediction": it}}
    for it in ("mean", "model", "adaptive")
]
NUMBERS = ["linear_model.LinearRegression", "linear_model.PARegressor"]
CASES = [
    *(("binary", [SCALER, each]) for each in LINEAR),
    *(("binary", [each]) for each in [*BAYES, *LEAVES, *OTHER_TREES]),
    *(("binary", ["preprocessing.MinMaxScaler", each]) for each in COUNTED),
    *(("multiclass", [each]) for each in ["naive_bayes.GaussianNB", *LEAVES]),
    ("multiclass", [SCALER, "linear_model.SoftmaxRegression"]),
    *(("regression", [SCALER, each]) for each in NUMBERS),
    *(("regression", [each]) for each in NUMBER_TREES),
]
MADE = {"binary": binary, "multiclass": classes, "regression": numbers}


def parts_of(found):
    return found["base"] + sum(each["contribution"] for each in found["contributions"])


def answer_of(model, x, found):
    """What the sum must be: computed here from the model's answer alone."""
    answer = model.predict(x)
    if found["scale"] == "value":
        return answer["prediction"]
    names = {"class": str(found["class"]).lower(), "against": str(found.get("against")).lower()}
    chances = answer["probabilities"]
    if found["scale"] == "probability":
        return chances[names["class"]]
    return chances[names["class"]] / (chances[names["class"]] + chances[names["against"]])


def read(found):
    total = parts_of(found)
    return 1 / (1 + math.exp(-total)) if found["scale"] == "log_odds" else total


@pytest.mark.parametrize(("task", "steps"), each_of(CASES), ids=str)
def test_the_parts_make_the_answer(task, steps, tmp_path):
    pairs = only_numbers(MADE[task](LEARNED + COUNT))
    served = Served(task, {"river": steps}, pairs[:LEARNED], tmp_path)
    scales = set()
    for x, _ in pairs[LEARNED:]:
        found = served.explained(x)
        assert found["method"] == "exact", found
        assert found["exact"]
        assert found["rest"] == 0.0
        assert abs(read(found) - answer_of(served.model, x, found)) <= 1e-9
        scales.add(found["scale"])
    assert scales <= {"value"} if task == "regression" else {"log_odds", "probability"}


def test_a_tree_tells_its_way_and_explains_by_the_rule_of_the_leaf(tmp_path):
    """By what was counted, or by naive Bayes: the way alone would explain another answer."""
    pairs = only_numbers(binary(3000))
    by_rule = {}
    for rule in ("mc", "nb"):
        tree = {TREE: {**SOON, "leaf_prediction": rule}}
        served = Served("binary", {"river": [tree]}, pairs[:2900], tmp_path)
        by_rule[rule] = [served.explained(x) for x, _ in pairs[2900:]]
    for counted, bayes in zip(by_rule["mc"], by_rule["nb"], strict=True):
        assert counted["path"] == bayes["path"], "the same tree"
        assert counted["scale"] == "probability"
        assert bayes["scale"] == "log_odds"
        split_on = {each["feature"] for each in counted["path"]}
        assert {each["feature"] for each in counted["contributions"]} == split_on
        assert {each["feature"] for each in bayes["contributions"]} == {"a", "b", "c"}
    longest = max((each["path"] for each in by_rule["mc"]), key=len)
    assert len(longest) > 1
    for split in longest:
        is_below = split["value"] <= split["than"]
        assert split["is"] == ("<=" if is_below else ">")


def test_what_an_encoder_makes_counts_for_its_feature(tmp_path):
    steps = [{"compose.TransformerUnion": [
        {"compose.Pipeline": [{"compose.Select": ["color"]}, "preprocessing.OneHotEncoder"]},
        {"compose.Pipeline": [{"compose.Select": ["a", "b", "c"]}, SCALER]},
    ]}, "linear_model.LogisticRegression"]  # fmt: skip
    served = Served("binary", {"river": steps}, binary(1000), tmp_path)
    found = served.explained({"a": 0.5, "b": 1.0, "c": 0.0, "color": "red"})
    assert found["exact"]
    values = {each["feature"]: each["value"] for each in found["contributions"]}
    assert values == {"a": 0.5, "b": 1.0, "c": 0.0, "color": "red"}
    assert {each["feature"]: each["contribution"] > 0 for each in found["contributions"]}["color"]


def test_the_other_class_has_the_opposite_parts(tmp_path):
    served = Served("binary", {"river": [SCALER, LINEAR[0]]}, only_numbers(binary(500)), tmp_path)
    x = {"a": 0.5, "b": 1.0, "c": 0.0}
    yes, no = served.explained(x, label=True), served.explained(x, label=False)
    assert (yes["class"], yes["against"], no["class"]) == (True, False, False)
    assert no["sum"] == pytest.approx(-yes["sum"])
    assert [each["contribution"] for each in no["contributions"]] == pytest.approx(
        [-each["contribution"] for each in yes["contributions"]]
    )


def test_only_the_largest_are_told_and_the_others_are_the_rest(tmp_path):
    served = Served("binary", {"river": [SCALER, LINEAR[0]]}, only_numbers(binary(500)), tmp_path)
    x = {"a": 0.5, "b": 1.0, "c": 0.0}
    whole, found = served.explained(x), served.explained(x, top=1)
    assert found["contributions"] == whole["contributions"][:1]
    assert found["rest"] == sum(each["contribution"] for each in whole["contributions"][1:])
    assert found["sum"] == whole["sum"]
    sizes = [abs(each["contribution"]) for each in whole["contributions"]]
    assert sizes == sorted(sizes, reverse=True)


def test_what_cannot_be_had_is_refused_with_its_field(tmp_path):
    forest = [{"forest.ARFClassifier": {"n_models": 2, "seed": 1}}]
    served = Served("binary", {"river": forest}, only_numbers(binary(100)), tmp_path)
    x = {"a": 0.5, "b": 1.0, "c": 0.0}
    with pytest.raises(NotExplainedError, match="no exact explanation") as refused:
        served.explained(x, method="exact")
    assert refused.value.field == "method"
    with pytest.raises(NotExplainedError, match="'UP' is none of False, True") as refused:
        served.explained(x, label="UP")
    assert refused.value.field == "class"
    number = Served("regression", {"river": [NUMBERS[0]]}, only_numbers(numbers(9)), tmp_path)
    with pytest.raises(NotExplainedError, match="predicts a number"):
        number.explained(x, label=1)
    unlearned = Served("multiclass", {"river": ["naive_bayes.GaussianNB"]}, [], tmp_path)
    with pytest.raises(NoAnswerError):
        unlearned.explained(x)
