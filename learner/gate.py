"""The gate: what may be learned, of events that passed the screen.

It decides from the event and its own memory alone (the names, labels and ids seen so far), never
from a clock or a server, so that a replay decides the same. A refusal changes none of that memory.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from config.model_file import ModelFile
from learner.examples import Examples
from learner.labels import Labels
from learner.values import Reason, Refusal


class Admitted(NamedTuple):
    """What may be learned, in order.

    Attributes:
        xs: Features, or lines of text.
        ys: The learner's own labels.
        ws: Weights; None where no event has one.
        places: Which of the examples these are.
        refused: The others: which, and why.
    """

    xs: Sequence[Any]
    ys: Sequence[Any]
    ws: Sequence[float | None] | None
    places: Sequence[int]
    refused: Sequence[tuple[int, Refusal]]


class RecentIds:
    """The last `size` ids given, to know a duplicate by.

    >>> ids = RecentIds(2)
    >>> for name in ["a", "b", "c"]:
    ...     ids.add(name)
    >>> "a" in ids, "c" in ids
    (False, True)
    """

    __slots__ = ("_order", "_seen", "_size")

    def __init__(self, size: int, ids: Iterable[str] = ()) -> None:
        self._size = size
        self._order: deque[str] = deque(ids)
        self._seen = set(self._order)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._seen

    def add(self, event_id: str) -> None:
        """Remember one more id, and forget the oldest beyond `size`."""
        self._seen.add(event_id)
        self._order.append(event_id)
        while len(self._order) > self._size:
            self._seen.discard(self._order.popleft())

    def in_order(self) -> list[str]:
        """The ids, oldest first."""
        return list(self._order)


class Gate:
    """Admits examples, or says why not.

    Args:
        model_file: Its limits.
        labels: Reads an event's label as the learner's own.
    """

    def __init__(self, model_file: ModelFile, labels: Labels) -> None:
        self._limits = model_file.limits
        self._labels = labels
        self._names: set[str] = set()
        self.ids = RecentIds(model_file.limits.duplicates)

    def admit(self, examples: Examples) -> Admitted:
        """Those that may be learned, which count as seen from now on; and why the others not."""
        if examples.ids is None and self._names.issuperset(examples.names):
            ys = self._labels.natives(examples.labels)
            if ys is not None:
                return Admitted(examples.xs, ys, examples.weights, range(len(ys)), ())
        return self._admit_one_by_one(examples)

    def dump(self) -> dict[str, Any]:
        """The memory that snapshots keep beside the ids."""
        return {"names": sorted(self._names), "labels": self._labels.dump()}

    def restore(self, state: dict[str, Any], ids: Iterable[str]) -> None:
        """Continue from `dump`ed memory and the ids of a snapshot."""
        self._names = set(state["names"])
        self._labels.restore(state["labels"])
        self.ids = RecentIds(self._limits.duplicates, ids)

    def _admit_one_by_one(self, examples: Examples) -> Admitted:
        xs, ys, places, refused = [], [], [], []
        rows = zip(examples.xs, examples.labels, examples.ids or repeat(None), strict=False)
        for place, (x, label, event_id) in enumerate(rows):
            y = self._one(x, label, event_id)
            if type(y) is Refusal:
                refused.append((place, y))
            else:
                xs.append(x)
                ys.append(y)
                places.append(place)
        weights = examples.weights
        ws = None if weights is None else [weights[place] for place in places]
        return Admitted(xs, ys, ws, places, refused)

    def _one(self, x: Any, label: Any, event_id: str | None) -> Any:
        """The learner's own label for an event that may be learned, and is remembered."""
        if event_id is not None and event_id in self.ids:
            return Refusal(Reason.duplicate, f"id {event_id!r} was seen before", "gate")
        names = () if type(x) is str else x.keys() - self._names
        if names and len(self._names) + len(names) > self._limits.names:
            detail = f"{len(names)} new names beyond limits.names {self._limits.names}"
            return Refusal(Reason.too_many_features, detail, "gate")
        y = self._labels.native(label)
        if type(y) is Refusal:
            return y
        self._names.update(names)
        if event_id is not None:
            self.ids.add(event_id)
        return y
