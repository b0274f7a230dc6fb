"""What a version says of the publish gate: by what it was judged, and for which it is held back."""

from __future__ import annotations

from msgspec import Struct

from checkpoints.records.line import Pointer

__all__ = ["GateRule", "HeldBack", "PublishGate"]


class GateRule(Struct, frozen=True, kw_only=True):
    """By what the publish gate judges.

    Attributes:
        score: Its name; the rolling value counts.
        margin: How much worse than the best a version may be, in the score's own unit.
        window: Scored events of the rolling value.
        is_bigger_better: Whether a greater value is a better one.
    """

    score: str
    margin: float
    window: int
    is_bigger_better: bool

    def is_better(self, value: float, best: float) -> bool:
        """Whether `value` is better than `best`, by however little."""
        return value > best if self.is_bigger_better else value < best

    def is_worse(self, value: float, best: float) -> bool:
        """Whether `value` is worse than `best` by more than the margin."""
        if self.is_bigger_better:
            return value < best - self.margin
        return value > best + self.margin


class HeldBack(Struct, frozen=True, kw_only=True):
    """A version that the publish gate holds back.

    Attributes:
        good: What is served in its place: the last version that was let through.
        since_ms: When the first of those held back for it was cut (Unix, UTC).
    """

    good: Pointer
    since_ms: int


class PublishGate(Struct, frozen=True, kw_only=True):
    """How the publish gate has judged a version, and what it judges the next one by.

    Attributes:
        rule: As the model file had it.
        best: The best value of the versions let through within the last window; None until a
            first window is full: nothing is held.
        best_scored: Events that the version of that value had scored; without one, where the
            first window begins.
        held: Set where the version is held back.
    """

    rule: GateRule
    best: float | None = None
    best_scored: int
    held: HeldBack | None = None
