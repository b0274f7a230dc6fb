"""From records to columns: decoded, screened, and laid side by side for the learner."""

from collections.abc import Sequence
from typing import Any

from learner.events.decode import Decode
from learner.events.examples import Examples
from learner.events.screen import Screen
from learner.values import Refusal


class Columns:
    """Turns the records of one partition into examples and refusals.

    Args:
        decode: From bytes to an event.
        screen: The checks that the record alone decides.
    """

    def __init__(self, decode: Decode, screen: Screen) -> None:
        self._decode, self._check, self._names = decode, screen.check, screen.names

    def of(
        self, topic: str, partition: int, records: Sequence[Any]
    ) -> tuple[Examples, list[tuple[int, Refusal]]]:
        """The examples in `records`, and which records are refused, and why. It never raises."""
        decode, check = self._decode, self._check
        refused: list[tuple[int, Refusal]] = []
        xs: list[Any] = []
        labels: list[Any] = []
        ids: list[str | None] = []
        weights: list[float | int | None] = []
        kept: list[Any] = []
        for place, record in enumerate(records):
            event: Any = decode(record.value, record.headers)
            x = event if type(event) is Refusal else check(event)
            if type(x) is Refusal:
                refused.append((place, x))
                continue
            xs.append(x)
            labels.append(event.label)
            ids.append(event.id)
            weights.append(event.weight)
            kept.append(record)
        examples = Examples(
            topic=topic,
            partition=partition,
            offsets=[record.offset for record in kept],
            timestamps=[record.timestamp for record in kept],
            xs=xs,
            labels=labels,
            weights=_unless_empty(weights),
            ids=_unless_empty(ids),
            names=self._names(),
        )
        return examples, refused


def _unless_empty(column: list[Any]) -> list[Any] | None:
    """None where no entry has a value."""
    return None if column.count(None) == len(column) else column
