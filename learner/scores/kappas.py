"""Kappa-temporal and kappa-M: how far a learner is above a classifier that reads no feature.

(p - p0) / (1 - p0), where p is the learner's accuracy and p0 that of the no-change classifier
(`KappaT`) or of the majority class so far (`KappaM`), each predicted before it learns. 1 is the
best there is, 0 no better than that classifier, and below 0 worse. Where it is never wrong there
is no value.

Sources: Žliobaitė et al., Machine Learning 98, 2015 (kappa-temporal); Bifet, De Francisci Morales,
Read, Holmes and Pfahringer, "Efficient online evaluation of big data stream classifiers", KDD 2015
(kappa-M).
"""

from collections import deque
from operator import eq
from typing import ClassVar

from learner.scores.baselines import ClassBaselines
from learner.scores.blocks import Block, Terms
from learner.scores.tally import Names, Pair, State, Tally

# Column of the learner's own hits, and of those of the classifier that each is measured by.
_OWN = 0
_AGAINST = {"KappaT": 1, "KappaM": 2}
_COLUMNS = 1 + len(ClassBaselines.names)
Hits = tuple[bool | None, ...]


class KappaTally(Tally):
    """Who was right: the learner, the last label, the majority so far."""

    kind: ClassVar[str] = "kappa"
    is_shared: ClassVar[bool] = True
    reads_baselines: ClassVar[bool] = True

    def __init__(self, names: Names, terms: Terms) -> None:
        super().__init__(names)
        self._asked, self._right = [0] * _COLUMNS, [0] * _COLUMNS
        self._recent: deque[Hits] = deque(maxlen=terms.windows.rolling)

    def rows(self, block: Block) -> list[bool | None]:
        return list(map(eq, block.ys, block.predicted))

    def take(self, rows: list[bool | None], block: Block) -> None:
        columns = [rows]
        for foreseen in block.baselines:
            hits = list(map(eq, block.ys, foreseen))
            columns.append([None, *hits[1:]] if foreseen[0] is None else hits)
        for place, column in enumerate(columns):
            self._asked[place] += len(column) - (column[0] is None)
            self._right[place] += column.count(True)
        self._recent.extend(zip(*columns, strict=True))

    def lifetime(self, name: str) -> float | None:
        return _kappa(_OWN, _AGAINST[name], self._asked, self._right)

    def rolling(self, name: str) -> float | None:
        columns = list(zip(*self._recent, strict=True)) or [()] * _COLUMNS
        asked = [len(column) - column.count(None) for column in columns]
        right = [column.count(True) for column in columns]
        return _kappa(_OWN, _AGAINST[name], asked, right)

    def baselines(self, name: str) -> Pair:
        of, against = (self._asked, self._right), _AGAINST[name]
        return _kappa(1, against, *of), _kappa(2, against, *of)

    def dump(self) -> State:
        sums = {"asked": list(self._asked), "right": list(self._right)}
        return {**sums, "recent": list(self._recent)}

    def load(self, state: State) -> None:
        self._asked, self._right = list(state["asked"]), list(state["right"])
        self._recent.extend(state["recent"])


def _kappa(own: int, other: int, asked: list[int], right: list[int]) -> float | None:
    """Of the classifier in column `own` against the one in column `other`.

    >>> _kappa(0, 1, [10, 10, 10], [9, 5, 0])
    0.8
    """
    if not asked[own] or not asked[other] or asked[other] == right[other]:
        return None
    p, p0 = right[own] / asked[own], right[other] / asked[other]
    return (p - p0) / (1 - p0)
