"""Records on which the learner raised, kept over restores by the keeper."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stream.positions import PartitionKey

Place: TypeAlias = tuple[str, int, int]


@dataclass(slots=True)
class Suspects:
    """Places in the log where the learner raised, and how often.

    A record that raised once is learned again by itself, with a commit right before it; one that
    raised twice is refused as `learn_error`.

    >>> suspects = Suspects()
    >>> suspects.raised["events", 0, 7] += 1
    >>> ("events", 0, 7) in suspects, suspects.is_given_up(("events", 0, 7))
    (True, False)
    >>> suspects.committed({("events", 0): 8})
    [('events', 0, 7)]
    """

    raised: Counter[Place] = field(default_factory=Counter)

    def __contains__(self, place: Place) -> bool:
        return place in self.raised

    def __bool__(self) -> bool:
        return bool(self.raised)

    def is_given_up(self, place: Place) -> bool:
        """Whether this record raised twice."""
        return self.raised[place] > 1

    def committed(self, next_offsets: Mapping[PartitionKey, int]) -> list[Place]:
        """Forget what lies below a commit: no restore comes back to it."""
        settled = [
            place for place in self.raised if place[2] < next_offsets.get((place[0], place[1]), 0)
        ]
        for place in settled:
            del self.raised[place]
        return settled
