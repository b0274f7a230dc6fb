"""Learns in pieces that end where a row of the history is due, and makes the row there."""

from collections.abc import Sequence

from learner.drift.log import within_years
from learner.events.gate import Admitted
from learner.history.history import History
from learner.progressive import ExampleCounts, Found, PredictFailedError, StepFailedError, Steps
from learner.scores.scores import Scores

_WINDOWS = ("lifetime", "rolling", "fading")
_BESIDE = ("low", "high")  # where a lifetime value lies is told of the present alone


class Recording:
    """Steps, and the history that they leave.

    Args:
        history: Where rows go.
        tally: What the steps count in.
        scores: Of the learner's own predictions.
        served: Of what the API answered; None: its answers are not scored.
    """

    def __init__(
        self, history: History, tally: ExampleCounts, scores: Scores, served: Scores | None
    ) -> None:
        self._history, self._tally = history, tally
        self._scores, self._served = scores, served

    def take(self, steps: Steps, admitted: Admitted, timestamps: Sequence[int]) -> Found:
        """As the steps themselves do, and raising what they raise.

        Args:
            timestamps: Of the examples' records, by the places that `admitted` names.
        """
        xs, ys, ws, places, _ = admitted
        if self._tally.learned + len(xs) < self._history.due:
            return steps(xs, ys, ws)
        found: Found = []
        first, count = 0, len(xs)
        while first < count:
            following = min(count, first + self._history.due - self._tally.learned)
            weights = None if ws is None else ws[first:following]
            try:
                more = steps(xs[first:following], ys[first:following], weights)
            except StepFailedError as error:
                raise StepFailedError(first + error.place, error.cause) from error
            except PredictFailedError as error:
                found += _moved(error.found, first)
                raise PredictFailedError(first + error.place, error.cause, found) from error
            found += _moved(more, first)
            first = following
            if self._tally.learned >= self._history.due:
                self._history.add(self._row(timestamps[places[following - 1]]))
        return found

    def _row(self, timestamp_ms: int) -> dict[str, float | None]:
        row: dict[str, float | None] = {
            "learned": self._tally.learned,
            "scored": self._tally.scored,
            "at_ms": within_years(timestamp_ms),
        }
        for name, told in self._scores.report().items():
            row |= {f"{name} {key}": told[key] for key in told if key not in _BESIDE}
        if self._served is not None:
            for name, told in self._served.report().items():
                row |= {f"{name} served.{window}": told[window] for window in _WINDOWS}
        return row


def _moved(found: Found, first: int) -> Found:
    return [(first + place, detection) for place, detection in found] if first else found
