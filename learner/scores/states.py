"""What the scores remember: one small tally per kind of score.

A tally keeps the least from which River's own formula can be computed later: counts of (truth,
prediction) pairs for whatever reads a confusion matrix, a running mean, and so on. River's
metrics are built and fed only when someone asks, so an event costs a fraction of a microsecond
and asking changes nothing.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate, repeat
from math import inf
from operator import eq
from typing import Any, ClassVar, TypeAlias

from river import metrics, stats

from learner.scores.blocks import Block, Terms
from learner.scores.means import Interval, RunningMean, mean_after, mean_of
from learner.scores.tally import EventLoss, Names, Pair, State, Tally

# (truth, predicted label or number, probabilities) -> this event's loss.
Loss: TypeAlias = Callable[[Any, Any, Any], float]
Present: TypeAlias = Callable[[float], float]
LabelPair = tuple[Any, Any]
_ANYWHERE: Interval = (-inf, inf)


class PairTally(Tally):
    """Counts of (label, predicted label): all that River reads from a confusion matrix.

    Counts are whole numbers, so a matrix filled from them equals one that was updated event by
    event, in every cell and in the order of its labels. The baselines' are counted beside it.
    Who asks for several scores gets them of one matrix.
    """

    kind: ClassVar[str] = "pairs"
    is_shared: ClassVar[bool] = True

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._pairs: Counter[LabelPair] = Counter()
        self._recent: deque[LabelPair] = deque(maxlen=terms.windows.rolling)
        self._foreseen: tuple[Counter[LabelPair], ...] = (Counter(), Counter())
        self._hits = RunningMean(terms.fading)
        self._has_beside = terms.has_beside
        self._matrices: dict[str, Any] = {}

    def rows(self, block: Block) -> list[LabelPair]:
        return list(zip(block.ys, block.predicted, strict=True))

    def take(self, rows: list[LabelPair], block: Block) -> None:
        self._matrices.clear()
        self._pairs.update(rows)
        self._recent.extend(rows)
        if not self._has_beside:
            return
        for counts, foreseen in zip(self._foreseen, block.baselines, strict=True):
            counts.update(zip(block.ys, foreseen, strict=True))
        if "Accuracy" in self.names:
            self._hits.update(map(eq, block.ys, block.predicted))

    def lifetime(self, name: str) -> float | None:
        return self._over(name, "lifetime", lambda: self._pairs)

    def rolling(self, name: str) -> float | None:
        return self._over(name, "rolling", lambda: Counter(self._recent))

    def fading(self, name: str) -> float | None:
        return self._hits.faded if name == "Accuracy" else None

    def baselines(self, name: str) -> Pair:
        first, second = (
            self._over(name, f"baseline {place}", partial(self._foreseen_by, place))
            for place in range(len(self._foreseen))
        )
        return first, second

    def interval(self, name: str) -> Interval | None:
        return self._hits.interval((0.0, 1.0)) if name == "Accuracy" else None

    def event_loss(self, name: str) -> EventLoss | None:
        return EventLoss(_is_hit, (0.0, 1.0)) if name == "Accuracy" else None

    def _foreseen_by(self, place: int) -> Mapping[LabelPair, int]:
        counts = self._foreseen[place]
        if counts.total() < self._pairs.total():  # of a snapshot that was without: no comparison
            return {}
        # Before the first label there was no prediction, which is not scored.
        return {pair: n for pair, n in counts.items() if pair[1] is not None}

    def _over(
        self, name: str, what: str, pairs: Callable[[], Mapping[LabelPair, int]]
    ) -> float | None:
        matrix = self._matrices.get(what)
        if matrix is None:
            matrix = self._matrices[what] = _matrix(pairs())
        return _value(getattr(metrics, name)(cm=matrix)) if matrix.n_samples else None

    def dump(self) -> State:
        return {
            "pairs": dict(self._pairs),
            "recent": list(self._recent),
            "foreseen": [dict(counts) for counts in self._foreseen],
            "hits": self._hits.dump(),
        }

    def load(self, state: State) -> None:
        self._matrices.clear()
        self._pairs = Counter(state["pairs"])
        self._recent.extend(state["recent"])
        # Snapshots written before there were baselines have other sums, and none of these.
        if "hits" in state:
            self._hits.load(state["hits"])
            first, second = state["foreseen"]
            self._foreseen = Counter(first), Counter(second)
        else:
            self._hits.load([0.0, 0.0, *state["fading"]])


class CurveTally(Tally):
    """Counts of (label, threshold not exceeded): all that River's ROCAUC reads.

    River compares each probability with ten thresholds. Which of them it exceeds is told by the
    first one it does not, and that one stands for the probability here. While there is one class
    only there is no curve: River's 0 is then no value.
    """

    kind: ClassVar[str] = "curve"

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._pairs: Counter[LabelPair] = Counter()
        self._recent: deque[LabelPair] = deque(maxlen=terms.windows.rolling)
        self._thresholds: list[float] = river_metric("ROCAUC").thresholds
        self._edges = [*self._thresholds, inf]

    def rows(self, block: Block) -> list[LabelPair]:
        thresholds, edges = self._thresholds, self._edges
        return [
            (y, edges[bisect_left(thresholds, probabilities.get(True, 0.0))])
            for y, probabilities in zip(block.ys, block.probabilities, strict=True)
        ]

    def take(self, rows: list[LabelPair], _: Block) -> None:
        self._pairs.update(rows)
        self._recent.extend(rows)

    def lifetime(self, _: str) -> float | None:
        return _area(self._pairs, self._edges) if _has_both(self._pairs) else None

    def rolling(self, _: str) -> float | None:
        recent = Counter(self._recent)
        return _area(recent, self._edges) if _has_both(recent) else None

    def dump(self) -> State:
        return {"pairs": dict(self._pairs), "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._pairs = Counter(state["pairs"])
        self._recent.extend(state["recent"])


class MeanTally(Tally):
    """The running mean of a loss, in River's own arithmetic.

    Args:
        present: What becomes of the mean: a root, a percentage.
        bounds: Between which a loss lies.
        reads_labels: The loss is of labels alone, so that baselines have it too.
    """

    kind: ClassVar[str] = "mean"

    def __init__(
        self,
        names: Names,
        terms: Terms,
        *,
        loss: Loss,
        present: Present = float,
        bounds: Interval = _ANYWHERE,
        reads_labels: bool = True,
    ) -> None:
        super().__init__(names)
        self._loss, self._present, self._bounds = loss, present, bounds
        self._reads_labels, self._foresees = reads_labels, reads_labels and terms.has_beside
        self._mean = RunningMean(terms.fading)
        self._recent: deque[float] = deque(maxlen=terms.windows.rolling)
        self._foreseen: list[tuple[float, float]] = [(0.0, 0.0), (0.0, 0.0)]

    def rows(self, block: Block) -> list[float]:
        return list(map(self._loss, block.ys, block.predicted, block.probabilities))

    def take(self, rows: list[float], block: Block) -> None:
        self._recent.extend(rows)
        self._mean.update(rows)
        if self._foresees:
            self._foresee(block)

    def _foresee(self, block: Block) -> None:
        loss = self._loss
        for place, foreseen in enumerate(block.baselines):
            # Before the first label there was no prediction, which is not scored.
            begin = int(foreseen[0] is None)
            losses = map(loss, block.ys[begin:], foreseen[begin:], repeat(None))
            self._foreseen[place] = mean_after(*self._foreseen[place], losses)

    def lifetime(self, _: str) -> float | None:
        return self._present(self._mean.mean) if self._mean.count else None

    def rolling(self, _: str) -> float | None:
        mean = mean_of(self._recent)
        return None if mean is None else self._present(mean)

    def fading(self, _: str) -> float | None:
        faded = self._mean.faded
        return None if faded is None else self._present(faded)

    def baselines(self, _: str) -> Pair:
        first, second = (
            self._present(mean) if count and count + 1 >= self._mean.count else None
            for count, mean in self._foreseen
        )
        return first, second

    def interval(self, _: str) -> Interval | None:
        found = self._mean.interval(self._bounds)
        return found and (self._present(found[0]), self._present(found[1]))

    def event_loss(self, _: str) -> EventLoss | None:
        loss, scale = self._loss, self._present(1.0)
        if self._present(4.0) != 4.0 * scale:  # a root: its differences are none of means
            return None
        # The logarithm of a probability is bounded by River's clipping of it alone: so far off that
        # an interval by these bounds would tell nothing of a difference.
        low, high = self._bounds if self._reads_labels else _ANYWHERE
        return EventLoss(
            lambda y, predicted, chances: scale * loss(y, predicted, chances),
            (scale * low, scale * high),
        )

    def dump(self) -> State:
        foreseen = [list(sums) for sums in self._foreseen]
        return {"sums": self._mean.dump(), "recent": list(self._recent), "foreseen": foreseen}

    def load(self, state: State) -> None:
        self._mean.load(state["sums"])
        self._recent.extend(state["recent"])
        # Snapshots written before there were baselines have none: they are never as many then.
        self._foreseen = [(n, mean) for n, mean in state.get("foreseen", self._foreseen)]


class LossTally(Tally):
    """Vowpal Wabbit's average loss: the sum of losses over the sum of weights."""

    kind: ClassVar[str] = "loss"

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._loss = self._weight = self._faded = self._faded_weight = 0.0
        self._factor = terms.windows.fading
        self._recent: deque[tuple[float, float]] = deque(maxlen=terms.windows.rolling)

    def rows(self, block: Block) -> list[Any]:
        """Nothing: the loss is Vowpal Wabbit's own and comes by `add`."""
        raise AssertionError(f"fed with {len(block.ys)} events")

    def take(self, rows: list[Any], _: Block) -> None:
        """As `rows`."""
        raise AssertionError(f"fed with {len(rows)} events")

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


class RiverTally(Tally):
    """Any other score: River's metric itself, and the last events it was fed."""

    kind: ClassVar[str] = "river"

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._metric = river_metric(names[0])
        self._reads_labels = getattr(self._metric, "requires_labels", True)
        self._recent: deque[tuple[Any, Any]] = deque(maxlen=terms.windows.rolling)

    def rows(self, block: Block) -> list[tuple[Any, Any]]:
        predicted = block.predicted if self._reads_labels else block.probabilities
        return list(zip(block.ys, predicted, strict=True))

    def take(self, rows: list[tuple[Any, Any]], _: Block) -> None:
        self._recent.extend(rows)
        for y, prediction in rows:
            self._metric.update(y, prediction)

    def lifetime(self, _: str) -> float | None:
        return _value_of(self._metric, self._recent)

    def rolling(self, _: str) -> float | None:
        metric = type(self._metric)()
        for y, prediction in self._recent:
            metric.update(y, prediction)
        return _value_of(metric, self._recent)

    def dump(self) -> State:
        return {"metric": self._metric, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._metric = state["metric"]
        self._recent.extend(state["recent"])


class SquaresTally(RiverTally):
    """R2, whose baselines share the truths' variance."""

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names, terms)
        self._has_beside = terms.has_beside
        self._truths = stats.Var()
        self._residuals = [0.0, 0.0]

    def take(self, rows: list[tuple[Any, Any]], block: Block) -> None:
        super().take(rows, block)
        if not self._has_beside:
            return
        # Before the first label there was no prediction, which is not scored.
        begin = int(block.baselines[0][0] is None)
        ys = block.ys[begin:]
        for y in ys:
            self._truths.update(y)
        for place, foreseen in enumerate(block.baselines):
            residual = self._residuals[place]
            for y, predicted in zip(ys, foreseen[begin:], strict=True):
                residual += (y - predicted) * (y - predicted)
            self._residuals[place] = residual

    def baselines(self, _: str) -> Pair:
        count = self._truths.mean.n
        squares = (count - 1) * self._truths.get() if count > 1 else 0.0
        is_of_all = count + 1 >= vars(self._metric)["_y_var"].mean.n
        if not squares or not is_of_all:
            return None, None
        first, second = (1 - residual / squares for residual in self._residuals)
        return first, second

    def dump(self) -> State:
        foreseen = {"truths": self._truths, "residuals": list(self._residuals)}
        return {**super().dump(), **foreseen}

    def load(self, state: State) -> None:
        super().load(state)
        # Snapshots written before there were baselines have none: they are never as many then.
        if "truths" in state:
            self._truths, self._residuals = state["truths"], list(state["residuals"])


def river_metric(name: str) -> Any:
    """A new metric of River's, built without arguments."""
    return getattr(metrics, name)()


def _is_hit(y: Any, predicted: Any, _: object) -> float:
    return 1.0 if y == predicted else 0.0


def _matrix(pairs: Mapping[LabelPair, int]) -> Any:
    """River's confusion matrix, with each pair as often as it was counted."""
    matrix = river_metric("ConfusionMatrix")
    for (y, prediction), count in pairs.items():
        matrix.update(y, prediction, float(count))
    matrix.n_samples = sum(pairs.values())  # an update of any weight counts as one sample
    return matrix


def _area(pairs: Mapping[LabelPair, int], edges: Sequence[float]) -> float:
    """River's ROCAUC fed with each pair as often as it was counted, a threshold's cells at once."""
    metric = river_metric("ROCAUC")
    for y in (True, False):
        counts = [pairs.get((y, edge), 0) for edge in edges]
        not_above = accumulate(counts)
        total = sum(counts)
        for matrix, below in zip(metric.cms, not_above, strict=False):
            matrix.update(y, True, float(total - below))
            matrix.update(y, False, float(below))
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
