"""What a model is for: whatever depends on the task, so that one more is one more `Task` here.

What the model file may say of it is `_TASKS` of `config/model_file.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from river import base
from river.metrics import base as metrics

from config.model_file import ModelFile, TaskName
from learner.errors import SpecError
from learner.estimator import Native
from learner.events.labels import Labels, NumberLabels
from learner.vw.arguments import KEY, Answer, Arguments, parse_arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task.

    Attributes:
        has_classes: Labels are classes: an error is 0 or 1, and predictions may come with
            probabilities. Else they are numbers, and an error is |y - y_pred|.
        has_many: There may be more than two classes: a model of River's must tell so many apart,
            and Vowpal Wabbit needs a reduction.
        labels: What reads events' labels as the learner's own, and writes its answers.
        metric: What River's metrics that suit it derive from.
        kinds: Types of a prediction that are handed on as they are: the commonest.
        wanted: What a prediction is, in words.
        prediction: Makes one of what a model answered and of the same as a plain, finite number,
            None where it is none. None: it is no prediction.
        river: What the last step of a model of River's is.
        vw_answer: How Vowpal Wabbit's prediction is to be read; a SpecError where its arguments
            do not suit.
        vw_labels: By the number that Vowpal Wabbit has for each, where no reduction numbers them.
    """

    has_classes: bool
    has_many: bool = False
    labels: Callable[[ModelFile], Labels]
    metric: type
    kinds: frozenset[type]
    wanted: str
    prediction: Callable[[Any, Any], Any]
    river: type[Any]
    vw_answer: Callable[[Arguments], Answer]
    vw_labels: Mapping[int, Native]


def _binary_labels(model_file: ModelFile) -> Labels:
    given: Any = model_file.labels or (False, True)
    table: dict[Any, bool] = dict(zip(given, (False, True), strict=True))
    types: tuple[type, ...] = (type(given[0]),)
    if model_file.topics.format == "vw":
        table, types = {-1: False, 1: True}, (int, float)
    elif model_file.labels is None:
        table, types = {0: False, 1: True}, (bool, int)
    outward: dict[Any, Any] = dict(zip((False, True), given, strict=True))
    return Labels(model_file, table, types=types, is_fixed=True, outward=outward)


def _class_labels(model_file: ModelFile) -> Labels:
    vw = model_file.learner.vw
    numbers = (vw is not None and parse_arguments(vw).classes) or range(0)
    natives: tuple[Native, ...] = model_file.labels or tuple(numbers)
    named = numbers if model_file.topics.format == "vw" else natives
    table = dict(zip(named, natives, strict=False))
    return Labels(model_file, table, types=tuple(set(map(type, table))), is_fixed=bool(natives))


def _label(answer: Any, number: Any) -> Any:
    if number is None:
        return str.__str__(answer) if isinstance(answer, str) else None
    return int(number) if number == int(number) else None


def _vw_binary(arguments: Arguments) -> Answer:
    link = arguments.value("link")
    if link == "poisson":
        raise SpecError(KEY, "--link poisson predicts counts and does not suit task binary")
    if "binary" in arguments.options:
        return "sign"
    if link == "logistic":
        return "probability"
    return "logistic score" if arguments.value("loss_function") == "logistic" else "sign"


def _vw_classes(arguments: Arguments) -> Answer:
    if "probabilities" in arguments.options:
        return "class probabilities"
    return "class scores" if "scores" in arguments.options else "class"


def _vw_number(arguments: Arguments) -> Answer:
    if "binary" in arguments.options:
        raise SpecError(KEY, "--binary predicts -1 or 1 and does not suit task regression")
    return "number"


TASKS: Mapping[TaskName, Task] = {
    "binary": Task(
        has_classes=True,
        labels=_binary_labels,
        metric=metrics.ClassificationMetric,
        kinds=frozenset({bool}),
        wanted="False, True or None",
        prediction=lambda _, number: bool(number) if number in (0, 1) else None,
        river=base.Classifier,
        vw_answer=_vw_binary,
        vw_labels={-1: False, 1: True},
    ),
    "multiclass": Task(
        has_classes=True,
        has_many=True,
        labels=_class_labels,
        metric=metrics.MultiClassMetric,
        kinds=frozenset({str, int, bool}),
        wanted="a whole number, a text or None",
        prediction=_label,
        river=base.Classifier,
        vw_answer=_vw_classes,
        vw_labels={},
    ),
    "regression": Task(
        has_classes=False,
        labels=lambda model_file: NumberLabels(model_file, {}),
        metric=metrics.RegressionMetric,
        kinds=frozenset({float}),
        wanted="a number or None",
        prediction=lambda _, number: number,
        river=base.Regressor,
        vw_answer=_vw_number,
        vw_labels={},
    ),
}
