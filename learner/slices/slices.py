"""The scores of each value of a slice, a block of events at a time.

The first values that come, as many as a slice may have, are told apart; what comes after counts as
`other`. Each value has the scores of the model file, over its own events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from config.model.slices import LABEL_AGE, VALUES_MAX
from config.model_file import ModelFile
from learner.scores.blocks import BLOCK_EVENTS
from learner.scores.scores import Scores, scores_of
from learner.slices.values import OTHER, age_name, value_of

SEGMENT = "slices"
_WINDOWS = ("lifetime", "rolling")


class Slices:
    """The slices of a model file, and that of the labels' age.

    Args:
        model_file: Its sections `slices` and `metrics`.

    Attributes:
        age_s: Of the next event, how long its label took; None: it came with it.

    >>> from config.model_file import parse_model_file
    >>> text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}, slices: [c]}"
    >>> slices = Slices(parse_model_file(text))
    >>> slices.feed({"c": "TR"}, True, True, None)
    >>> found = slices.report()["c"][0]
    >>> found["value"], found["scored"], found["metrics"]["Accuracy"]["lifetime"]
    ('TR', 1, 1.0)
    """

    def __init__(self, model_file: ModelFile) -> None:
        names = [name for name in model_file.metrics if name != "VWLoss"]  # a sum over all

        def make() -> Scores:
            return scores_of(model_file, names)

        self._by_feature = [
            (value_of(each), _Values(each.feature, each.bins, make)) for each in model_file.slices
        ]
        self._by_age = _Values(LABEL_AGE, None, make)
        self._wants_chances = make().wants_probabilities
        self._xs: list[Any] = []
        self._ages: list[float | None] = []
        self._scored: list[tuple[Any, Any, Any]] = []
        self.age_s: float | None = None

    def __bool__(self) -> bool:
        return bool(self._by_feature)

    def feed(self, x: Any, y: Any, predicted: Any, probabilities: Any) -> None:
        """One event was scored, as in `Scores.update`."""
        self._xs.append(x)
        self._ages.append(self.age_s)
        chances = dict(probabilities) if self._wants_chances else None
        self._scored.append((y, predicted, chances))
        if len(self._xs) >= BLOCK_EVENTS:
            self._settle()

    def report(self) -> dict[str, list[dict[str, Any]]]:
        """Of each slice its values, those with the most events first, `other` last."""
        self._settle()
        return {each.name: each.report() for each in self._all() if each.scores}

    def segments(self) -> dict[str, bytes]:
        """The report as a segment keeps it; none where nothing is told apart."""
        found = self.report()
        return {SEGMENT: msgspec.json.encode(found)} if found else {}

    def dump(self) -> list[dict[str, Any]]:
        """The state, to be pickled before the next update."""
        self._settle()
        return [each.dump() for each in self._all() if each.scores]

    def restore(self, dumped: Iterable[Mapping[str, Any]]) -> None:
        """Continue from a dump: slices that are still asked for go on, others begin."""
        found = {(each["name"], each["bins"]): each for each in dumped}
        for each in self._all():
            if (each.name, each.bins) in found:
                each.restore(found[each.name, each.bins])

    def _all(self) -> list[_Values]:
        return [*(values for _, values in self._by_feature), self._by_age]

    def _settle(self) -> None:
        """Count the events of the block."""
        if not self._xs:
            return
        for value, values in self._by_feature:
            values.add(list(map(value, self._xs)), self._scored)
        late = [place for place, age in enumerate(self._ages) if age is not None]
        if late:
            ages = [age_name(self._ages[place] or 0.0) for place in late]
            self._by_age.add(ages, [self._scored[place] for place in late])
        for column in (self._xs, self._ages, self._scored):
            column.clear()


class _Values:
    """The scores of each value of one slice."""

    def __init__(
        self, name: str, bins: tuple[float, ...] | None, make: Callable[[], Scores]
    ) -> None:
        self.name, self.bins, self._make = name, bins, make
        self.scores: dict[str, Scores] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Sequence[str], scored: Sequence[tuple[Any, Any, Any]]) -> None:
        """Score these, each with its value."""
        places = defaultdict(list)
        for place, value in enumerate(values):
            places[value].append(place)
        for value, found in places.items():
            known = self._known(value)
            self._counts[known] += len(found)
            self.scores[known].extend([scored[place] for place in found])

    def _known(self, value: str) -> str:
        """The value itself, or `other` where there are too many."""
        if value not in self.scores:
            if len(self.scores) >= VALUES_MAX:
                value = OTHER
            if value not in self.scores:
                self.scores[value], self._counts[value] = self._make(), 0
        return value

    def report(self) -> list[dict[str, Any]]:
        ordered = sorted(self.scores, key=lambda it: (it == OTHER, -self._counts[it], it))
        return [
            {
                "value": value,
                "scored": self._counts[value],
                "metrics": {
                    name: {window: told[window] for window in _WINDOWS}
                    for name, told in self.scores[value].report().items()
                },
            }
            for value in ordered
        ]

    def dump(self) -> dict[str, Any]:
        values = [
            (value, self._counts[value], scores.dump()) for value, scores in self.scores.items()
        ]
        return {"name": self.name, "bins": self.bins, "values": values}

    def restore(self, dumped: Mapping[str, Any]) -> None:
        for value, count, state in dumped["values"]:
            self.scores[value], self._counts[value] = self._make(), count
            self.scores[value].restore(state)
