"""What each feature is worth to the model, measured while it learns.

Of one event in so many, before it is learned, one feature is given the value of another event, and
the model is asked again: how much the loss rises by that, faded, is the feature's importance. The
loss is 1 less the probability of the truth, without probabilities 0 or 1; of a number its distance.
Which event, feature and row are taken follows from counts alone.

Source: Fumagalli et al., "Incremental permutation feature importance (iPFI): towards online
explanations on data streams", Machine Learning 2023.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from config.model_file import ModelFile
from learner.errors import SpecError
from learner.estimator import Estimator, Predicted
from learner.explaining.background import Background
from learner.explaining.cells import ABSENT, replaced
from learner.explaining.thinned import Thinned
from learner.progressive import Found, PredictFailedError, StepFailedError, Steps
from learner.river.estimator import RiverEstimator

SEGMENT = "importance"
TOP = 20
FEATURES_MAX = 1000  # more names are not told apart from those that came first: they are left out
# Spreads counts over rows: the fractional part of the golden ratio, of 64 bits.
_SPREAD, _BITS = 0x9E3779B97F4A7C15, 64


class FeatureImportance:
    """The importance of features, as far as it was measured.

    Args:
        model_file: Its section `importance`.
        estimator: Is asked; it must be one that asking does not change.
        background: Where other events' values come from.

    Raises:
        SpecError: Asking would change what is learned.
    """

    def __init__(self, model_file: ModelFile, estimator: Estimator, background: Background) -> None:
        section = model_file.importance
        assert section is not None, "made where the model file asks for it"
        if not isinstance(estimator, RiverEstimator) or estimator.draws_when_asked:
            why = "to ask it about rows that never came would change what it learns"
            raise SpecError(SEGMENT, f"cannot be measured of this learner: {why}")
        self._every, self._fading = section.every, section.fading
        asked = RiverEstimator(estimator.dump(), task=model_file.task, wants_probabilities=True)
        self._predict, self._background = asked.predict, background
        self._loss = _distance if model_file.task == "regression" else _missed
        self._features: dict[str, list[float]] = {}  # sum, weight and count of each
        self._asked = self._failed = 0
        self._points: Thinned[dict[str, Any]] = Thinned()

    def between(self, steps: Steps, learned: Callable[[], int]) -> Steps:
        """The same steps, with a measurement before each event whose turn it is.

        Args:
            learned: How many events were learned so far.
        """

        def stepped(
            xs: Sequence[Any], ys: Sequence[Any], ws: Sequence[float | None] | None
        ) -> Found:
            found: Found = []
            first, count = 0, len(xs)
            while first < count:
                before = learned()
                if before % self._every == 0:
                    self._measure(xs[first], ys[first], before)
                end = min(count, first + self._every - before % self._every)
                found += _shifted(steps, xs, ys, ws, first, end, found)
                first = end
            return found

        return stepped

    def top(self) -> dict[str, float]:
        """The features worth most, and what they are."""
        values = {name: each[0] / each[1] for name, each in self._features.items()}
        return dict(sorted(values.items(), key=lambda each: (-each[1], each[0]))[:TOP])

    def report(self) -> dict[str, Any]:
        """All that is known, as the segment has it."""
        items = [
            {"feature": name, "importance": total / weight, "measured": int(count)}
            for name, (total, weight, count) in self._features.items()
        ]
        return {
            "every": self._every,
            "fading": self._fading,
            "measured": self._asked,
            "failed": self._failed,
            "items": sorted(items, key=lambda each: (-each["importance"], each["feature"])),
            "over_time": self._points.items,
        }

    def segment(self) -> bytes:
        """The report as a version keeps it."""
        return json.dumps(self.report(), separators=(",", ":")).encode()

    def dump(self) -> dict[str, Any]:
        """The state."""
        features = {name: tuple(each) for name, each in self._features.items()}
        points = self._points.dump()
        return {"features": features, "counts": (self._asked, self._failed), "points": points}

    def restore(self, dumped: Mapping[str, Any] | None) -> None:
        """Go on from a dump; None: nothing was measured yet."""
        if dumped is None:
            return
        self._features = {name: list(each) for name, each in dumped["features"].items()}
        self._asked, self._failed = dumped["counts"]
        self._points.restore(dumped["points"])

    def _measure(self, x: Mapping[str, Any], y: Any, learned: int) -> None:
        number, rows = self._asked, len(self._background)
        if not x or not rows:
            return
        self._asked += 1
        name = list(x)[number % len(x)]
        row = self._background.row(((number * _SPREAD) % (1 << _BITS)) * rows >> _BITS)
        lost = self._lost(x, y, name, row.get(name, ABSENT))
        if lost is None:
            self._failed += 1
            return
        self._add(name, lost)
        self._points.add(lambda: {"learned": learned, "importance": self.top()})

    def _lost(self, x: Mapping[str, Any], y: Any, name: str, other: Any) -> float | None:
        """How much the loss rises; None where the model has no answer or raises.

        That is not the event's fault: if the model raises on that, its own step says so.
        """
        try:
            one, changed = self._predict({**x}), self._predict(replaced(x, (name,), other))
        except BaseException as error:  # as in `progressive_steps`
            if isinstance(error, MemoryError):
                raise
            return None
        if one[0] is None or changed[0] is None:
            return None
        lost = self._loss(y, changed) - self._loss(y, one)
        return lost if lost - lost == 0.0 else None  # it may be NaN or infinite

    def _add(self, name: str, lost: float) -> None:
        known = self._features.get(name)
        if known is None:
            if len(self._features) < FEATURES_MAX:
                self._features[name] = [lost, 1.0, 1]
            return
        known[0] = known[0] * self._fading + lost
        known[1] = known[1] * self._fading + 1.0
        known[2] += 1


def _missed(y: Any, predicted: Predicted) -> float:
    label, chances = predicted
    return 1.0 - chances.get(y, 0.0) if chances else float(label != y)


def _distance(y: Any, predicted: Predicted) -> float:
    number: Any = predicted[0]
    return float(abs(y - number))


def _shifted(
    steps: Steps,
    xs: Sequence[Any],
    ys: Sequence[Any],
    ws: Sequence[float | None] | None,
    first: int,
    end: int,
    found: Found,
) -> Found:
    """What the steps find from `first` to `end`, by places among all; errors likewise."""
    part = slice(first, end)
    try:
        more = steps(xs[part], ys[part], None if ws is None else ws[part])
    except PredictFailedError as error:
        more = [(first + place, each) for place, each in error.found]
        raise PredictFailedError(first + error.place, error.cause, [*found, *more]) from error.cause
    except StepFailedError as error:
        raise StepFailedError(first + error.place, error.cause) from error.cause
    return [(first + place, each) for place, each in more]
