"""The ids given lately and what their events were, to know a duplicate by, and a second label."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

# An id and the learner's own label; alone where its event was let go before there was one. As text,
# in versions that kept no labels.
Entry: TypeAlias = Sequence[Any] | str

# Stand in for a label: none came in time; and it is not known.
EXPIRED = ("expired",)
UNKNOWN = None


class RecentIds:
    """The last `size` ids given, each with the label that was learned.

    >>> ids = RecentIds(2)
    >>> for name in ["a", "b", "c"]:
    ...     ids.add(name, True)
    >>> "a" in ids, "c" in ids
    (False, True)
    >>> ids.mark()
    >>> ids.add("d", EXPIRED)
    >>> ids.label("d") is EXPIRED, ids.label("c")
    (True, True)
    >>> ids.take_back()
    >>> ids.in_order()
    [['b', True], ['c', True]]
    """

    __slots__ = ("_dropped", "_labels", "_marked", "_size")

    def __init__(self, size: int, entries: Iterable[Entry] = ()) -> None:
        self._size = size
        self._labels = OrderedDict(map(_read, entries))
        self.mark()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._labels

    def label(self, event_id: str) -> Any:
        """The label that was learned of an id that is remembered; or `EXPIRED`, or `UNKNOWN`."""
        return self._labels[event_id]

    def add(self, event_id: str, label: Any) -> None:
        """Remember one more id, and forget the oldest beyond `size`."""
        labels = self._labels
        labels[event_id] = label
        while len(labels) > self._size:
            self._dropped.append(labels.popitem(last=False))

    def mark(self) -> None:
        """What is added from here on may be taken back."""
        self._marked = len(self._labels)
        self._dropped: list[tuple[str, Any]] = []

    def take_back(self) -> None:
        """Forget what was added since `mark`, and know what it pushed out."""
        if self._dropped or len(self._labels) > self._marked:
            both = [*self._dropped, *self._labels.items()]
            self._labels = OrderedDict(both[: self._marked])
        self._dropped = []

    def in_order(self) -> list[list[Any]]:
        """The entries, oldest first."""
        return [[key] if label is EXPIRED else [key, label] for key, label in self._labels.items()]


def _read(entry: Entry) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, UNKNOWN
    return (entry[0], EXPIRED) if len(entry) == 1 else (entry[0], entry[1])
