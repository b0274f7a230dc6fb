"""Labels: the event's own, the learner's own, and the answer's.

An event says "UP"; River learns True; the answer says "UP" again. What a label may be is fixed by
the model file, else by the first label seen.
"""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from config.model_file import ModelFile
from learner.estimator import Native, Predicted, finite
from learner.events.words import above
from learner.values import Reason, Refusal, Scalar, Served

Answer: TypeAlias = tuple[Native | None, dict[str, float | None] | None]

_NUMBERS = {int, float}


class Labels:
    """Reads labels for one model, and writes its answers. Each task says how it is built.

    Args:
        model_file: Its limits, and whether it lists labels.
        table: The learner's own label for each of an event's, as far as they are known.
        types: Of the labels that are looked up in the table.
        is_fixed: No other labels are admitted.
        outward: The answer's label for one of the learner's, where it is another.
    """

    def __init__(
        self,
        model_file: ModelFile,
        table: Mapping[Any, Native],
        *,
        types: tuple[type, ...] = (),
        is_fixed: bool = False,
        outward: Mapping[Native, Native] = MappingProxyType({}),
    ) -> None:
        self._limits = model_file.limits
        self._is_given = model_file.labels is not None
        self._is_fixed = is_fixed
        self._table: dict[Native, Native] = dict(table)
        self._types = types
        self._outward = outward
        self._names = {each: _text(outward.get(each, each)) for each in self._table.values()}
        self.mark()

    @property
    def known(self) -> tuple[Native, ...]:
        """The learner's own labels, as far as they are known."""
        return tuple(self._names)

    @property
    def answered(self) -> dict[Any, Native]:
        """The learner's own label for each that an answer names."""
        return {self._outward.get(native, native): native for native in self._names}

    def outward(self, native: Native | None) -> Native | None:
        """The answer's label for one of the learner's own."""
        return None if native is None else self._outward.get(native, native)

    def native(self, label: Scalar) -> Native | Refusal:
        """The learner's own label for an event's; a new one is remembered, a refused one not."""
        if label is None:
            return Refusal(Reason.missing_label, "an event without a label", "gate")
        if type(label) in self._types:
            native = self._table.get(label)
            if native is not None:
                return native
        return self._new(label)

    def natives(self, labels: list[Any]) -> list[Any] | None:
        """The learner's own labels for many, if all are known and right; None: ask one by one.

        >>> from config.model_file import parse_model_file
        >>> text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}}"
        >>> labels = Labels(parse_model_file(text), {0: False, 1: True}, types=(bool, int))
        >>> labels.natives([1, False]), labels.natives([1, 1.0])
        ([True, False], None)
        """
        kinds = set(map(type, labels))
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
        chances = self._chances(probabilities) if probabilities else None
        return self.outward(native), chances

    def read(self, answer: Served) -> Predicted:
        """What `answer` wrote, as the learner has it; a label that is not known is none.

        >>> from config.model_file import parse_model_file
        >>> from learner.tasks import TASKS
        >>> text = "{name: m, task: binary, labels: [DOWN, UP], learner: {vw: --noconstant}}"
        >>> labels = TASKS["binary"].labels(parse_model_file(text))
        >>> labels.read(("UP", {"DOWN": 0.25, "UP": 0.75}))
        (True, {False: 0.25, True: 0.75})
        """
        label, chances = answer
        natives = self.answered
        named = {name: native for native, name in self._names.items()}
        if chances is None or not chances.keys() <= named.keys():
            return natives.get(label), None
        probabilities = {
            named[name]: math.nan if chance is None else chance for name, chance in chances.items()
        }
        return natives.get(label), probabilities

    def dump(self) -> list[Native]:
        """The labels seen, for `restore`; empty where the model file fixes them."""
        return [] if self._is_fixed else list(self._table)

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

    def _chances(self, probabilities: dict[Any, float]) -> dict[str, float | None]:
        chances = {name: finite(probabilities.get(n, 0.0)) for n, name in self._names.items()}
        for native, chance in probabilities.items():
            if native not in self._names:
                chances[_text(native)] = finite(chance)
        return chances

    def _new(self, label: Native) -> Native | Refusal:
        """A label that is not in the table: the first of its model, one more, or refused."""
        if self._is_fixed:
            named = "" if self._is_given else "; `labels` in the model file names others"
            return _bad(label, f"the labels are {_listed(self._table)}{named}")
        if type(label) is not int and type(label) is not str:
            return _bad(label, "a class is a whole number or a string")
        if self._types and type(label) is not self._types[0]:
            return _bad(label, f"the first label was {next(iter(self._table))!r}")
        if isinstance(label, str) and len(label) > self._limits.string:
            detail = f"a label of {len(label)} characters, limits.string is {self._limits.string}"
            return Refusal(Reason.too_large, detail, "gate")
        if isinstance(label, int) and abs(label) > self._limits.value:
            return self._beyond(label)
        if len(self._table) >= self._limits.labels:
            detail = f"one more label beyond limits.labels {self._limits.labels}"
            return Refusal(Reason.too_many_labels, detail, "gate")
        self._remember(label)
        return label

    def _beyond(self, label: float) -> Refusal:
        detail = f"the label is beyond limits.value {self._limits.value:g}"
        admits = above(label)
        mend = "" if admits is None else f"limits: {{value: {admits}}}"
        return Refusal(Reason.out_of_bounds, detail, "gate", mend=mend)

    def _remember(self, label: Native) -> None:
        self._table[label] = label
        self._types = (type(label),)
        self._names[label] = _text(label)


class NumberLabels(Labels):
    """Labels that are numbers: each is its own, within the limits, and none is remembered."""

    def natives(self, labels: list[Any]) -> list[Any] | None:
        """As of any labels."""
        bound = self._limits.value
        are_right = _NUMBERS.issuperset(map(type, labels)) and all(
            -bound <= label <= bound for label in labels
        )
        return labels if are_right else None

    def answer(self, predicted: Predicted) -> Answer:
        """The prediction, without probabilities."""
        return (None if predicted[0] is None else finite(predicted[0])), None

    def read(self, answer: Served) -> Predicted:
        """As of any labels."""
        number = answer[0]
        return (number if type(number) in _NUMBERS else None), None

    def _new(self, label: Native) -> Native | Refusal:
        if type(label) is not float and type(label) is not int:
            return _bad(label, "a regression's label is a number")
        bound = self._limits.value
        if -bound <= label <= bound:
            return label
        if type(label) is float and not math.isfinite(label):
            return Refusal(Reason.not_finite, f"label {label!r}", "gate")
        return self._beyond(label)


def _text(label: object) -> str:
    """A label's JSON text without quotes."""
    return label if isinstance(label, str) else json.dumps(label)


def _bad(label: object, rule: str) -> Refusal:
    shown = str(label)[:80]
    is_whole = type(label) is float and label.is_integer()
    mend = f"; write {shown.removesuffix('.0')}, without a fraction" if is_whole else ""
    return Refusal(Reason.bad_label, f"label {shown!r}: {rule}{mend}", "gate")


def _listed(labels: Any) -> str:
    shown = ", ".join(_text(label) for label in list(labels)[:10])
    return shown + (", …" if len(labels) > len(shown.split(", ")) else "")
