"""The gate: what may be learned, of events that passed the screen.

It decides from the event and its own memory alone (the names, labels and ids seen so far), never
from a clock or a server, so that a replay decides the same. A refusal changes none of that memory.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from config.model_file import ModelFile
from learner.events.examples import Examples
from learner.events.kinds import Kinds
from learner.events.labels import Labels
from learner.values import Features, Reason, Refusal


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
    >>> ids.mark()
    >>> ids.add("d")
    >>> ids.take_back()
    >>> ids.in_order()
    ['b', 'c']
    """

    __slots__ = ("_dropped", "_marked", "_order", "_seen", "_size")

    def __init__(self, size: int, ids: Iterable[str] = ()) -> None:
        self._size = size
        self._order: deque[str] = deque(ids)
        self._seen = set(self._order)
        self.mark()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._seen

    def add(self, event_id: str) -> None:
        """Remember one more id, and forget the oldest beyond `size`."""
        self._seen.add(event_id)
        self._order.append(event_id)
        while len(self._order) > self._size:
            oldest = self._order.popleft()
            self._seen.discard(oldest)
            self._dropped.append(oldest)

    def mark(self) -> None:
        """What is added from here on may be taken back."""
        self._marked = len(self._order)
        self._dropped: list[str] = []

    def take_back(self) -> None:
        """Forget what was added since `mark`, and know what it pushed out."""
        order, dropped = self._order, self._dropped
        for _ in range(len(dropped) + len(order) - self._marked):
            self._seen.discard(order.pop() if order else dropped.pop())
        order.extendleft(reversed(dropped))
        self._seen.update(dropped)
        self._dropped = []

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
        self._kinds = Kinds()
        self.ids = RecentIds(model_file.limits.duplicates)

    def admit(self, examples: Examples) -> Admitted:
        """Those that may be learned, which count as seen from now on; and why the others not."""
        self._mark()
        is_known = self._kinds.know(examples.names)
        if is_known and examples.ids is None:
            ys = self._labels.natives(examples.labels)
            if ys is not None:
                return Admitted(examples.xs, ys, examples.weights, range(len(ys)), ())
        return self._admit_one_by_one(examples, is_known=is_known)

    def new_names(self, x: Any) -> set[str]:
        """The names among these features that no admitted event has had."""
        return set() if type(x) is str else x.keys() - self._kinds.names

    def take_back(self) -> None:
        """Forget what the last `admit` remembered: not all that it admitted was learned."""
        self._kinds.take_back()
        self._labels.take_back()
        self.ids.take_back()
        self._mark()

    def _mark(self) -> None:
        self._kinds.mark()
        self._labels.mark()
        self.ids.mark()

    def dump(self) -> dict[str, Any]:
        """The memory that snapshots keep beside the ids."""
        return {**self._kinds.dump(), "labels": self._labels.dump()}

    def restore(self, state: dict[str, Any], ids: Iterable[str]) -> None:
        """Continue from `dump`ed memory and the ids of a snapshot."""
        self._kinds.restore(state)
        self._labels.restore(state["labels"])
        self.ids = RecentIds(self._limits.duplicates, ids)

    def _admit_one_by_one(self, examples: Examples, *, is_known: bool) -> Admitted:
        xs, ys, places, refused = [], [], [], []
        rows = zip(examples.xs, examples.labels, examples.ids or repeat(None), strict=False)
        for place, (x, label, event_id) in enumerate(rows):
            y = self._one(x, label, event_id, is_known=is_known)
            if type(y) is Refusal:
                refused.append((place, y))
                continue
            if not is_known:
                where = f"{examples.topic}-{examples.partition}-{examples.offsets[place]}"
                self._kinds.learn(x, where)
            xs.append(x)
            ys.append(y)
            places.append(place)
        weights = examples.weights
        ws = None if weights is None else [weights[place] for place in places]
        return Admitted(xs, ys, ws, places, refused)

    def _one(self, x: Any, label: Any, event_id: str | None, *, is_known: bool) -> Any:
        """The learner's own label for an event that may be learned; its id is remembered.

        Args:
            is_known: Whether its features are known for what they are.
        """
        if event_id is not None and event_id in self.ids:
            return Refusal(Reason.duplicate, f"id {event_id!r} was seen before", "gate")
        refusal = None if is_known else self._refused_features(x)
        if refusal is not None:
            return refusal
        y = self._labels.native(label)
        if event_id is not None and type(y) is not Refusal:
            self.ids.add(event_id)
        return y

    def _refused_features(self, x: Features) -> Refusal | None:
        new = x.keys() - self._kinds.names
        if new and len(self._kinds.names) + len(new) > self._limits.names:
            detail = f"{len(new)} new names beyond limits.names {self._limits.names}"
            return Refusal(Reason.too_many_features, detail, "gate")
        return self._kinds.refusal(x)
