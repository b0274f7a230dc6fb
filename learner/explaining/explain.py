"""Why a model answers as it does: one explanation of one answer, put together.

Exact where the kind of model has parts (`exact/`) that make the answer, which is checked each
time; else found by asking, a step at a time (`sampled.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, Literal, TypeAlias

from learner.estimator import Estimator, Native, Predicted
from learner.events.labels import Labels
from learner.explaining.cells import cells_of, get, name_of
from learner.explaining.exact.by_kind import exact_parts
from learner.explaining.exact.parts import AnswerParts, AnswerTarget, NoAnswerError
from learner.explaining.exact.terms import VWTerms
from learner.explaining.sampled import LeaveOneOut, Sampling, Shapley
from learner.explaining.with_shap import WithShap
from learner.river.estimator import RiverEstimator
from learner.tasks import Task
from learner.vw.estimator import VWEstimator

Method: TypeAlias = Literal["auto", "exact", "leave_one_out", "shapley"]
Sampled: TypeAlias = Literal["leave_one_out", "shapley", "shap"]
Rows: TypeAlias = Sequence[Mapping[str, Any]]
ROUNDS_MAX = 100
_RIVER_WITHIN, _VW_WITHIN = 1e-9, 1e-5  # Vowpal Wabbit's numbers are floats of four bytes


@dataclass(frozen=True, slots=True)
class HowToExplain:
    """What an explanation is asked for.

    Attributes:
        method: `auto` is the exact one where there is one, else leave_one_out; `shap` is shapley
            by the library of that name, where it is installed.
        samples: Rounds of asking, each with another row of the background; None: as usual.
        top: So many contributions, the largest; what the others add is the rest. None: all.
        label: The class to explain, as answers name it; None: of two the positive one, of many
            the one predicted.
    """

    method: Method | Literal["shap"] = "auto"
    samples: int | None = None
    top: int | None = None
    label: Native | None = None


class NotExplainedError(Exception):
    """What was asked for cannot be had of this model.

    Attributes:
        field: Of the request.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Explanation:
    """One explanation: whole if it is exact, else to be asked for.

    Args:
        predicted: The answer that is explained.
        parts: What it is made of, where that is known.

    Attributes:
        is_whole: It needs no asking: `steps` has none.
    """

    def __init__(
        self,
        explainer: "Explainer",
        x: Mapping[str, Any],
        asked: HowToExplain,
        predicted: Predicted,
        target: AnswerTarget,
        parts: AnswerParts | None,
    ) -> None:
        self._explainer, self._x, self._asked = explainer, x, asked
        self._predicted, self._target, self._parts = predicted, target, parts
        self._sampling: Sampling | None = None
        self._background: dict[str, Any] | None = None
        self.is_whole = parts is not None

    def steps(self, background: Rows, learned: int | None) -> Iterator[None]:
        """Ask the model, once a step; whoever takes the steps may stop.

        Args:
            background: Rows to compare with.
            learned: How many events had been learned when the last of them came.

        Raises:
            Exception: Whatever the model raises.
        """
        kind = _KINDS[self._sampled_by]
        self._background = {"n": len(background), "learned": learned}
        answer = self._target.value(self._predicted)
        self._sampling = kind(self._value, self._x, answer, background)
        yield from self._sampling.steps(self._asked.samples)

    def told(self) -> dict[str, Any]:
        """The explanation so far, as it is answered.

        Raises:
            NotExplainedError: It was stopped before there was anything to tell.
        """
        return self._exactly() if self._parts is not None else self._sampled()

    def _value(self, x: Mapping[str, Any]) -> float:
        return self._target.value(self._explainer.estimator.predict(x))

    def _exactly(self) -> dict[str, Any]:
        parts, target = self._parts, self._target
        assert parts is not None
        within = self._explainer.within
        told = {
            "method": "exact",
            "exact": parts.are_exact(self._predicted, target, within),
            "scale": parts.scale,
            **self._classes(has_against=parts.scale == "log_odds"),
            **self._summed(parts.base, parts.contributions, {}),
            "residual": parts.residual(self._predicted, target),
        }
        return told if parts.path is None else {**told, "path": list(parts.path)}

    def _sampled(self) -> dict[str, Any]:
        sampling, answer = self._sampling, self._target.value(self._predicted)
        assert sampling is not None, "asked for before the first step"
        contributions = sampling.contributions
        if not contributions and sampling.unreached:
            what = f"the budget ended after {sampling.asked} predictions, within the first round"
            raise NotExplainedError("method", f"{what}; ask for leave_one_out, or fewer features")
        summed = self._summed(sampling.base, contributions, sampling.errors)
        return {
            "method": self._sampled_by,
            "exact": False,
            "scale": self._scale,
            **self._classes(has_against=False),
            **summed,
            "residual": summed["sum"] - answer,
            "background": self._background,
            "rounds": sampling.rounds,
            "unreached": sampling.unreached,
            "predictions_made": sampling.asked,
        }

    @property
    def _sampled_by(self) -> Sampled:
        match self._asked.method:
            case "auto" | "exact":
                return "leave_one_out"
            case method:
                return method

    @property
    def _scale(self) -> str:
        if self._target.label is None:
            return "value"
        return "probability" if self._predicted[1] else "label"

    def _classes(self, *, has_against: bool) -> dict[str, Any]:
        outward, target = self._explainer.labels.outward, self._target
        if target.label is None:
            return {}
        against = {"against": outward(target.against)} if has_against else {}
        return {"class": outward(target.label), **against}

    def _summed(
        self,
        base: float,
        contributions: Mapping[str, float],
        errors: Mapping[str, float | None],
    ) -> dict[str, Any]:
        values = {name_of(cell): get(self._x, cell) for cell in cells_of(self._x)}
        ordered = sorted(contributions.items(), key=lambda each: -abs(each[1]))
        top = len(ordered) if self._asked.top is None else self._asked.top
        listed: list[dict[str, Any]] = [
            {"feature": name, "value": values.get(name), "contribution": each}
            for name, each in ordered[:top]
        ]
        if errors:
            for item in listed:
                item["standard_error"] = errors[item["feature"]]
        rest = sum(each for _, each in ordered[top:])
        total = base + sum(contributions.values())
        return {"base": base, "contributions": listed, "rest": rest, "sum": total}


_KINDS: Mapping[Sampled, type[Sampling]] = {
    "leave_one_out": LeaveOneOut,
    "shapley": Shapley,
    "shap": WithShap,
}


class Explainer:
    """Explains the answers of one model.

    Args:
        estimator: Is asked, and never learns.
        task: What it predicts.
        labels: Its labels.

    Attributes:
        within: How near a sum must be to the answer to be exact, relative to answers above 1.
    """

    def __init__(self, estimator: Estimator, task: Task, labels: Labels) -> None:
        self.estimator, self._task, self.labels = estimator, task, labels
        self.within = _VW_WITHIN if isinstance(estimator, VWEstimator) else _RIVER_WITHIN

    def explain(self, x: Mapping[str, Any], asked: HowToExplain) -> Explanation:
        """What is to be told of the answer to these features, as the learner takes them.

        Raises:
            NotExplainedError: It cannot be had.
            NoAnswerError: There is no answer.
            Exception: Whatever the model raises.
        """
        predicted = self.estimator.predict(x)
        target = self._target(predicted, asked.label)
        target.value(predicted)
        parts = self._parts(x, predicted, target, asked.method)
        return Explanation(self, x, asked, predicted, target, parts)

    def _target(self, predicted: Predicted, label: Native | None) -> AnswerTarget:
        if not self._task.has_classes:
            if label is not None:
                raise NotExplainedError("class", "the model predicts a number, it has no classes")
            return AnswerTarget()
        answer, chances = predicted
        if answer is None:
            raise NoAnswerError("the model has no prediction yet")
        if label is not None:
            answer = self._native(label)
        elif not self._task.has_many:
            answer = True
        others = [each for each in (chances or {}) if each != answer]
        return AnswerTarget(answer, max(others, key=(chances or {}).__getitem__, default=None))

    def _native(self, label: Native) -> Native:
        known = self.labels.answered
        are_like = [each for each in known if isinstance(each, bool) or not isinstance(label, bool)]
        if label not in are_like:  # true is not the class 1
            shown = ", ".join(map(repr, list(known)[:20]))
            raise NotExplainedError("class", f"{str(label)[:80]!r} is none of {shown}")
        return known[label]

    def _parts(
        self, x: Mapping[str, Any], predicted: Predicted, target: AnswerTarget, method: str
    ) -> AnswerParts | None:
        if method not in {"auto", "exact"}:
            return None
        found = self._terms.parts(x, target) if self._terms else self._of_river(x, target)
        if found is not None and not isfinite(found.residual(predicted, target)):
            found = None  # its sum is beyond what numbers can tell
        if method == "exact" and found is None:
            what = "of this kind of model, or of so many terms, there is no exact explanation"
            raise NotExplainedError("method", f"{what}; ask for leave_one_out or shapley")
        if method == "auto" and found and not found.are_exact(predicted, target, self.within):
            return None
        return found

    def _of_river(self, x: Mapping[str, Any], target: AnswerTarget) -> AnswerParts | None:
        if not isinstance(self.estimator, RiverEstimator):
            return None
        return exact_parts(self.estimator.dump(), x, target)

    @cached_property
    def _terms(self) -> VWTerms | None:
        """Of Vowpal Wabbit's score; made for the first explanation of a version."""
        return VWTerms.of(self.estimator, self._task)
