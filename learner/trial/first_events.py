"""The first events of a model: where each of them raises, the pipeline is wrong, not an event."""

from collections.abc import Sequence
from typing import TypeAlias

from learner.errors import UnlearnableError
from learner.estimator import Estimator
from learner.events.examples import Examples
from learner.events.labels import Labels
from learner.river.estimator import RiverEstimator
from learner.trial.why_raised import why_raised

# So many that raise before any is learned are no accident.
FIRST_EVENTS = 20

Place: TypeAlias = tuple[str, int, int]


class FirstEvents:
    """Where events raised before any was learned.

    Args:
        model: Its name.
        estimator: Tried, to tell what it does not take.
        labels: Reads an event's label as the learner's own.
    """

    def __init__(self, model: str, estimator: Estimator, labels: Labels) -> None:
        self._model, self._estimator, self._labels = model, estimator, labels
        self._places: list[Place] = []

    def raised(self, examples: Examples, place: int, total: int, what: str) -> None:
        """One more raised, none is learned.

        Args:
            total: How many did, this one included; some may have before this process began.
            what: What was raised, with its type.

        Raises:
            UnlearnableError: It is the twentieth. It says what the event has and the pipeline does
                not take.
        """
        self._places.append((examples.topic, examples.partition, examples.offsets[place]))
        if total < FIRST_EVENTS:
            return
        why = self._why(examples, place)
        raise UnlearnableError(
            f"model {self._model}: the learner raises on each of its first {total} events "
            f"({_told_places(self._places)}): {f'{why} ({what})' if why else what}. Mend the "
            "events or the pipeline, and start again"
        )

    def _why(self, examples: Examples, place: int) -> str | None:
        if not isinstance(self._estimator, RiverEstimator):
            return None
        y = self._labels.native(examples.labels[place])
        return why_raised(self._estimator.dump(), examples.xs[place], y)


def _told_places(places: Sequence[Place]) -> str:
    """The offsets of each partition.

    >>> _told_places([("events", 0, 7), ("events", 0, 8), ("events", 1, 3)])
    'events-0 at offsets 7 to 8, events-1 at offset 3'
    """
    offsets: dict[tuple[str, int], list[int]] = {}
    for topic, partition, offset in places:
        offsets.setdefault((topic, partition), []).append(offset)
    return ", ".join(
        f"{topic}-{partition} at offset{f's {of[0]} to {of[-1]}' if len(of) > 1 else f' {of[0]}'}"
        for (topic, partition), of in offsets.items()
    )
