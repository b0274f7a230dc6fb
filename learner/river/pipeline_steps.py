"""A River pipeline's steps called one after the other, without the pipeline in between.

`compose.Pipeline` finds out for each event what its steps are and which arguments each of them
takes. Where all steps before the last are plain transformers that never see the label, and no
weight is given, that is known beforehand: the calls here are those that `Pipeline` would make, in
its order, so that every bit is the same.

Source: `river.compose.pipeline`, `Pipeline.learn_one` and `Pipeline._transform_one`.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from river import base, compose

Verb = Callable[..., Any]

# River's own question to a step, whether it learns from the label; it has no public name.
_is_supervised = attrgetter("_supervised")


class Steps(NamedTuple):
    """A pipeline's verbs; `learn_one` takes no weight, and `predict_proba_one` may be missing."""

    learn_one: Verb
    predict_one: Verb
    predict_proba_one: Verb | None


def steps_of(model: Any) -> Steps | None:
    """The verbs of a pipeline that is nothing but plain transformers and a model; else None.

    The steps are the pipeline's own: what one learns, the other has learned.

    >>> from river import linear_model, preprocessing
    >>> model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    >>> steps = steps_of(model)
    >>> steps.learn_one({"x": 3.0}, True)
    >>> steps.predict_one({"x": 1.0}) == model.predict_one({"x": 1.0})
    True
    >>> steps_of(linear_model.LogisticRegression()) is None
    True
    """
    if type(model) is not compose.Pipeline or len(model.steps) < 2:
        return None
    *before, last = model.steps.values()
    if not all(map(_is_plain, before)) or not _is_model(last):
        return None
    transforms = tuple(step.transform_one for step in before)
    learns = tuple((step.learn_one, step.transform_one) for step in before)
    learn_last = last.learn_one

    def learn_one(x: Any, y: Any) -> None:
        for learn_step, transform_step in learns:
            learn_step(x)
            x = transform_step(x)
        learn_last(x=x, y=y)

    def after_all(verb: Verb) -> Verb:
        def of_the_last(x: Any) -> Any:
            for transform_one in transforms:
                x = transform_one(x)
            return verb(x)

        return of_the_last

    proba = getattr(last, "predict_proba_one", None)
    return Steps(learn_one, after_all(last.predict_one), proba and after_all(proba))


def _is_plain(step: Any) -> bool:
    """Whether it transforms, learns without the label, and has no steps within."""
    is_transformer = _is(step, base.Transformer) and not _is(step, compose.TransformerUnion)
    return is_transformer and not _is_supervised(step)


def _is_model(step: Any) -> bool:
    return _is(step, base.Classifier, base.Regressor) and _is_supervised(step)


def _is(step: Any, *kinds: type) -> bool:
    """`isinstance`, of the step itself: River's asks a pipeline's last step instead."""
    return issubclass(type(step), kinds)
