"""One waiting event as bytes: its values without their names, which most events share.

MessagePack, which keeps each value's type to the bit. A dict of 20 floats takes some 2 KB, its
values as bytes 180.
"""

from typing import Any, NamedTuple

from learner.events.packing import packed, unpacked
from learner.values import Served

# Names in one order. Of events whose names vary without end each keeps its own.
_LAYOUTS_MAX = 1_000
_NO_LAYOUT = -1


class Waiting(NamedTuple):
    """An event without its label, and what was predicted of it at its place in the log.

    Attributes:
        id: Its own, else `topic-partition-offset`.
        timestamp: Of its record, milliseconds since the epoch.
        x: Features as the learner takes them, or a line of Vowpal Wabbit's text.
        weight: None where it has none.
        predicted: Native label or number; None where the model had none yet.
        probabilities: By native label; None where there are none.
        served: The same two as the API answered, where it was asked, in its own words.
    """

    id: str
    timestamp: int
    x: Any
    weight: float | int | None
    predicted: Any
    probabilities: dict[Any, float] | None
    served: Served | None = None


class Rows:
    """Writes and reads rows that share one table of layouts.

    Args:
        layouts: The table, as `layouts` of another had it.

    >>> rows = Rows()
    >>> row = rows.row_of(Waiting("a", 7, {"n": 1.5, "m": 2**70}, None, True, {True: 0.7}))
    >>> rows.waiting(row)
    Waiting(id='a', timestamp=7, x={'n': 1.5, 'm': 1180591620717411303424}, weight=None, \
predicted=True, probabilities={True: 0.7}, served=None)
    >>> Rows(rows.layouts).id_of(row)
    'a'
    """

    def __init__(self, layouts: list[list[str]] | None = None) -> None:
        self.layouts = [list(names) for names in layouts or ()]
        self._places = {tuple(names): place for place, names in enumerate(self.layouts)}

    def row_of(self, waiting: Waiting) -> bytes:
        """The bytes of one event."""
        event_id, timestamp, x, weight, *answers = waiting
        place, values = _NO_LAYOUT, x
        if type(x) is dict:
            place = self._place(tuple(x))
            values = x if place == _NO_LAYOUT else list(x.values())
        row = [event_id, timestamp, weight, answers, place, values]
        return packed(row)

    def waiting(self, row: bytes | memoryview) -> Waiting:
        """The event in these bytes."""
        event_id, timestamp, weight, answers, place, x = unpacked(row)
        predicted, probabilities, served = answers
        if place != _NO_LAYOUT:
            x = dict(zip(self.layouts[place], x, strict=True))
        served = served and tuple(served)
        return Waiting(event_id, timestamp, x, weight, predicted, probabilities, served)

    def id_of(self, row: bytes | memoryview) -> str:
        """Its id alone."""
        found: str = unpacked(row)[0]
        return found

    def _place(self, names: tuple[str, ...]) -> int:
        place = self._places.get(names)
        if place is None:
            if len(self.layouts) >= _LAYOUTS_MAX:
                return _NO_LAYOUT
            place = self._places[names] = len(self.layouts)
            self.layouts.append(list(names))
        return place
