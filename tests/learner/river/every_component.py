"""Every component that a model file can name, each in a pipeline that learns with it.

Found by introspection of what `learner.river.components` admits: a component of a new kind, or with
an argument that nothing here knows, is an error of `pipeline_of`, never left out.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from river import base, metrics, optim, stats
from river.tree.splitter import Quantizer, Splitter

from learner.river.components import component_class

LOGISTIC, LINEAR = "linear_model.LogisticRegression", "linear_model.LinearRegression"
SCALER, TREE = "preprocessing.StandardScaler", "tree.HoeffdingTreeRegressor"
FEW = {"compose.Select": ["d", "a", "gap"]}
WORDLESS = {"compose.Discard": ["text", "cat"]}

LABELS = (
    *("Istanbul", "Ankara", "Izmir", "Bursa", "Adana", "Konya", "Antalya", "Kayseri"),
    *("Mersin", "Samsun", "Denizli", "Trabzon", "Malatya"),
)

# What a required argument of this name is given.
_VALUES: dict[str, Any] = {
    "anomaly_detector": "anomaly.HalfSpaceTrees",
    "beta": 0.5,
    "budget": 500,
    "by": "cat",
    "classifier": LOGISTIC,
    "code_size": 7,
    "delta": 0.5,
    "desired_dist": {True: 0.5, False: 0.5},
    "epsilon": 0.1,
    "gamma": 0.5,
    "how": "stats.Mean",
    "lag": 2,
    "learning_rate": 0.05,
    "loss": "optim.losses.Squared",
    "lr": 0.05,
    "mapping": {"a": "alpha", "f1": "phi"},
    "meta_classifier": LOGISTIC,
    "on": "a",
    "optimizer": {"optim.SGD": [0.01]},
    "p": 0.3,
    "policy": {"bandit.EpsilonGreedy": {"epsilon": 0.2, "seed": 3}},
    "prefix": "x_",
    "prior": 0.5,
    "prior_weight": 10.0,
    "q": 0.9,
    "regressor": LINEAR,
    "similarity": "stats.PearsonCorr",
    "size": 30,
    "statistic": "stats.Mean",
    "suffix": "_x",
    "threshold": 0.95,
    "transformer": SCALER,
    "value": 0.1,
    "window_size": 4,
    "y_max": 30.0,
    "y_min": -10.0,
}
# Arguments that need not be given, and are: few models make an ensemble, and trees split soon.
_SOON = {"grace_period": 15, "n_estimators": 3, "n_models": 3, "n_trees": 3}
# Arguments of one component: those that it takes by position, and where the common ones do not do.
_ARGUMENTS: dict[str, Any] = {
    "metrics.MultiFBeta": {"betas": dict.fromkeys(LABELS, 0.5), "weights": None},
    "anomaly.LODA": {"n_random_cuts": 10, "seed": 1},
    "anomaly.LocalOutlierFactor": {
        "n_neighbors": 3,
        "engine": {"neighbors.LazySearch": {"window_size": 12}},
    },
    "anomaly.PredictiveAnomalyDetection": {"predictive_model": LINEAR, "warmup_period": 3},
    "compose.Discard": ["text", "cat", "f3"],
    "compose.Grouper": {"transformer": {"compose.Select": ["a", "b", "gap", "zeta"]}, "by": "cat"},
    "compose.Select": ["d", "b", "a", "c", "f0", "gap", "zeta"],
    "compose.TransformerProduct": [{"compose.Select": ["a", "c"]}, {"compose.Select": ["b", "d"]}],
    "compose.TransformerUnion": [SCALER, "preprocessing.MinMaxScaler"],
    "preprocessing.StatImputer": [["f1", "stats.Mean"], ["f2", "stats.Max"]],
    "preprocessing.FeatureHasher": {"n_features": 16, "seed": 5},
    "feature_extraction.BagOfWords": {"on": "text", "ngram_range": [1, 2]},
    "feature_extraction.TFIDF": {"on": "text"},
    "feature_extraction.RBFSampler": {"n_components": 4, "seed": 1},
    "preprocessing.GapEncoder": {"on": "cat", "n_components": 3, "seed": 1},
}


class Case(NamedTuple):
    """A pipeline to learn, for a task."""

    task: str
    river: list[Any]


_CLASSES = {"tree.HoeffdingAdaptiveTreeClassifier": {"grace_period": 30, "seed": 1}}


Cases: TypeAlias = Callable[[str], list[Case]]


def cases_of(name: str) -> list[Case]:
    """Pipelines that learn with this component; none where it has no place in any.

    Raises:
        LookupError: Nothing here knows what to do with it.
    """
    cls = component_class(name)
    assert cls is not None
    if name in _OF_ONE:
        return _OF_ONE[name]
    for kind, cases in _OF_KIND.items():
        if issubclass(cls, kind):
            return cases(name)
    return _OF_MODULE[name.rpartition(".")[0]](name)


def written(name: str, **given: Any) -> Any:
    """The component with what it cannot do without, as a model file has it."""
    if name in _ARGUMENTS:
        return {name: _ARGUMENTS[name]}
    cls: Any = component_class(name)
    soon = _SOON | {"delta": 0.2} if name.startswith("tree.") else _SOON
    arguments = {
        each.name: (_VALUES | soon | given)[each.name]
        for each in inspect.signature(cls).parameters.values()
        if each.kind is each.POSITIONAL_OR_KEYWORD
        if each.default is each.empty or each.name in soon
    }
    return {name: arguments} if arguments else name


def _regression(*river: Any) -> Case:
    return Case("regression", list(river))


def _classifiers(name: str) -> list[Case]:
    of_two = {"model": LOGISTIC, "models": [LOGISTIC, "naive_bayes.GaussianNB"]}
    of_many = {
        "classifier": LOGISTIC if name == "multiclass.OneVsRestClassifier" else _CLASSES,
        "desired_dist": dict.fromkeys(LABELS, 1 / len(LABELS)),
        "meta_classifier": _CLASSES,
        "metric": "metrics.MacroF1",
        "model": _CLASSES,
        "models": [_CLASSES, "naive_bayes.GaussianNB"],
    }
    component = written(name, **of_many)
    before = FEW if name.startswith("facto.") else WORDLESS
    if name in {"naive_bayes.ComplementNB", "naive_bayes.MultinomialNB"}:  # of counts
        return [Case("multiclass", [WORDLESS, "preprocessing.MinMaxScaler", component])]
    return [
        Case("binary", [before, SCALER, written(name, **of_two, metric="metrics.Accuracy")]),
        Case("multiclass", [FEW, component]),
        Case("multiclass", [FEW, SCALER, component]),
    ]


def _regressors(name: str) -> list[Case]:
    component = written(name, model=LINEAR, models=[LINEAR, TREE], metric="metrics.MAE")
    before = FEW if name.startswith("facto.") else WORDLESS
    return [_regression(before, component), _regression(before, SCALER, component)]


def _transformers(name: str) -> list[Case]:
    before = [] if name in _ON_WORDS else [WORDLESS]
    tree = {TREE: {"grace_period": 20, "delta": 0.2, "splitter": "tree.splitter.QOSplitter"}}
    component = written(name)
    return [_regression(*before, component, SCALER, LINEAR), _regression(*before, component, tree)]


# Transformers that make something of text.
_ON_WORDS = frozenset(
    {
        "compose.Discard",
        "compose.Grouper",
        "feature_extraction.Agg",
        "feature_extraction.BagOfWords",
    }
    | {"feature_extraction.TargetAgg", "feature_extraction.TFIDF", "preprocessing.FeatureHasher"}
    | {"preprocessing.GapEncoder", "preprocessing.OneHotEncoder", "preprocessing.OrdinalEncoder"}
)


def _filters(name: str, detector: Any = "anomaly.HalfSpaceTrees") -> list[Case]:
    component = written(name, anomaly_detector=detector)
    return [_regression(WORDLESS, "preprocessing.MinMaxScaler", component, LINEAR)]


def _of_linear(argument: str) -> Cases:
    def cases(name: str) -> list[Case]:
        component = {LINEAR: {argument: written(name)}}
        return [_regression(before, SCALER, component) for before in (WORDLESS, FEW)]

    return cases


def _losses(name: str) -> list[Case]:
    cls: Any = component_class(name)
    if issubclass(cls, optim.losses.BinaryLoss):
        return [Case("binary", [WORDLESS, SCALER, {LOGISTIC: {"loss": written(name)}}])]
    if issubclass(cls, optim.losses.MultiClassLoss):
        component = {"linear_model.SoftmaxRegression": {"loss": name}}
        return [Case("multiclass", [WORDLESS, SCALER, component])]
    return _of_linear("loss")(name)


def _statistics(name: str) -> list[Case]:
    cls: Any = component_class(name)
    if issubclass(cls, stats.base.Bivariate):
        chosen = {"feature_selection.SelectKBest": {"similarity": written(name), "k": 4}}
        return [_regression(WORDLESS, chosen, SCALER, LINEAR)]
    how = {"by": "cat", "how": written(name, left="stats.Shift", right="stats.Mean")}
    # Some have no value yet when they are first asked: a leaf's mean does without.
    tree = {TREE: {"grace_period": 15, "delta": 0.2, "leaf_prediction": "mean"}}
    return [
        _regression({"feature_extraction.Agg": {"on": "a", **how}}, tree),
        _regression({"feature_extraction.TargetAgg": how}, tree),
    ]


def _detectors(name: str) -> list[Case]:
    detectors = {"drift_detector": written(name), "warning_detector": written(name)}
    forest = {"n_models": 2, "seed": 1, **detectors}
    return [Case("binary", [WORDLESS, {"forest.ARFClassifier": forest}])]


def _binary_detectors(name: str) -> list[Case]:
    component = {"model": LOGISTIC, "drift_detector": written(name)}
    return [Case("binary", [WORDLESS, SCALER, {"drift.DriftRetrainingClassifier": component}])]


def _splitters(name: str) -> list[Case]:
    cls: Any = component_class(name)
    arguments = {"splitter": name, "grace_period": 15, "delta": 0.2}
    if cls().is_target_class:
        return [Case("multiclass", [WORDLESS, {"tree.HoeffdingTreeClassifier": arguments}])]
    return [_regression(WORDLESS, {TREE: arguments})]


def _quantizers(name: str) -> list[Case]:
    arguments = {"feature_quantizer": name, "grace_period": 15, "delta": 0.2}
    return [_regression(WORDLESS, {"tree.SGTRegressor": arguments})]


def _policies(name: str) -> list[Case]:
    arguments = {"models": [LINEAR, TREE], "metric": "metrics.MAE", "policy": written(name)}
    return [_regression(WORDLESS, SCALER, {"model_selection.BanditRegressor": arguments})]


def _metrics(name: str) -> list[Case]:
    """Metrics that choose between models; all are copied by themselves beside this."""
    cls: Any = component_class(name)
    arguments = {"models": [LINEAR, TREE], "metric": written(name), "policy": _VALUES["policy"]}
    if not issubclass(cls, metrics.base.RegressionMetric):
        return []
    return [_regression(WORDLESS, SCALER, {"model_selection.BanditRegressor": arguments})]


def _nowhere(_name: str) -> list[Case]:
    return []


_OF_KIND: dict[type, Cases] = {
    base.Classifier: _classifiers,
    base.MultiTargetRegressor: _nowhere,
    base.Regressor: _regressors,
    base.AnomalyFilter: _filters,
    base.BaseTransformer: _transformers,
    base.DriftDetector: _detectors,
    base.BinaryDriftDetector: _binary_detectors,
    optim.base.Optimizer: _of_linear("optimizer"),
    optim.initializers.Initializer: _of_linear("initializer"),
    optim.losses.Loss: _losses,
    stats.base.Statistic: _statistics,
    Splitter: _splitters,
    Quantizer: _quantizers,
    metrics.base.Metric: _metrics,
}
_OF_MODULE: dict[str, Cases] = {
    "anomaly": lambda name: _filters("anomaly.QuantileFilter", written(name)),
    "bandit": _policies,
    "conf": _nowhere,
    "metrics": _nowhere,
    "optim.schedulers": lambda name: [
        _regression(WORDLESS, SCALER, {LINEAR: {"optimizer": {"optim.SGD": [written(name)]}}})
    ],
    "proba": _nowhere,
    "utils": _nowhere,
}
_ROLLING = {"on": "a", "by": "cat", "how": {"utils.Rolling": ["stats.Mean", 9]}}
_ENGINE = {"engine": {"neighbors.LazySearch": {"window_size": 40}}}
_OF_ONE: dict[str, list[Case]] = {
    "compose.Pipeline": [_regression(WORDLESS, {"compose.Pipeline": [SCALER, LINEAR]})],
    "neighbors.LazySearch": [
        Case("multiclass", [WORDLESS, SCALER, {"neighbors.KNNClassifier": _ENGINE}])
    ],
    "utils.Rolling": [_regression({"feature_extraction.Agg": _ROLLING}, LINEAR)],
}
