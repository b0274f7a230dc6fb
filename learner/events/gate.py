"""The gate: what may be learned, of events that passed the screen.

It decides from the event and its own memory alone (the names, labels and ids seen so far), never
from a clock or a server, so that a replay decides the same. A refusal changes none of that memory.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from config.model_file import ModelFile
from learner.events.examples import Examples
from learner.events.kinds import Kinds
from learner.events.labels import Labels
from learner.events.recent_ids import RecentIds
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

    def admit_waiting(self, examples: Examples, place: int) -> Refusal | None:
        """Admit the features of an event whose label comes later, or say why not.

        Its id is not remembered: it waits, and so is known.
        """
        event_id = None if examples.ids is None else examples.ids[place]
        if event_id is not None and event_id in self.ids:
            return _duplicate(event_id)
        x = examples.xs[place]
        self._mark()
        refusal = None if type(x) is str else self._refused_features(x)
        if refusal is None and type(x) is not str:
            self._kinds.learn(x, _where(examples, place))
        return refusal

    def admit_late(self, examples: Examples, place: int, x: Any, label: Any) -> Any:
        """The learner's own label for an event that waited, or why it may not be learned.

        Args:
            place: Of the example at whose place it is learned.
            x: The event's features, or its line of text. What is known of features may have
                changed since they were admitted: by a rollback.
        """
        self._mark()
        refusal = None if type(x) is str else self._refused_features(x)
        if refusal is not None:
            return refusal
        y = self._labels.native(label)
        if type(y) is not Refusal and type(x) is not str:
            self._kinds.learn(x, _where(examples, place))
        return y

    def would_be(self, label: Any) -> Any:
        """The learner's own label for one that is not learned here, or a `Refusal`. It is not
        remembered.
        """
        self._mark()
        y = self._labels.native(label)
        self.take_back()
        return y

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
                self._kinds.learn(x, _where(examples, place))
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
            return _duplicate(event_id)
        refusal = None if is_known else self._refused_features(x)
        if refusal is not None:
            return refusal
        y = self._labels.native(label)
        if event_id is not None and type(y) is not Refusal:
            self.ids.add(event_id, y)
        return y

    def _refused_features(self, x: Features) -> Refusal | None:
        new = x.keys() - self._kinds.names
        if new and len(self._kinds.names) + len(new) > self._limits.names:
            detail = f"{len(new)} new names beyond limits.names {self._limits.names}"
            return Refusal(Reason.too_many_features, detail, "gate")
        return self._kinds.refusal(x)


def _duplicate(event_id: str) -> Refusal:
    return Refusal(Reason.duplicate, f"id {event_id!r} was seen before", "gate")


def _where(examples: Examples, place: int) -> str:
    return f"{examples.topic}-{examples.partition}-{examples.offsets[place]}"
