"""Who runs the trials of a search: one protocol, and what each engine keeps to."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from stream.trying.search.lab import Step, TrialOutcome


class Engine(Protocol):
    """Runs steps, several at a time.

    Every step is a call of `Lab.advance`, in whatever process: what comes of it is the same.
    """

    def run(self, steps: Sequence[Step]) -> Iterator[TrialOutcome | None]:
        """The outcome of each step, as they come; None where a moment has passed without one.

        A process that dies costs its own trial alone.

        Raises:
            StreamError: The engine itself fails.
        """

    def under_way(self) -> int:
        """Records that steps still at work have learned by now; 0 where that is not known."""

    def close(self) -> None:
        """End all that it has started, and what still runs."""
