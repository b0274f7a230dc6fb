"""Where most of what comes is refused: the commonest refusal, and the line that mends it.

Counted over the last few thousand records, so that a stream that breaks today is told of today,
however much was learned before.
"""

from collections import Counter
from collections.abc import Iterable

from learner.values import Refusal

# Records after which what was counted weighs half.
_RECENT = 2_000
# Different refusals told apart, and characters of one in the advice.
_KINDS_MAX = 100
_TOLD_MAX = 400


class Remedies:
    """Weighs what is refused, refusal by refusal, against what is learned.

    >>> remedies = Remedies()
    >>> line = "missing: [NA]"
    >>> price = Refusal("wrong_type", "feature 'price' is text ('NA')", "gate", mend=line)
    >>> remedies.took(2, [price])
    >>> remedies.advice is None
    True
    >>> remedies.took(0, [price, price])
    >>> remedies.advice
    "3 of the last 5 records are refused alike: wrong_type: feature 'price' is text ('NA'); \
what admits them stands in the model file as `missing: [NA]`"
    """

    def __init__(self) -> None:
        self._learned = 0
        self._refused: Counter[str] = Counter()
        self._last: dict[str, Refusal] = {}

    def took(self, learned: int, refused: Iterable[Refusal]) -> None:
        """So many were learned, and these refused."""
        self._learned += learned
        for refusal in refused:
            kind = refusal.mend or str(refusal.reason)
            self._refused[kind] += 1
            self._last[kind] = refusal
        if self._total > _RECENT or len(self._refused) > _KINDS_MAX:
            self._forget()

    @property
    def commonest(self) -> str | None:
        """Which refusal is commoner than that an event is learned; None where none is."""
        for kind, count in self._refused.most_common(1):
            if count > self._learned:
                return kind
        return None

    @property
    def advice(self) -> str | None:
        """That refusal in words, with the line of the model file that mends it, if one does."""
        kind = self.commonest
        if kind is None:
            return None
        last, count = self._last[kind], self._refused[kind]
        told = (
            f"{count} of the last {self._total} records are refused alike: {last.reason}: "
            f"{last.detail[:_TOLD_MAX]}"
        )
        if last.mend:
            told += f"; what admits them stands in the model file as `{last.mend[:_TOLD_MAX]}`"
        return told

    @property
    def _total(self) -> int:
        return self._learned + self._refused.total()

    def _forget(self) -> None:
        self._learned //= 2
        halved = {kind: n // 2 for kind, n in self._refused.most_common(_KINDS_MAX // 2) if n > 1}
        self._refused = Counter(halved)
        self._last = {kind: self._last[kind] for kind in halved}
