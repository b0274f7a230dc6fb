"""What the scores remember: one small tally per kind of score, updated with every scored event.

A tally keeps the least from which River's own formula can be computed later: counts of (truth,
prediction) pairs for whatever reads a confusion matrix, a running mean, and so on. River's
metrics are built and fed only when someone asks, so an event costs a fraction of a microsecond
and asking changes nothing.

Each tally serves one or more names and knows their lifetime, rolling and fading values. `dump`
returns plain values that may share the tally's own: pickle them before the next event.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, ClassVar, Protocol, TypeAlias

from river import metrics, stats

from config.model.parts import ScoreWindows as Windows

State = dict[str, Any]
Names = tuple[str, ...]
# (truth, predicted label or number, probabilities) -> this event's loss.
Loss: TypeAlias = Callable[[Any, Any, Any], float]
Present: TypeAlias = Callable[[float], float]


class Tally(Protocol):
    """The state behind one or more scores.

    Attributes:
        kind: Names the class in a dump.
        names: The scores it serves.
    """

    kind: ClassVar[str]
    names: tuple[str, ...]

    def update(self, y: Any, y_pred: Any, probabilities: Any, /) -> None:
        """Take one scored event."""

    def lifetime(self, name: str) -> float | None:
        """Over every event so far; None before the first."""

    def rolling(self, name: str) -> float | None:
        """Over the last events of the window; None before the first."""

    def fading(self, name: str) -> float | None:
        """The fading mean; None before the first event, and for what is no mean over events."""

    def dump(self) -> State:
        """The state, for `load` of a tally of this kind."""

    def load(self, state: State) -> None:
        """Continue from a dumped state."""


MakeTally: TypeAlias = Callable[[Names, Windows], Tally]
_COMMON = ("_factor", "_recent", "names")  # attributes of every tally


class PairTally:
    """Counts of (label, predicted label): all that River reads from a confusion matrix.

    Counts are whole numbers, so a matrix filled from them equals one that was updated event by
    event, in every cell and in the order of its labels.
    """

    kind: ClassVar[str] = "pairs"
    __slots__ = (*_COMMON, "_hits", "_mass", "_pairs")

    def __init__(self, names: Names, windows: Windows) -> None:
        self.names = names
        self._pairs: dict[tuple[Any, Any], int] = {}
        self._recent: deque[tuple[Any, Any]] = deque(maxlen=windows.rolling)
        self._factor = windows.fading
        self._hits = self._mass = 0.0

    def update(self, y: Any, y_pred: Any, _: object, /) -> None:
        pair = (y, y_pred)
        self._recent.append(pair)
        try:
            self._pairs[pair] += 1
        except KeyError:
            self._pairs[pair] = 1
        self._hits = self._hits * self._factor + (y == y_pred)
        self._mass = self._mass * self._factor + 1.0

    def lifetime(self, name: str) -> float | None:
        return _over_pairs(name, self._pairs)

    def rolling(self, name: str) -> float | None:
        return _over_pairs(name, Counter(self._recent))

    def fading(self, name: str) -> float | None:
        return self._hits / self._mass if name == "Accuracy" and self._mass else None

    def dump(self) -> State:
        fading = [self._hits, self._mass]
        return {"pairs": dict(self._pairs), "recent": list(self._recent), "fading": fading}

    def load(self, state: State) -> None:
        self._pairs = dict(state["pairs"])
        self._recent.extend(state["recent"])
        self._hits, self._mass = state["fading"]


class CurveTally(PairTally):
    """Counts of (label, threshold not exceeded): all that River's ROCAUC reads.

    River compares each probability with ten thresholds. Which of them it exceeds is told by the
    first one it does not, and that one stands for the probability here. While there is one class
    only there is no curve: River's 0 is then no value.
    """

    kind: ClassVar[str] = "curve"
    __slots__ = ("_edges", "_thresholds")

    def __init__(self, names: Names, windows: Windows) -> None:
        super().__init__(names, windows)
        self._thresholds: list[float] = river_metric("ROCAUC").thresholds
        self._edges = [*self._thresholds, inf]

    def update(self, y: Any, _: object, probabilities: Any, /) -> None:
        p = probabilities.get(True, 0.0)
        pair = (y, self._edges[bisect_left(self._thresholds, p)])
        self._recent.append(pair)
        try:
            self._pairs[pair] += 1
        except KeyError:
            self._pairs[pair] = 1

    def lifetime(self, name: str) -> float | None:
        return super().lifetime(name) if _has_both(self._pairs) else None

    def rolling(self, name: str) -> float | None:
        return super().rolling(name) if _has_both(self._recent) else None


class MeanTally:
    """The running mean of a loss, in River's own arithmetic."""

    kind: ClassVar[str] = "mean"
    __slots__ = (*_COMMON, "_count", "_faded", "_loss", "_mass", "_mean", "_present")

    def __init__(self, names: Names, windows: Windows, loss: Loss, present: Present) -> None:
        self.names, self._loss, self._present = names, loss, present
        self._count = self._mean = self._faded = self._mass = 0.0
        self._factor = windows.fading
        self._recent: deque[float] = deque(maxlen=windows.rolling)

    def update(self, y: Any, y_pred: Any, probabilities: Any, /) -> None:
        loss = self._loss(y, y_pred, probabilities)
        self._recent.append(loss)
        self._count += 1.0
        self._mean += (1.0 / self._count) * (loss - self._mean)
        self._faded = self._faded * self._factor + loss
        self._mass = self._mass * self._factor + 1.0

    def lifetime(self, _: str) -> float | None:
        return self._present(self._mean) if self._count else None

    def rolling(self, _: str) -> float | None:
        mean = stats.Mean()
        for loss in self._recent:
            mean.update(loss)
        return self._present(mean.get()) if self._recent else None

    def fading(self, _: str) -> float | None:
        return self._present(self._faded / self._mass) if self._mass else None

    def dump(self) -> State:
        sums = [self._count, self._mean, self._faded, self._mass]
        return {"sums": sums, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._count, self._mean, self._faded, self._mass = state["sums"]
        self._recent.extend(state["recent"])


class LossTally:
    """Vowpal Wabbit's average loss: the sum of losses over the sum of weights."""

    kind: ClassVar[str] = "loss"
    __slots__ = (*_COMMON, "_faded", "_faded_weight", "_loss", "_weight")

    def __init__(self, names: Names, windows: Windows) -> None:
        self.names = names
        self._loss = self._weight = self._faded = self._faded_weight = 0.0
        self._factor = windows.fading
        self._recent: deque[tuple[float, float]] = deque(maxlen=windows.rolling)

    def update(self, y: Any, y_pred: Any, probabilities: Any, /) -> None:
        """Nothing: the loss is Vowpal Wabbit's own and comes by `add`."""

    def add(self, loss: float, weight: float) -> None:
        """Take one learned example's loss, already multiplied by its weight."""
        self._recent.append((loss, weight))
        self._loss += loss
        self._weight += weight
        self._faded = self._faded * self._factor + loss
        self._faded_weight = self._faded_weight * self._factor + weight

    def lifetime(self, _: str) -> float | None:
        return self._loss / self._weight if self._weight else None

    def rolling(self, _: str) -> float | None:
        weight = sum(weight for _, weight in self._recent)
        return sum(loss for loss, _ in self._recent) / weight if weight else None

    def fading(self, _: str) -> float | None:
        return self._faded / self._faded_weight if self._faded_weight else None

    def dump(self) -> State:
        sums = [self._loss, self._weight, self._faded, self._faded_weight]
        return {"sums": sums, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._loss, self._weight, self._faded, self._faded_weight = state["sums"]
        self._recent.extend(state["recent"])


class RiverTally:
    """Any other score: River's metric itself, and the last events it was fed."""

    kind: ClassVar[str] = "river"
    __slots__ = (*_COMMON, "_metric", "_reads_labels")

    def __init__(self, names: Names, windows: Windows) -> None:
        self.names = names
        self._metric = river_metric(names[0])
        self._reads_labels = getattr(self._metric, "requires_labels", True)
        self._recent: deque[tuple[Any, Any]] = deque(maxlen=windows.rolling)

    def update(self, y: Any, y_pred: Any, probabilities: Any, /) -> None:
        # A copy: a learner may hand out the same dict again, changed.
        prediction = y_pred if self._reads_labels else dict(probabilities)
        self._metric.update(y, prediction)
        self._recent.append((y, prediction))

    def lifetime(self, _: str) -> float | None:
        return _value_of(self._metric, self._recent)

    def rolling(self, _: str) -> float | None:
        metric = type(self._metric)()
        for y, prediction in self._recent:
            metric.update(y, prediction)
        return _value_of(metric, self._recent)

    def fading(self, _: str) -> float | None:
        return None

    def dump(self) -> State:
        return {"metric": self._metric, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._metric = state["metric"]
        self._recent.extend(state["recent"])


def river_metric(name: str) -> Any:
    """A new metric of River's, built without arguments."""
    return getattr(metrics, name)()


def _over_pairs(name: str, pairs: Mapping[tuple[Any, Any], int]) -> float | None:
    """The value of River's metric `name` fed with each pair as often as it was counted."""
    if not pairs:
        return None
    metric = river_metric(name)
    for (y, prediction), count in pairs.items():
        metric.update(y, prediction, float(count))
    if hasattr(metric, "cm"):  # an update of any weight counts as one sample
        metric.cm.n_samples = sum(pairs.values())
    return _value(metric)


def _value(metric: Any) -> float:
    return float(metric.get())


def _value_of(metric: Any, recent: Sequence[tuple[Any, Any]]) -> float | None:
    """The metric's value; None where the number that River gives stands for none.

    River gives 0 for the area under a curve of one class, and for the share of a variance that is
    zero. Where River has a convention for a division by zero (F1, MCC, CohenKappa), as scikit-learn
    has too, that is the value.

    Args:
        recent: The last events it was fed, oldest first.
    """
    if not recent:
        return None
    value = _value(metric)
    if isinstance(metric, metrics.R2):
        truths = vars(metric)["_y_var"]
        return value if truths.mean.n > 1 and truths.get() else None
    if isinstance(metric, metrics.RollingROCAUC | metrics.RollingPRAUC) and not value:
        return value if _has_both(list(recent)[-metric.window_size :]) else None
    return value


def _has_both(pairs: Iterable[tuple[Any, Any]]) -> bool:
    """Whether these events, truth first, are of more than one class."""
    return len({y for y, _ in pairs}) > 1
