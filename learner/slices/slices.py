"""The scores of each value of a slice, a block of events at a time.

The first values that come, as many as a slice may have, are told apart; what comes after counts as
`other`. Each value has the scores of the model file, over its own events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from config.model.slices import LABEL_AGE, VALUES_MAX
from config.model_file import ModelFile
from learner.scores.blocks import Block
from learner.scores.scores import Scores, scores_of
from learner.slices.values import OTHER, age_name, value_of

SEGMENT = "slices"
# Of an event: its place in the block, its features, how long its label took.
Row: TypeAlias = tuple[int, Any, float | None]


class Slices:
    """The slices of a model file, and that of the labels' age.

    Args:
        model_file: Its sections `slices` and `metrics`.
        scores: Those of all events, which hand on what they have counted.

    Attributes:
        age_s: Of the next event, how long its label took; None: it came with it.

    >>> from config.model_file import parse_model_file
    >>> text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}, slices: [c]}"
    >>> model_file = parse_model_file(text)
    >>> scores = scores_of(model_file, model_file.metrics)
    >>> slices = Slices(model_file, scores)
    >>> slices.feed({"c": "TR"})
    >>> scores.update(True, True, None)
    >>> found = slices.report()["c"][0]
    >>> found["value"], found["scored"], found["metrics"]["Accuracy"]["lifetime"]
    ('TR', 1, 1.0)
    """

    def __init__(self, model_file: ModelFile, scores: Scores) -> None:
        names = [name for name in model_file.metrics if name != "VWLoss"]  # a sum over all

        def make() -> Scores:
            return scores_of(model_file, names, has_beside=False)

        self._by_feature = [
            (value_of(each), _Values(each.feature, each.bins, make)) for each in model_file.slices
        ]
        self._by_age = _Values(LABEL_AGE, None, make)
        self._scores, self._under_way = scores, scores.under_way
        self._rows: list[Row] = []
        self.age_s: float | None = None
        if scores.feeds or self._by_feature:
            scores.followed_by(self._count)

    def __bool__(self) -> bool:
        return bool(self._by_feature)

    def feed(self, x: Any) -> None:
        """The event with these features is scored next."""
        self._rows.append((len(self._under_way), x, self.age_s))

    def report(self) -> dict[str, list[dict[str, Any]]]:
        """Of each slice its values, those with the most events first, `other` last."""
        self._scores.settle()
        return {each.name: each.report() for each in self._all() if each.scores}

    def segments(self) -> dict[str, bytes]:
        """The report as a segment keeps it; none where nothing is told apart."""
        found = self.report()
        return {SEGMENT: msgspec.json.encode(found)} if found else {}

    def dump(self) -> list[dict[str, Any]]:
        """The state, to be pickled before the next update."""
        self._scores.settle()
        return [each.dump() for each in self._all() if each.scores]

    def restore(self, dumped: Iterable[Mapping[str, Any]]) -> None:
        """Continue from a dump: slices that are still asked for go on, others begin."""
        found = {(each["name"], each["bins"]): each for each in dumped}
        for each in self._all():
            if (each.name, each.bins) in found:
                each.restore(found[each.name, each.bins])

    def _all(self) -> list[_Values]:
        return [*(values for _, values in self._by_feature), self._by_age]

    def _count(self, block: Block) -> None:
        """Count those events of the block that were fed."""
        rows, self._rows = self._rows, []
        for value, values in self._by_feature:
            values.add([(place, value(x)) for place, x, _ in rows], block)
        by_age = [(place, age_name(age_s)) for place, _, age_s in rows if age_s is not None]
        self._by_age.add(by_age, block)


class _Values:
    """The scores of each value of one slice."""

    def __init__(
        self, name: str, bins: tuple[float, ...] | None, make: Callable[[], Scores]
    ) -> None:
        self.name, self.bins, self._make = name, bins, make
        self.scores: dict[str, Scores] = {}
        self._counts: dict[str, int] = {}

    def add(self, valued: Sequence[tuple[int, str]], block: Block) -> None:
        """Score these events of the block, each with its value."""
        places = defaultdict(list)
        for place, value in valued:
            places[value].append(place)
        for value, found in places.items():
            known = self._known(value)
            self._counts[known] += len(found)
            self.scores[known].count(block.part(found))

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
                "metrics": self.scores[value].report(),
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
