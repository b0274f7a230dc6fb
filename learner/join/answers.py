"""What the API answered, by the id it answered under, until that event's label lands.

For the served scores alone: nothing that is learned depends on it, so it is taken as it comes and
waits for nobody. An answer may be read after its label, which then waits for it here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from math import inf
from typing import Any

from config.model_file import ModelFile
from learner.join.pending import Pending
from learner.join.rows import Waiting
from learner.values import Served

# Segments of a version are named so; the rest of the name is a chunk's serial.
PREFIX = "answers."
NO_LABEL = object()


class Answers:
    """Answers that wait for their label, and labels that wait for their answer.

    Args:
        model_file: How many of each, and how long.

    Attributes:
        read: How many answers were read.

    >>> from config.model_file import parse_model_file
    >>> text = "{name: m, task: binary, learner: {vw: --noconstant}, late_labels: {horizon: 1d}}"
    >>> answers = Answers(parse_model_file(text))
    >>> answers.add("a", 5, (True, None), clock_ms=5) is NO_LABEL
    True
    >>> answers.of_labelled("a", False)
    (True, None)
    """

    def __init__(self, model_file: ModelFile) -> None:
        late, limits = model_file.late_labels, model_file.limits
        horizon_s = inf if late is None or late.horizon is None else late.horizon
        self._horizon_ms = horizon_s * 1000
        self._limit, self._labels_max = limits.pending, limits.duplicates
        self.waiting = Pending(prefix=PREFIX)
        self._labels: OrderedDict[str, Any] = OrderedDict()
        self.read = 0

    def add(self, answer_id: str, timestamp: int, served: Served, *, clock_ms: int) -> Any:
        """One more answer, read at this log time; the learner's own label, if that has landed, else
        `NO_LABEL`. Of two answers under one id the first counts.
        """
        self.read += 1
        while self.waiting.pop_before(clock_ms - self._horizon_ms):
            continue
        if answer_id in self._labels:
            return self._labels.pop(answer_id)
        if answer_id not in self.waiting:
            if len(self.waiting) >= self._limit:
                self.waiting.pop_first()
            self.waiting.add(Waiting(answer_id, timestamp, None, None, None, None, served))
        return NO_LABEL

    def of_labelled(self, event_id: str, label: Any) -> Served | None:
        """What was answered under the id of an event whose label, the learner's own, lands; None:
        nothing that was read yet.
        """
        answer = self.waiting.pop(event_id)
        if answer is not None:
            return answer.served
        self._labels[event_id] = label
        if len(self._labels) > self._labels_max:
            self._labels.popitem(last=False)
        return None

    def state(self) -> dict[str, Any]:
        """What changes from version to version. After `waiting.seal`."""
        labels = [list(each) for each in self._labels.items()]
        return {"waiting": self.waiting.state(), "labels": labels, "read": self.read}

    def restore(self, state: Mapping[str, Any], segments: Mapping[str, bytes]) -> None:
        """Continue from a `state` and the segments that belong to it."""
        self.waiting.restore(state["waiting"], segments)
        self._labels = OrderedDict(map(tuple, state["labels"]))
        self.read = state["read"]
