"""Labels: the event's own, the learner's own, and the answer's.

An event says "UP"; River learns True; the answer says "UP" again. What a label may be is fixed by
the model file, else by the first label seen.
"""

import json
import math
from typing import Any, TypeAlias

from config.model_file import ModelFile
from learner.estimator import Native, Predicted
from learner.values import Reason, Refusal, Scalar
from learner.vw.arguments import parse_arguments

Answer: TypeAlias = tuple[Native | None, dict[str, float | None] | None]

_AS_BINARY: dict[Native, bool] = {0: False, 1: True}
_VW_BINARY: dict[Native, bool] = {-1: False, 1: True}
_NUMBERS = {int, float}


class Labels:
    """Reads labels for one model, and writes its answers.

    Args:
        model_file: Its task, labels, limits, learner and topic format.
    """

    def __init__(self, model_file: ModelFile) -> None:
        self._task = model_file.task
        self._limits = model_file.limits
        self._given = model_file.labels
        self._is_fixed = model_file.labels is not None
        self._table: dict[Native, Native] = {}
        self._types: tuple[type, ...] = ()
        if self._task == "binary":
            self._fix_binary(model_file)
        elif self._task == "multiclass":
            self._fix_classes(model_file)
        self._names = {native: _text(label) for label, native in self._answers()}
        self.mark()

    @property
    def known(self) -> tuple[Native, ...]:
        """The learner's own labels, as far as they are known."""
        return tuple(self._names)

    def native(self, label: Scalar) -> Native | Refusal:
        """The learner's own label for an event's; a new one is remembered, a refused one not."""
        if label is None:
            return Refusal(Reason.missing_label, "an event without a label", "gate")
        if self._task == "regression":
            return self._number(label)
        if type(label) in self._types:
            native = self._table.get(label)
            if native is not None:
                return native
        return self._new(label)

    def natives(self, labels: list[Any]) -> list[Any] | None:
        """The learner's own labels for many, if all are known and right; None: ask one by one.

        >>> from config.model_file import parse_model_file
        >>> text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}}"
        >>> labels = Labels(parse_model_file(text))
        >>> labels.natives([1, False]), labels.natives([1, 1.0])
        ([True, False], None)
        """
        kinds = set(map(type, labels))
        if self._task == "regression":
            bound = self._limits.value
            are_right = kinds <= _NUMBERS and all(-bound <= label <= bound for label in labels)
            return labels if are_right else None
        if not kinds.issubset(self._types):
            return None
        table = self._table
        try:
            return [table[label] for label in labels]
        except KeyError:
            return None

    def answer(self, predicted: Predicted) -> Answer:
        """The prediction and the probabilities as JSON has them, None where there are none.

        Probabilities name every known label; what is NaN or infinite becomes None.
        """
        native, probabilities = predicted
        if self._task == "regression":
            return (None if native is None else _finite(native)), None
        chances = self._chances(probabilities) if probabilities else None
        if native is None:
            return None, chances
        return self._outward(native), chances

    def dump(self) -> list[Native]:
        """The labels seen, for `restore`; empty where the model file fixes them."""
        return [] if self._is_fixed or self._task != "multiclass" else list(self._table)

    def restore(self, seen: list[Native]) -> None:
        """Continue from `dump`ed labels."""
        for label in seen:
            self._remember(label)

    def mark(self) -> None:
        """What is seen for the first time from here on may be taken back."""
        self._marked = len(self._table)

    def take_back(self) -> None:
        """Forget the labels that were new since `mark`."""
        for label in list(self._table)[self._marked :]:
            del self._table[label], self._names[label]
        if not self._table:
            self._types = ()

    def _fix_binary(self, model_file: ModelFile) -> None:
        if model_file.topics.format == "vw":
            self._table, self._types = dict(_VW_BINARY), (int, float)
        elif self._given is None:
            self._table, self._types = dict(_AS_BINARY), (bool, int)
        else:
            self._table = {self._given[0]: False, self._given[1]: True}
            self._types = (type(self._given[0]),)
        self._is_fixed = True

    def _fix_classes(self, model_file: ModelFile) -> None:
        numbers = None
        if model_file.learner.vw is not None:
            numbers = parse_arguments(model_file.learner.vw).classes
        if numbers is not None:
            self._is_fixed = True
        natives: tuple[Native, ...] = self._given or tuple(numbers or ())
        self._table = {native: native for native in natives}
        if numbers is not None and model_file.topics.format == "vw":
            self._table = dict(zip(numbers, natives, strict=False))
        self._types = tuple({type(label) for label in self._table})

    def _answers(self) -> list[tuple[Native, Native]]:
        """Each known label as the answer has it, with the learner's own."""
        if self._task == "binary":
            first, second = self._given or (False, True)
            return [(first, False), (second, True)]
        return [(native, native) for native in self._table.values()]

    def _outward(self, native: Native) -> Native:
        if self._task == "binary":
            first, second = self._given or (False, True)
            return second if native else first
        return native

    def _chances(self, probabilities: dict[Any, float]) -> dict[str, float | None]:
        chances = {name: _finite(probabilities.get(n, 0.0)) for n, name in self._names.items()}
        for native, chance in probabilities.items():
            if native not in self._names:
                chances[_text(native)] = _finite(chance)
        return chances

    def _number(self, label: Native) -> Native | Refusal:
        if type(label) is not float and type(label) is not int:
            return _bad(label, "a regression's label is a number")
        bound = self._limits.value
        if -bound <= label <= bound:
            return label
        if type(label) is float and not math.isfinite(label):
            return Refusal(Reason.not_finite, f"label {label!r}", "gate")
        return self._beyond()

    def _new(self, label: Native) -> Native | Refusal:
        """A label that is not in the table: the first of its model, one more, or refused."""
        if self._is_fixed:
            named = "" if self._given else "; `labels` in the model file names others"
            return _bad(label, f"the labels are {_listed(self._table)}{named}")
        if type(label) is not int and type(label) is not str:
            return _bad(label, "a class is a whole number or a string")
        if self._types and type(label) is not self._types[0]:
            return _bad(label, f"the first label was {next(iter(self._table))!r}")
        if isinstance(label, str) and len(label) > self._limits.string:
            detail = f"a label of {len(label)} characters, limits.string is {self._limits.string}"
            return Refusal(Reason.too_large, detail, "gate")
        if isinstance(label, int) and abs(label) > self._limits.value:
            return self._beyond()
        if len(self._table) >= self._limits.labels:
            detail = f"one more label beyond limits.labels {self._limits.labels}"
            return Refusal(Reason.too_many_labels, detail, "gate")
        self._remember(label)
        return label

    def _beyond(self) -> Refusal:
        detail = f"the label is beyond limits.value {self._limits.value:g}"
        return Refusal(Reason.out_of_bounds, detail, "gate")

    def _remember(self, label: Native) -> None:
        self._table[label] = label
        self._types = (type(label),)
        self._names[label] = _text(label)


def _text(label: object) -> str:
    """A label's JSON text without quotes."""
    return label if isinstance(label, str) else json.dumps(label)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _bad(label: object, rule: str) -> Refusal:
    shown = str(label)[:80]
    is_whole = type(label) is float and label.is_integer()
    mend = f"; write {shown.removesuffix('.0')}, without a fraction" if is_whole else ""
    return Refusal(Reason.bad_label, f"label {shown!r}: {rule}{mend}", "gate")


def _listed(labels: Any) -> str:
    shown = ", ".join(_text(label) for label in list(labels)[:10])
    return shown + (", …" if len(labels) > len(shown.split(", ")) else "")
