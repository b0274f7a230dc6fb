"""A model that was restored is the model that was saved: whatever a model file can name.

The same over 5,000 events, with more copies: `make copies`.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from river import metrics, proba

from checkpoints.unpickle import loads
from learner.build import build_estimator
from learner.deep_pickle import dumps
from learner.errors import SpecError
from learner.river.components import component_names
from learner.river.inline_attributes import inline_attributes
from learner.river.spec import build_pipeline
from tests.effort import each_of
from tests.learner.river.copying import divergence, events, is_for_its_task
from tests.learner.river.every_component import (
    FEW,
    LABELS,
    LINEAR,
    SCALER,
    WORDLESS,
    cases_of,
    written,
)
from tests.learner.streams import model_file

EVENTS = 36
CUTS = (0.3, 0.7)
LEARNING = [name for name in component_names() if cases_of(name)]


@pytest.mark.filterwarnings("ignore:Passing an instance to utils.Rolling")
@pytest.mark.parametrize("name", each_of(LEARNING))
def test_each_copy_of_a_model_answers_and_learns_on_to_the_last_bit(name: str) -> None:
    for case in filter(is_for_its_task, cases_of(name)):
        assert divergence(case, EVENTS, CUTS) is None, case


# Not the one for clusters, which scores no labels.
METRICS = [
    name
    for name in component_names()
    if name.startswith("metrics.") and name != "metrics.Silhouette"
]


@pytest.mark.parametrize("name", each_of(METRICS))
def test_each_copy_of_a_score_goes_on_to_the_last_bit(name: str) -> None:
    kept = [built(name)]
    for place, (y, answer) in enumerate(answers(kept[0], 80)):
        if place in {0, 20, 60}:
            kept += [reloaded(kept[0]), reloaded(kept[-1])]
        for each in kept:
            each.update(y, answer)
        assert len({repr(each) for each in kept}) == 1


def answers(metric: Any, count: int) -> list[tuple[Any, Any]]:
    """Labels and predictions of the kind that the metric takes."""
    source = random.Random(3)
    if isinstance(metric, metrics.base.RegressionMetric):
        return [(source.random(), source.random()) for _ in range(count)]
    labels: Any = [True, False] if isinstance(metric, metrics.base.BinaryMetric) else LABELS
    found = [(source.choice(labels), source.choice(labels)) for _ in range(count)]
    if not getattr(metric, "requires_labels", True):
        return [(y, {label: source.random() for label in labels}) for y, _ in found]
    return found


DISTRIBUTIONS = [name for name in component_names() if name.startswith("proba.")]


@pytest.mark.parametrize("name", each_of(DISTRIBUTIONS))
def test_each_copy_of_a_distribution_goes_on_to_the_last_bit(name: str) -> None:
    source, kept = random.Random(5), [built(name)]
    for place in range(60):
        if place in {0, 20, 40}:
            kept += [reloaded(kept[0]), reloaded(kept[-1])]
        value = observation(kept[0], source)
        for each in kept:
            each.update(value)
        assert len({repr(each) for each in kept}) == 1
    assert len({repr(each.sample()) for each in kept}) == 1


def observation(distribution: Any, source: random.Random) -> Any:
    """What this kind of distribution is of."""
    if isinstance(distribution, proba.MultivariateGaussian):
        return {name: source.random() for name in ("b", "a", "zeta")}
    if isinstance(distribution, proba.Multinomial):
        return source.choice(LABELS)
    return source.random() > 0.4 if isinstance(distribution, proba.Beta) else source.random()


def built(name: str) -> Any:
    """The component by itself."""
    return build_pipeline([written(name)])[0]


def reloaded(thing: Any) -> Any:
    """Through the pickle of a version and back."""
    with inline_attributes():
        return loads(dumps(thing))


REFUSED = {
    "bandit.LinUCBDisjoint": "use bandit.UCB",
    "bandit.ThompsonSampling": "use bandit.UCB",
    "compose.SelectType": "takes Python functions or types",
    "neighbors.SWINN": "use neighbors.LazySearch",
    "preprocessing.LDA": "use feature_extraction.TFIDF",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_go_on_from_a_copy_is_refused_by_name(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_pipeline([{"neighbors.KNNClassifier": {"engine": name}}])
    assert f"river's {name}" in caught.value.message
    assert REFUSED[name] in caught.value.message


def test_an_argument_that_copies_would_not_agree_on_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="bound it by max_depth") as caught:
        build_pipeline([{"tree.HoeffdingTreeClassifier": {"memory_estimate_period": 100}}])
    assert caught.value.key.endswith("tree.HoeffdingTreeClassifier.memory_estimate_period")


TREE = {"tree.HoeffdingAdaptiveTreeClassifier": {"grace_period": 50, "seed": 1}}
RIVERS_TREE = "tree.HoeffdingAdaptiveTreeClassifier(grace_period=50, seed=1)"
# Those that go through a set for an answer, or file things by address: the task, the model file's
# way to write it, and River's.
BESIDE_RIVER: list[tuple[str, list[Any], str]] = [
    (
        "regression",
        [{"compose.Select": ["d", "b", "a", "c", "gap", "zeta"]}, SCALER, LINEAR],
        "compose.Select('d', 'b', 'a', 'c', 'gap', 'zeta') | scaler | linear",
    ),
    ("multiclass", [FEW, TREE], f"few | {RIVERS_TREE}"),
    (
        "multiclass",
        [FEW, {"multiclass.OneVsOneClassifier": [TREE]}],
        f"few | multiclass.OneVsOneClassifier({RIVERS_TREE})",
    ),
    ("multiclass", [FEW, "neighbors.KNNClassifier"], "few | neighbors.KNNClassifier()"),
    (
        "multiclass",
        [FEW, {"forest.AMFClassifier": {"n_estimators": 3, "seed": 42}}],
        "few | forest.AMFClassifier(n_estimators=3, seed=42)",
    ),
    (
        "regression",
        [WORDLESS, {"feature_extraction.RandomTreesEmbedding": {"n_trees": 3}}, SCALER, LINEAR],
        "wordless | feature_extraction.RandomTreesEmbedding(3, seed=42) | scaler | linear",
    ),
    (
        "regression",
        [WORDLESS, {"feature_selection.SelectKBest": ["stats.PearsonCorr", 3]}, SCALER, LINEAR],
        "wordless | feature_selection.SelectKBest(stats.PearsonCorr(), 3) | scaler | linear",
    ),
]
# A program that knows nothing of Weir.
BARE = """
import sys
from river import compose, feature_extraction, feature_selection, forest, linear_model
from river import multiclass, neighbors, preprocessing, stats, tree
for expression, pairs in eval(sys.stdin.read()):
    scaler, linear = preprocessing.StandardScaler(), linear_model.LinearRegression()
    few, wordless = compose.Select("d", "a", "gap"), compose.Discard("text", "cat")
    model = eval(expression)
    for x, y in pairs:
        try:
            print(repr(model.predict_proba_one(x)))
        except (AttributeError, NotImplementedError):
            print(repr(model.predict_one(x)))
        model.learn_one(x, y)
"""


def test_answers_are_those_of_river_alone_in_a_process_of_its_own() -> None:
    told = [(expression, events(task, 100)) for task, _, expression in BESIDE_RIVER]
    bare = subprocess.run(
        [sys.executable, "-c", BARE],
        input=repr(told),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert not sys.flags.hash_randomization, "make sets PYTHONHASHSEED=0, as weir does"
    here = [answer for task, river, _ in BESIDE_RIVER for answer in asked(task, river)]
    assert here == bare.stdout.splitlines()


def asked(task: str, river: list[Any]) -> Iterator[str]:
    """The answers of the model that a model file has built, as its learner asks for them."""
    estimator = build_estimator(model_file(task, {"river": river}))
    for x, y in events(task, 100):
        label, chances = estimator.predict(x)
        yield repr(label if chances is None else chances)
        estimator.learn(x, y, None)
