"""River models, and any object with River's verbs, as estimators.

This is the hot path of every River model: methods are looked up once, and where River would
compute the probabilities to find the label, they are computed once for both.
"""

import inspect
from collections.abc import Callable
from typing import Any

from river import base, compose

from config.model_file import TaskName
from learner.estimator import Predicted
from learner.plain import Border
from learner.river.imputing import filled, imputes
from learner.river.pipeline_steps import steps_of
from learner.trial.draws import draws_when_asked

Predict = Callable[[Any], Predicted]


class RiverEstimator:
    """An object with River's verbs: `learn_one`, `predict_one` and perhaps `predict_proba_one`.

    Its predictions are River's own `predict_one`, to the last bit and in ties, as plain values.

    Args:
        model: The object. It is what `dump` gives, and is learned in place.
        task: What it predicts.
        wants_probabilities: Whether predictions come with them, where the model has them.
        notes: What was settled for the user when it was built.

    >>> from river import dummy
    >>> model = dummy.PriorClassifier()
    >>> estimator = RiverEstimator(model, task="binary", wants_probabilities=True)
    >>> estimator.predict({})
    (None, {})
    >>> estimator.learn({}, True, None)
    >>> estimator.predict({})
    (True, {True: 1.0})
    """

    flattens = True
    predicts_as_it_learns = False

    predict: Predict

    def __init__(
        self,
        model: Any,
        *,
        task: TaskName,
        wants_probabilities: bool,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._model = model
        verbs = steps_of(model) or model
        self._learn_one, self._learn_weighted = verbs.learn_one, model.learn_one
        self.notes = notes
        self.takes_weight = takes_weight(model)
        self.draws_when_asked = draws_when_asked(model)
        self.imputes = imputes(model)
        self.fills = filled(model) if self.imputes else ()
        self.has_probabilities = _has_probabilities(model)
        border = Border(final_step(model), task)
        self.predict = _predictor(model, verbs, border, wants_probabilities=wants_probabilities)

    def learn(self, x: Any, y: Any, w: float | None, /) -> None:
        """Learn one example, with its weight if it has one."""
        if w is None:
            self._learn_one(x, y)
        else:
            self._learn_weighted(x, y, w=w)

    def dump(self) -> object:
        """The model itself; whoever pickles it must do so before it learns again."""
        return self._model


def takes_weight(model: Any) -> bool:
    """Whether a weight given to `learn_one` reaches the model and nothing that chokes on it.

    River's pipelines hand it to the steps that name a `w`, and to those with `**kwargs`, which
    hand it on to anything.

    >>> from river import linear_model, multiclass, preprocessing
    >>> model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    >>> takes_weight(model), takes_weight(multiclass.OneVsRestClassifier(model))
    (True, False)
    """
    steps = [model]
    while isinstance(steps[-1], compose.Pipeline):
        steps += steps.pop().steps.values()
    *before, last = steps
    return "w" in _learn_parameters(last) and not any(_takes_anything(each) for each in before)


def final_step(model: Any) -> Any:
    """The component of a pipeline, or of pipelines in pipelines, that answers."""
    while isinstance(model, compose.Pipeline):
        model = list(model.steps.values())[-1]
    return model


def _learn_parameters(step: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(type(step).learn_one).parameters)


def _takes_anything(step: Any) -> bool:
    if not hasattr(type(step), "learn_one"):
        return False
    kinds = {each.kind for each in _learn_parameters(step).values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def _has_probabilities(model: Any) -> bool:
    """Whether the last step has probabilities of its own, and the whole hands them on."""
    own = getattr(type(final_step(model)), "predict_proba_one", None)
    has_own = own not in {None, base.Classifier.predict_proba_one}
    return has_own and hasattr(model, "predict_proba_one")


def _predictor(model: Any, verbs: Any, border: Border, *, wants_probabilities: bool) -> Predict:
    if not _has_probabilities(model):
        return _label_only(verbs.predict_one, border)
    last, predict_proba_one = type(final_step(model)), verbs.predict_proba_one
    if getattr(last, "predict_one", None) is base.Classifier.predict_one:
        likeliest = _label_and_all if wants_probabilities else _label_of
        return likeliest(predict_proba_one, border)
    if not wants_probabilities:
        return _label_only(verbs.predict_one, border)
    return _label_and_probabilities(verbs.predict_one, predict_proba_one, border)


# Each looks at the type of what it hands on, which is all that plain answers cost.


def _label_only(predict_one: Callable[[Any], Any], border: Border) -> Predict:
    kinds, plain_label = border.kinds, border.label

    def predict(x: Any) -> Predicted:
        p = predict_one(x)
        return (p if type(p) in kinds else plain_label(p)), None

    return predict


def _label_of(predict_proba_one: Callable[[Any], Any], border: Border) -> Predict:
    """The label by the rule of River's `Classifier.predict_one`: the first of the likeliest.

    Where its probability is NaN, they are handed on beside it: they tell what the label is worth.
    """
    kinds = border.kinds
    plain_chances: Callable[[Any], Any] = border.chances

    def predict(x: Any) -> Predicted:
        p = predict_proba_one(x)
        if type(p) is not dict:
            p = plain_chances(p)
        if not p:
            return None, None
        label = max(p, key=p.get)
        chance = p[label]
        if type(label) in kinds and chance == chance:
            return label, None
        p = plain_chances(p)
        label = max(p, key=p.get)
        return label, (None if p[label] == p[label] else p)

    return predict


def _label_and_all(predict_proba_one: Callable[[Any], Any], border: Border) -> Predict:
    """As `_label_of`, with the probabilities."""
    plain_chances: Callable[[Any], Any] = border.chances

    def predict(x: Any) -> Predicted:
        p = plain_chances(predict_proba_one(x))
        return (max(p, key=p.get) if p else None), p

    return predict


def _label_and_probabilities(
    predict_one: Callable[[Any], Any], predict_proba_one: Callable[[Any], Any], border: Border
) -> Predict:
    kinds, plain_label, plain_chances = border.kinds, border.label, border.chances

    def predict(x: Any) -> Predicted:
        label = predict_one(x)
        if type(label) not in kinds:
            label = plain_label(label)
        try:
            return label, plain_chances(predict_proba_one(x))
        except NotImplementedError:  # a wrapper of a model that has labels only
            return label, None

    return predict
