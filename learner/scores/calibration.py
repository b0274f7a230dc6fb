"""Whether probabilities mean what they say: the Brier score, and the calibration error by bins.

`Brier` of a binary task is the mean of (p - y)², p the probability of the positive class and y 1
or 0; of many classes it sums that over the classes, so it lies between 0 and 2. `ECE` groups the
events into ten bins of equal width, by the probability of the positive class or, of many classes,
by that of the predicted one, and means |predicted - observed| over the events.

Sources: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
Review 78, 1950; Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using
Bayesian binning", AAAI 2015 (binary); Guo, Pleiss, Sun and Weinberger, "On calibration of modern
neural networks", ICML 2017 (the predicted class).
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, ClassVar

from learner.scores.blocks import Block, Terms
from learner.scores.means import Interval, RunningMean, mean_of
from learner.scores.tally import EventLoss, Names, State, Tally
from learner.tasks import TASKS

BINS = 10
# A probability, whether it came true, and the Brier score of the event.
Forecast = tuple[float, bool, float]


class CalibrationTally(Tally):
    """For each bin: the events, the sum of their probabilities, and how many came true."""

    kind: ClassVar[str] = "calibration"
    is_shared: ClassVar[bool] = True

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._forecasts = _many if TASKS[terms.task].has_many else _positive
        self._bounds: Interval = (0.0, 2.0 if TASKS[terms.task].has_many else 1.0)
        self._bins = _Bins()
        self._brier = RunningMean(terms.fading)
        self._recent: deque[Forecast] = deque(maxlen=terms.windows.rolling)

    def rows(self, block: Block) -> list[Forecast]:
        return self._forecasts(block)

    def take(self, rows: list[Forecast], _: Block) -> None:
        self._recent.extend(rows)
        self._bins.update(rows)
        self._brier.update([loss for _, _, loss in rows])

    def lifetime(self, name: str) -> float | None:
        if not self._brier.count:
            return None
        return self._brier.mean if name == "Brier" else self._bins.error()

    def rolling(self, name: str) -> float | None:
        if name == "Brier":
            return mean_of(loss for _, _, loss in self._recent)
        bins = _Bins()
        bins.update(self._recent)
        return bins.error() if self._recent else None

    def fading(self, name: str) -> float | None:
        return self._brier.faded if name == "Brier" else None

    def interval(self, name: str) -> Interval | None:
        return self._brier.interval(self._bounds) if name == "Brier" else None

    def event_loss(self, name: str) -> EventLoss | None:
        return EventLoss(self._loss, self._bounds) if name == "Brier" else None

    def _loss(self, y: Any, predicted: Any, probabilities: Any) -> float:
        one = Block(ys=[y], predicted=[predicted], probabilities=[probabilities], baselines=())
        ((_, _, loss),) = self._forecasts(one)
        return loss

    def report(self) -> dict[str, Any]:
        """The reliability diagram: each bin, and both scores, over the life."""
        return {
            "bins": self._bins.report(),
            "ece": self.lifetime("ECE"),
            "brier": self.lifetime("Brier"),
        }

    def dump(self) -> State:
        state = {"bins": self._bins.dump(), "brier": self._brier.dump()}
        return {**state, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._bins.load(state["bins"])
        self._brier.load(state["brier"])
        self._recent.extend(state["recent"])


class _Bins:
    """Ten bins from 0 to 1; each includes its lower edge, the last one 1 as well."""

    def __init__(self) -> None:
        self._counts, self._sums, self._hits = [0] * BINS, [0.0] * BINS, [0] * BINS

    def update(self, forecasts: Iterable[Forecast]) -> None:
        counts, sums, hits, last = self._counts, self._sums, self._hits, BINS - 1
        for p, came_true, _ in forecasts:
            place = int(p * BINS)
            if not 0 <= place <= last:  # 1 belongs to the last; a model may answer beyond
                place = 0 if place < 0 else last
            counts[place] += 1
            sums[place] += p
            hits[place] += came_true

    def error(self) -> float:
        """The expected calibration error."""
        off = 0.0
        for total, hits in zip(self._sums, self._hits, strict=True):
            off += abs(total - hits)
        return off / sum(self._counts)

    def report(self) -> list[dict[str, Any]]:
        """Each bin: the mean of what was predicted, and the share that was observed."""
        return [
            {
                "from": place / BINS,
                "to": (place + 1) / BINS,
                "count": count,
                "predicted": total / count if count else None,
                "observed": hits / count if count else None,
            }
            for place, (count, total, hits) in enumerate(
                zip(self._counts, self._sums, self._hits, strict=True)
            )
        ]

    def dump(self) -> list[list[float]]:
        return [list(self._counts), list(self._sums), list(self._hits)]

    def load(self, state: list[list[Any]]) -> None:
        self._counts, self._sums, self._hits = (list(column) for column in state)


def _positive(block: Block) -> list[Forecast]:
    """Of a binary task: the probability of the positive class."""
    found: list[Forecast] = []
    for y, probabilities in zip(block.ys, block.probabilities, strict=True):
        p = probabilities.get(True, 0.0)
        found.append((p, y, (p - y) * (p - y)))
    return found


def _many(block: Block) -> list[Forecast]:
    """Of many classes: the probability of the predicted one."""
    found: list[Forecast] = []
    rows = zip(block.ys, block.predicted, block.probabilities, strict=True)
    for y, predicted, probabilities in rows:
        p_true = probabilities.get(y, 0.0)
        # Summed over the classes: those that are not the truth, as (p - 0)², and the truth.
        loss = (p_true - 1) * (p_true - 1)
        for label, p in probabilities.items():
            if label != y:
                loss += p * p
        found.append((probabilities.get(predicted, 0.0), predicted == y, loss))
    return found
