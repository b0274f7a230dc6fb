"""What a learner keeps for explanations: the background and, where it is asked for, importance."""

from collections.abc import Mapping, Sequence
from typing import Any

from config.model_file import ModelFile
from learner.estimator import Estimator
from learner.explaining import background, importance
from learner.explaining.background import Background
from learner.explaining.importance import FeatureImportance
from learner.progressive import ExampleCounts, Found, Steps


class KeptForExplanations:
    """What is kept of one model.

    Args:
        model_file: Its section `importance`.
        estimator: Is asked, where that is measured.

    Raises:
        SpecError: FeatureImportance cannot be measured of this learner.
    """

    def __init__(self, model_file: ModelFile, estimator: Estimator) -> None:
        self._background = Background()
        self._importance: FeatureImportance | None = None
        if model_file.importance is not None:
            self._importance = FeatureImportance(model_file, estimator, self._background)

    def following(self, steps: Steps, tally: ExampleCounts) -> Steps:
        """The same steps, of whose events is kept what is to be; a comparison a batch."""
        follow = self._background.add

        def stepped(
            xs: Sequence[Any], ys: Sequence[Any], ws: Sequence[float | None] | None
        ) -> Found:
            first = tally.learned
            try:
                return steps(xs, ys, ws)
            finally:  # those before the one that raised were learned
                follow(xs, first, tally.learned)

        if self._importance is None:
            return stepped
        return self._importance.between(stepped, lambda: tally.learned)

    @property
    def top(self) -> dict[str, float] | None:
        """The features worth most; None where it is not measured."""
        return None if self._importance is None else self._importance.top()

    def segments(self) -> dict[str, bytes]:
        """What a version keeps of it, by kind."""
        found = {background.SEGMENT: self._background.dump()}
        if self._importance is not None:
            found[importance.SEGMENT] = self._importance.segment()
        return found

    def dump(self) -> dict[str, Any] | None:
        """The state of importance, which the segment only reports."""
        return None if self._importance is None else self._importance.dump()

    def restore(
        self, segments: Mapping[str, bytes], dumped: Mapping[str, Any] | None, learned: int
    ) -> None:
        """Go on from a version; older ones have nothing of it.

        Args:
            learned: How many events that had learned.
        """
        self._background.restore(segments.get(background.SEGMENT), learned)
        if self._importance is not None:
            self._importance.restore(dumped)
