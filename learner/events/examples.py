"""Examples in columns: what the checks on single records left of a stretch of one partition."""

from typing import Any

import msgspec

from learner.values import Served


class Examples(msgspec.Struct, array_like=True, gc=False):
    """Events of one partition in offset order, each checked as far as its record alone tells.

    Columns of equal length, one entry an event; a column that no event fills is None. In columns
    they are cheap to hand from process to process, and most of the gate's questions are answered
    once for all.

    Attributes:
        topic: Where they come from, with the next.
        partition: Kafka's number.
        offsets: Of each event's record.
        timestamps: Of each record, milliseconds since the epoch.
        xs: Features as the learner takes them, or lines of Vowpal Wabbit's text; None: the record
            is a label on its own.
        labels: The events' own, not yet the learner's; None: it comes later.
        weights: None for an event without one.
        ids: None for an event without one.
        names: All features' names that occur in `xs`, by kind (see `learner.events.kinds`); none of
            text.
        newest: The greatest timestamp of all records of the stretch, refused ones included.
        clocks: At each event, the greatest of all records up to its own; None: `timestamps` tell.
        has_lone: Whether a label or its event is missing somewhere.
        served: What the API answered, where an event is an answer of its; None: none is.
    """

    topic: str
    partition: int
    offsets: list[int]
    timestamps: list[int]
    xs: list[Any]
    labels: list[Any]
    weights: list[float | int | None] | None = None
    ids: list[str | None] | None = None
    names: dict[str, list[str]] = {}
    newest: int = -1
    clocks: list[int] | None = None
    has_lone: bool = False
    served: list[Served | None] | None = None

    def id_at(self, place: int) -> str:
        """The id of an event; without one of its own, where its record stands."""
        given = None if self.ids is None else self.ids[place]
        own = f"{self.topic}-{self.partition}-{self.offsets[place]}"
        return own if given is None else given

    def clock_at(self, place: int) -> int:
        """A time that log time has reached when this event is taken."""
        return self.timestamps[place] if self.clocks is None else self.clocks[place]

    def between(self, first: int, following: int) -> "Examples":
        """Those from place `first` up to, and without, place `following`.

        >>> two = Examples("t", 0, [7, 8], [0, 0], [{"n": 1}, {"n": 2}], [True, False])
        >>> two.between(1, 2).offsets, two.between(0, 1).xs
        ([8], [{'n': 1}])
        """
        part = slice(first, following)
        return Examples(
            self.topic,
            self.partition,
            self.offsets[part],
            self.timestamps[part],
            self.xs[part],
            self.labels[part],
            None if self.weights is None else self.weights[part],
            None if self.ids is None else self.ids[part],
            self.names,
            self.newest if following >= len(self.xs) else -1,
            None if self.clocks is None else self.clocks[part],
            self.has_lone,
            None if self.served is None else self.served[part],
        )
