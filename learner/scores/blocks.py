"""What tallies are made for, and what they are fed with: scored events, a block at a time.

An event costs its loop one call, whatever is scored. A block is only a saving: every sum goes on
event by event, so that no bit depends on where blocks are cut.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.model.parts import ScoreWindows as Windows
from config.model_file import TaskName

# Scored events that wait to be counted, at most.
BLOCK_EVENTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What of the model file the scores are made by.

    Attributes:
        task: What the learner learns.
        windows: Length of the rolling window in scored events, and the fading factor.
        labels: The admissible ones, where the file lists them.
        value: The section `value`, where there is one.
        has_beside: Whether what stands beside a score is kept, too: its fading value, its
            baselines, how sure it is.
    """

    task: TaskName
    windows: Windows
    labels: tuple[Any, ...] | None = None
    value: Mapping[str, Any] | None = field(default=None)
    has_beside: bool = True

    @property
    def fading(self) -> float | None:
        """The fading factor; None where nothing fades."""
        return self.windows.fading if self.has_beside else None


@dataclass(slots=True, kw_only=True)
class Block:
    """Scored events in order: lists of equal length.

    Attributes:
        ys: The truths.
        predicted: The labels or numbers predicted.
        probabilities: By native label, one's own; None in place of each where no score reads them.
        baselines: What each baseline would have predicted; None before the first truth. None of
            them where nobody asks.
        rows: What a tally reads of each event, by the tally's `row`: tallies that read the same
            have it from one another, and so does a slice from the whole.
    """

    ys: list[Any]
    predicted: list[Any]
    probabilities: list[Any]
    baselines: Sequence[list[Any]] = ()
    rows: dict[Hashable, list[Any]] = field(default_factory=dict)

    def part(self, places: Sequence[int]) -> "Block":
        """The events at these places, with the rows that are there, and no baselines."""

        def at(column: list[Any]) -> list[Any]:
            return list(map(column.__getitem__, places))

        return Block(
            ys=at(self.ys),
            predicted=at(self.predicted),
            probabilities=at(self.probabilities),
            rows={row: at(column) for row, column in self.rows.items()},
        )
