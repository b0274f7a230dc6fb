"""A River pipeline's steps called one after the other, without the pipeline in between.

`compose.Pipeline` finds out for each event what its steps are and which arguments each of them
takes. Where all steps before the last are plain transformers that never see the label, and no
weight is given, that is known beforehand: the calls here are those that `Pipeline` would make, in
its order, so that every bit is the same.

Source: `river.compose.pipeline`, `Pipeline.learn_one` and `Pipeline._transform_one`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from river import base, compose


class Steps(NamedTuple):
    """What a pipeline does, as functions.

    Attributes:
        transform: Features as the last step wants them; learns nothing.
        learn: One example, without a weight.
        last: The step that answers.
    """

    transform: Callable[[Any], Any]
    learn: Callable[[Any, Any], None]
    last: Any


def steps_of(model: Any) -> Steps | None:
    """The steps of a pipeline that is nothing but plain transformers and a model; else None.

    The steps are the pipeline's own: what one learns, the other has learned.

    >>> from river import linear_model, preprocessing
    >>> model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    >>> steps = steps_of(model)
    >>> steps.learn({"x": 3.0}, True)
    >>> steps.last.predict_one(steps.transform({"x": 1.0})) == model.predict_one({"x": 1.0})
    True
    >>> steps_of(linear_model.LogisticRegression()) is None
    True
    """
    if type(model) is not compose.Pipeline or len(model.steps) < 2:
        return None
    *before, last = model.steps.values()
    if not all(map(_is_plain, before)) or not _is(last, base.Classifier, base.Regressor):
        return None
    transforms = tuple(step.transform_one for step in before)
    learns = tuple((step.learn_one, step.transform_one) for step in before)
    learn_last = last.learn_one

    def transform(x: Any) -> Any:
        for each in transforms:
            x = each(x)
        return x

    def learn(x: Any, y: Any) -> None:
        for learn_step, transform_step in learns:
            learn_step(x)
            x = transform_step(x)
        learn_last(x=x, y=y)

    return Steps(transform, learn, last)


def _is_plain(step: Any) -> bool:
    """Whether it transforms, learns without the label, and has no steps within."""
    return _is(step, base.Transformer) and not _is(
        step,
        base.SupervisedTransformer,
        base.MiniBatchSupervisedTransformer,
        base.Wrapper,
        compose.TransformerUnion,
    )


def _is(step: Any, *kinds: type) -> bool:
    """`isinstance`, of the step itself: River's asks a pipeline's last step instead."""
    return issubclass(type(step), kinds)
