"""Vowpal Wabbit as an estimator.

The calls underneath the documented wrapper are used: they take a fifth of its time. Each example
is given back to VW's pool whatever happens.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from vowpalwabbit import pyvw

from config.model_file import TaskName
from learner.errors import RestoreError, SpecError
from learner.estimator import Native, Predicted
from learner.tasks import TASKS
from learner.vw.answers import WITH_PROBABILITIES, reader
from learner.vw.arguments import KEY, Arguments
from learner.vw.text import features_text, unlabelled

VERSION: str = pyvw.pylibvw.__version__


class Dumped(TypedDict):
    """A dumped model: what it was started with, VW's own bytes, and the VW that wrote them."""

    arguments: str
    model: bytes
    version: str


class VWEstimator:
    """A Vowpal Wabbit model.

    `x` is features, or one line of VW's text where the topic carries that: then label and weight
    are the line's own, and `y` is the same label as the scores know it.

    Args:
        arguments: A checked command line.
        task: How predictions are read.
        labels: The classes in the order of VW's numbers; None: the numbers themselves.
        wants_probabilities: Whether predictions come with them, where VW has them.
        wants_loss: Whether `last_loss` and `last_weight` are kept.
        scratch: A private folder in memory to save in; without one the model cannot be dumped.
        dumped: Goes on from there, exactly as if it had never been cut; needs `scratch`.

    Attributes:
        last_loss: VW's own loss of the last example learned, its weight counted in.
        last_weight: That example's weight.
        arguments: As given, like `scratch`.

    Raises:
        SpecError: VW refuses the arguments, or they do not suit the task.
        RestoreError: Other arguments or another VW wrote what was dumped, or VW cannot read it.
            With other arguments VW would load it without a word and learn a different model.

    >>> from learner.vw.arguments import parse_arguments
    >>> model = VWEstimator(parse_arguments("--loss_function logistic"), task="binary")
    >>> model.learn({"https": True}, False, None)
    (False, {False: 0.5, True: 0.5})
    >>> model.predict({"https": True})[1][False] > 0.5
    True
    """

    flattens = False
    imputes = False
    fills: tuple[str, ...] = ()
    takes_weight = True
    predicts_as_it_learns = True
    draws_when_asked = False
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        arguments: Arguments,
        *,
        task: TaskName,
        labels: tuple[Native, ...] | None = None,
        wants_probabilities: bool = True,
        wants_loss: bool = False,
        scratch: Path | None = None,
        dumped: Dumped | None = None,
    ) -> None:
        by_number = _labels_by_number(arguments, task, labels)
        kind = TASKS[task].vw_answer(arguments)
        self.has_probabilities = kind in WITH_PROBABILITIES
        numbers = {label: str(number) for number, label in by_number.items()}
        self._label: Callable[[Any], str] = numbers.__getitem__ if numbers else repr
        self._read = reader(kind, by_number, wants_probabilities=wants_probabilities)
        self._is_reduced = arguments.classes is not None
        self.arguments, self.scratch = arguments, scratch
        self._wants_loss = wants_loss
        self.last_loss = self.last_weight = 0.0
        self._workspace = _started(arguments, scratch, dumped)
        native: Any = super(pyvw.Workspace, self._workspace)
        self._learn, self._predict = native.learn, native.predict
        self._parse, self._finish = native._parse, native._finish_example

    def predict(self, x: Any, /) -> Predicted:
        """The answer to these features or this line, whose label is not looked at."""
        (example,) = self._parse(unlabelled(x) if type(x) is str else features_text(x))
        try:
            self._predict(example)
            return self._read(example)
        finally:
            self._finish(example)

    def learn(self, x: Any, y: Any, w: float | None, /) -> Predicted:
        """Learn one example; the prediction made before it."""
        (example,) = self._parse(self._line(x, y, w))
        try:
            self._learn(example)
            predicted = self._read(example)
            if self._wants_loss:
                self._keep_loss(example, is_right=predicted[0] == y)
            return predicted
        finally:
            self._finish(example)

    def dump(self) -> Dumped:
        """VW's bytes, with all that is needed to go on from them exactly."""
        assert self.scratch is not None, "Vowpal Wabbit saves only to a path: give it a scratch"
        with tempfile.NamedTemporaryFile(dir=self.scratch, suffix=".vw") as file:
            self._workspace.save(file.name)
            model = Path(file.name).read_bytes()
        return Dumped(arguments=self.arguments.text, model=model, version=VERSION)

    def _line(self, x: Any, y: Any, w: float | None) -> str:
        if type(x) is str:
            return f"{self._label(y)} {x}" if x[0] == "|" else x  # its label came later
        label = self._label(y)
        return f"{label} {features_text(x)}" if w is None else f"{label} {w!r} {features_text(x)}"

    def _keep_loss(self, example: Any, *, is_right: bool) -> None:
        """What VW's driver would add to its sums; for classes it adds the weight of the errors."""
        if self._is_reduced:
            self.last_weight = example.get_multiclass_weight()
            self.last_loss = 0.0 if is_right else self.last_weight
        else:
            self.last_weight = example.get_simplelabel_weight()
            self.last_loss = example.get_loss()


def _labels_by_number(
    arguments: Arguments, task: TaskName, labels: tuple[Native, ...] | None
) -> Mapping[int, Native]:
    numbers = arguments.classes
    if (numbers is not None) != TASKS[task].has_many:
        needs = "one of --oaa, --ect, --log_multi, --recall_tree"
        raise SpecError(KEY, f"{needs} is for task multiclass and needed there; task is {task}")
    if numbers is None:
        return TASKS[task].vw_labels
    if labels is not None and len(labels) != len(numbers):
        raise SpecError(KEY, f"has {len(numbers)} classes, `labels:` names {len(labels)}")
    return dict(zip(numbers, labels or numbers, strict=True))


def _started(arguments: Arguments, scratch: Path | None, dumped: Dumped | None) -> pyvw.Workspace:
    if dumped is None:
        return _workspace(arguments.command_line())
    if dumped["arguments"] != arguments.text:
        raise RestoreError(f"learned with {dumped['arguments']!r}, not {arguments.text!r}")
    if dumped["version"] != VERSION:
        raise RestoreError(f"written by Vowpal Wabbit {dumped['version']}, this is {VERSION}")
    assert scratch is not None, "Vowpal Wabbit loads only from a path: give it a scratch"
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".vw") as file:
        file.write(dumped["model"])
        file.flush()
        try:
            return _workspace([*arguments.command_line(), f"--initial_regressor={file.name}"])
        except SpecError as error:
            raise RestoreError(f"Vowpal Wabbit cannot load it: {error.message}") from error


def _workspace(command_line: list[str]) -> pyvw.Workspace:
    try:
        return pyvw.Workspace(arg_list=command_line)
    except RuntimeError as error:
        raise SpecError(KEY, f"Vowpal Wabbit refuses this: {error}") from error
