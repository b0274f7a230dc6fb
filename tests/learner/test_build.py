"""From a model file's words to a model: what is built, and what is refused, where and how."""

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from river import (
    compose,
    drift,
    forest,
    linear_model,
    multiclass,
    naive_bayes,
    optim,
    preprocessing,
    tree,
)

from learner.build import build_estimator, restore_estimator
from learner.errors import RestoreError, SpecError
from learner.river.estimator import RiverEstimator
from learner.river.spec import build_pipeline
from tests.learner.streams import binary, model_file, only_numbers

SCALER, LOGISTIC = "preprocessing.StandardScaler", "linear_model.LogisticRegression"
PIPELINES: list[tuple[list[Any], Any]] = [
    ([SCALER], preprocessing.StandardScaler()),
    ([SCALER, LOGISTIC], preprocessing.StandardScaler() | linear_model.LogisticRegression()),
    (
        [SCALER, {LOGISTIC: {"optimizer": {"optim.SGD": [0.005]}}}],
        preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005)),
    ),
    ([{LOGISTIC: {"optimizer": "optim.Adam"}}], linear_model.LogisticRegression(optim.Adam())),
    ([{LOGISTIC: ["optim.Adam"]}], linear_model.LogisticRegression(optim.Adam())),
    ([{LOGISTIC: "optim.Adam"}], linear_model.LogisticRegression(optim.Adam())),
    ([{LOGISTIC: None}], linear_model.LogisticRegression()),
    (
        [{LOGISTIC: {"optimizer": {"optim.SGD": {"lr": {"optim.schedulers.Constant": [0.1]}}}}}],
        linear_model.LogisticRegression(optim.SGD(optim.schedulers.Constant(0.1))),
    ),
    (
        [{"compose.Discard": ["carrier", "optim.origin"]}, "naive_bayes.GaussianNB"],
        compose.Discard("carrier", "optim.origin") | naive_bayes.GaussianNB(),
    ),
    (
        [{"forest.ARFClassifier": {"n_models": 10, "seed": 42}}],
        forest.ARFClassifier(n_models=10, seed=42),
    ),
    (
        [{"forest.ARFClassifier": {"seed": 1, "drift_detector": {"drift.ADWIN": [0.01]}}}],
        forest.ARFClassifier(seed=1, drift_detector=drift.ADWIN(0.01)),
    ),
    (
        [{"multiclass.OneVsRestClassifier": [LOGISTIC]}],
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    ),
    (
        [{"multiclass.OneVsRestClassifier": {LOGISTIC: {"l2": 0.1}}}],
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression(l2=0.1)),
    ),
    (
        [{"multiclass.OneVsRestClassifier": [[SCALER, LOGISTIC]]}],
        multiclass.OneVsRestClassifier(
            preprocessing.StandardScaler() | linear_model.LogisticRegression()
        ),
    ),
    (
        [
            {
                "preprocessing.TargetStandardScaler": {
                    "regressor": [SCALER, "linear_model.LinearRegression"]
                }
            }
        ],
        preprocessing.TargetStandardScaler(
            regressor=preprocessing.StandardScaler() | linear_model.LinearRegression()
        ),
    ),
    (
        [{"compose.TransformerUnion": [SCALER, {"compose.Select": ["a"]}]}, LOGISTIC],
        (preprocessing.StandardScaler() + compose.Select("a")) | linear_model.LogisticRegression(),
    ),
    (
        [{"tree.HoeffdingTreeClassifier": {"nominal_attributes": ["tree.Height"]}}],
        tree.HoeffdingTreeClassifier(nominal_attributes=["tree.Height"]),
    ),
    (
        [{"compose.Renamer": [{"old": "new"}]}],
        compose.Renamer({"old": "new"}),
    ),
]


@pytest.mark.parametrize(("spec", "same_as"), PIPELINES, ids=[str(p[0])[:70] for p in PIPELINES])
def test_a_pipeline_is_what_river_would_have_built(spec: list[Any], same_as: Any) -> None:
    model, notes = build_pipeline(spec)
    assert repr(model) == repr(same_as)
    assert str(model) == str(same_as)
    assert notes == ()


def test_a_list_of_models_stays_a_list_where_river_takes_one() -> None:
    spec = [{"ensemble.VotingClassifier": {"models": [LOGISTIC, [SCALER, LOGISTIC]]}}]
    model, _ = build_pipeline(spec)
    assert [str(each) for each in model.models] == [
        "LogisticRegression",
        "StandardScaler | LogisticRegression",
    ]
    by_position = [{"ensemble.VotingClassifier": [[LOGISTIC, "naive_bayes.GaussianNB"]]}]
    assert len(build_pipeline(by_position)[0].models) == 2


def test_what_has_no_seed_is_given_one_and_it_is_said() -> None:
    spec = [{"ensemble.BaggingClassifier": {"model": {"tree.HoeffdingAdaptiveTreeClassifier": []}}}]
    model, notes = build_pipeline(spec)
    bagging = "learner.river[0].ensemble.BaggingClassifier"
    assert notes == (
        f"{bagging}.model.tree.HoeffdingAdaptiveTreeClassifier: seed 42, for want of one",
        f"{bagging}: seed 42, for want of one",
    )
    assert model.seed == model.model.seed == 42
    assert build_pipeline([{"forest.ARFClassifier": {"seed": 0}}])[1] == ()
    assert build_pipeline([{"forest.ARFClassifier": {"seed": None}}])[1] != ()


REFUSED: list[tuple[list[Any], str, str]] = [
    (["linear_model.LogisticRegresion"], "[0]", 'did you mean "linear_model.LogisticRegression"?'),
    (["StandardScaler"], "[0]", 'did you mean "preprocessing.StandardScaler"?'),
    (["optim.SGD2x9q"], "[0]", "river has no optim.SGD2x9q"),
    (["datasets.Phishing"], "[0]", "river's datasets.Phishing is no component of a model"),
    ([{"compose.FuncTransformer": ["print"]}], "[0]", "which a model file cannot give"),
    (["os.system"], "[0]", "river has no os.system"),
    (["drift.PeriodicTrigger"], "[0]", "river has no drift.PeriodicTrigger"),
    (["base.Classifier"], "[0]", "river has no base.Classifier"),
    (
        [SCALER, {LOGISTIC: {"optimiser": "optim.SGD"}}],
        f"[1].{LOGISTIC}.optimiser",
        'is not an argument of LogisticRegression (did you mean "optimizer"?)',
    ),
    (
        [SCALER, {LOGISTIC: {"optimizer": "optim.Sdg"}}],
        f"[1].{LOGISTIC}.optimizer",
        'river has no optim.Sdg (did you mean "optim.SGD"?)',
    ),
    (
        [SCALER, {LOGISTIC: {"optimizer": {"optim.SGD": {"rate": 1}}}}],
        f"[1].{LOGISTIC}.optimizer.optim.SGD.rate",
        "is not an argument of SGD: it takes lr",
    ),
    (
        [{"compose.Select": [{"stream.iter_csv": ["/etc/passwd"]}, {"datasets.Phishing": []}]}],
        "[0].compose.Select[1]",
        "no component",
    ),
    (["multiclass.OneVsRestClassifier"], "[0].multiclass.OneVsRestClassifier", "classifier"),
    ([{"optim.SGD": [1, 2, 3]}], "[0].optim.SGD", "too many positional arguments"),
    ([{LOGISTIC: {"l1": 1.0, "l2": 1.0}}], f"[0].{LOGISTIC}", "joint use of L1 and L2"),
    ([LOGISTIC, SCALER], "[0]", "LogisticRegression is not a transformer"),
    (
        [{"preprocessing.PredClipper": {"regressor": LOGISTIC, "y_min": "low", "y_max": 1}}],
        "[0].preprocessing.PredClipper.y_min",
        "takes float, not 'low'",
    ),
    (
        [{LOGISTIC: {"optimizer": "quick"}}],
        f"[0].{LOGISTIC}.optimizer",
        "takes optim.base.Optimizer | None, not 'quick'",
    ),
    ([{LOGISTIC: ["optim.SGD", 3]}], f"[0].{LOGISTIC}.loss", "not 3"),
    (
        [{"forest.ARFClassifier": {"n_models": "optim.SGD"}}],
        "[0].forest.ARFClassifier.n_models",
        "takes int, not SGD",
    ),
    ([7], "[0]", "must name a component of River, not '7'"),
    ([{"a": 1, "b": 2}], "[0]", "must name a component"),
]


@pytest.mark.parametrize(("spec", "key", "message"), REFUSED, ids=[str(r[0])[:60] for r in REFUSED])
def test_what_is_wrong_is_named_with_its_place(spec: list[Any], key: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_pipeline(spec)
    assert caught.value.key == f"learner.river{key}"
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("task", "name", "message"),
    [
        ("multiclass", LOGISTIC, "multiclass.OneVsRestClassifier"),
        ("binary", "linear_model.LinearRegression", "binary needs a classifier"),
        ("regression", LOGISTIC, "regression needs a regressor"),
        ("regression", "tree.iSOUPTreeRegressor", "river has no"),
        ("regression", "tree.ISOUPTreeRegressor", "regression needs a regressor"),
        ("binary", SCALER, "binary needs a classifier"),
    ],
)
def test_the_model_must_suit_the_task(task: str, name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build_estimator(model_file(task, {"river": [name]}))


def test_a_river_model_is_restored_only_for_its_task() -> None:
    file = model_file("binary", {"river": [SCALER, LOGISTIC]})
    dumped = pickle.loads(pickle.dumps(build_estimator(file).dump()))
    assert isinstance(restore_estimator(file, dumped), RiverEstimator)
    regression = model_file("regression", {"river": ["linear_model.LinearRegression"]})
    with pytest.raises(RestoreError, match="regression needs a regressor"):
        restore_estimator(regression, dumped)
    with pytest.raises(RestoreError, match="holds a dict"):
        restore_estimator(file, {})


@pytest.fixture
def users_module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A package of a user's with one module."""
    package, module = types.ModuleType("my_shop"), types.ModuleType("my_shop.models")
    monkeypatch.setitem(sys.modules, "my_shop", package)
    monkeypatch.setitem(sys.modules, "my_shop.models", module)
    return module


class TestPython:
    def test_a_trusted_factory_makes_the_model(self, users_module: Any) -> None:
        users_module.build = linear_model.LogisticRegression
        file = model_file("binary", {"python": "my_shop.models:build"}, trust=["my_shop"])
        estimator = build_estimator(file)
        for x, y in only_numbers(binary(50)):
            estimator.learn(x, y, 2.0)
        assert estimator.takes_weight
        again = restore_estimator(file, pickle.loads(pickle.dumps(estimator.dump())))
        assert again.predict({"a": 1.0}) == estimator.predict({"a": 1.0})

    @pytest.mark.parametrize(
        ("path", "trust", "message"),
        [
            ("my_shop.nothing:build", ["my_shop"], "cannot be imported"),
            ("my_shop.models:nothing", ["my_shop"], "cannot be imported"),
            ("my_shop.models:fails", ["my_shop"], "raised ZeroDivisionError"),
            ("my_shop.models:ends", ["my_shop"], "raised SystemExit: 0"),
            ("my_shop.models:dict", ["my_shop"], "dict of my_shop.models:dict lacks learn_one and"),
        ],
    )
    def test_others_are_refused(
        self, path: str, trust: list[str], message: str, users_module: Any
    ) -> None:
        users_module.fails = lambda: 1 / 0
        users_module.ends = lambda: sys.exit(0)
        users_module.dict = dict
        with pytest.raises(SpecError, match=message) as caught:
            build_estimator(model_file("binary", {"python": path}, trust=trust))
        assert caught.value.key == "learner.python"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('raise RuntimeError("no database")', "it raised RuntimeError: no database"),
            ("import sys; sys.exit(0)", "it raised SystemExit: 0"),
            ("def build(:", "it raised SyntaxError: "),
        ],
    )
    def test_a_module_that_cannot_be_imported_is_refused_whatever_it_raises(
        self, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f"spoilt_{len(text)}"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        file = model_file("binary", {"python": f"{name}:build"}, trust=[name])
        with pytest.raises(SpecError, match=f"{name}:build cannot be imported: {message}"):
            build_estimator(file)

    def test_a_snapshot_of_an_untrusted_module_is_refused(self, users_module: Any) -> None:
        users_module.build = linear_model.LogisticRegression
        file = model_file("binary", {"python": "my_shop.models:build"}, trust=["my_shop"])
        with pytest.raises(RestoreError, match="not listed under trust:"):
            restore_estimator(file, types.SimpleNamespace())
