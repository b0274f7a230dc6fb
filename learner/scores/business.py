"""What predictions are worth: a number for each predicted and actual label, or a cost of error.

`Value` is the mean of it over the scored events; more is better. For a regression the cost of an
error counts against it: the value of an event is -over·(y_pred - y) above the truth, and
-under·(y - y_pred) below it.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

from config.model.value import label_text
from learner.scores.blocks import Terms
from learner.scores.means import Interval
from learner.scores.states import Loss, MeanTally
from learner.scores.tally import Names, State
from learner.tasks import TASKS


class ValueTally(MeanTally):
    """The mean value of the scored events. With another section `value` it begins anew."""

    kind: ClassVar[str] = "value"

    def __init__(self, names: Names, terms: Terms) -> None:
        assert terms.value is not None  # `Scores` has seen to it
        is_table = TASKS[terms.task].has_classes
        loss, bounds = (_of_classes if is_table else _of_numbers)(terms.value, terms)
        super().__init__(names, terms, loss=loss, bounds=bounds)
        self._section = terms.value

    def dump(self) -> State:
        return {**super().dump(), "section": self._section}

    def load(self, state: State) -> None:
        if state["section"] == self._section:
            super().load(state)


def _of_classes(section: Mapping[str, Any], terms: Terms) -> tuple[Loss, Interval]:
    """The worth of each pair of the learner's own labels."""
    given = terms.labels or (False, True)
    native = given if TASKS[terms.task].has_many else (False, True)
    texts = dict(zip(native, map(label_text, given), strict=True))
    worth = {
        (y, predicted): float(section[texts[predicted]][texts[y]])
        for predicted in native
        for y in native
    }

    def value(y: Any, predicted: Any, _: object) -> float:
        # A class that is not listed can be predicted by a learner of the user's own alone.
        return worth.get((y, predicted), 0.0)

    return value, (min(worth.values()), max(worth.values()))


def _of_numbers(section: Mapping[str, Any], _: Terms) -> tuple[Loss, Interval]:
    over, under = float(section["over"]), float(section["under"])

    def value(y: float, predicted: float, _: object) -> float:
        off = predicted - y
        return -over * off if off > 0 else under * off

    return value, (-inf, 0.0)
