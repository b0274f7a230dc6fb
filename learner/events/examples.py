"""Examples in columns: what the checks on single records left of a stretch of one partition."""

from typing import Any

import msgspec


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
        xs: Features as the learner takes them, or lines of Vowpal Wabbit's text.
        labels: The events' own, not yet the learner's.
        weights: None for an event without one.
        ids: None for an event without one.
        names: All features' names that occur in `xs`, by kind (see `learner.events.kinds`); none of
            text.
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
        )
