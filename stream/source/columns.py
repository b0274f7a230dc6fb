"""From records to columns: decoded, screened, and laid side by side for the learner."""

from collections.abc import Mapping, Sequence, Set
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from config.model_file import ModelFile
from learner.build import build_screen
from learner.events.decode import Decode, decoder
from learner.events.examples import Examples
from learner.events.screen import Screen
from learner.values import Refusal, Served
from stream.source.topics import other_decoders


class Columns:
    """Turns the records of one partition into examples and refusals.

    Args:
        decode: From bytes to an event.
        screen: The checks that the record alone decides.
        others: Decoders of topics whose records are not events.
    """

    def __init__(
        self, decode: Decode, screen: Screen, others: Mapping[str, Decode] = MappingProxyType({})
    ) -> None:
        self._decode, self._others = decode, others
        self._check, self._names = screen.check, screen.names

    def of(
        self, topic: str, partition: int, records: Sequence[Any]
    ) -> tuple[Examples, list[tuple[int, Refusal]]]:
        """The examples in `records`, and which records are refused, and why. It never raises."""
        decode, check = self._others.get(topic, self._decode), self._check
        refused: list[tuple[int, Refusal]] = []
        xs: list[Any] = []
        labels: list[Any] = []
        ids: list[str | None] = []
        weights: list[float | int | None] = []
        served: list[Served | None] = []
        kept: list[Any] = []
        has_lone = False
        for place, record in enumerate(records):
            event: Any = decode(record.value, record.headers)
            x = event if type(event) is Refusal else check(event)
            if type(x) is Refusal:
                refused.append((place, x))
                continue
            xs.append(x)
            if x is None or event.label is None:
                has_lone = True
            labels.append(event.label)
            ids.append(event.id)
            weights.append(event.weight)
            served.append(event.served)
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
            newest=max((record.timestamp for record in records), default=-1),
            clocks=_clocks(records, {place for place, _ in refused}) if refused else None,
            has_lone=has_lone,
            served=_unless_empty(served),
        )
        return examples, refused


def columns_of(model_file: ModelFile, labels: str | None) -> Columns:
    """What decodes the records of each of a model's topics.

    Args:
        labels: The topic of labels alone, where one is read.
    """
    others = other_decoders(model_file, labels)
    return Columns(decoder(model_file), build_screen(model_file), others)


def _clocks(records: Sequence[Any], refused: Set[int]) -> list[int]:
    """Log time at each record that is not refused, as far as these records tell."""
    times = accumulate((record.timestamp for record in records), max)
    return [time for place, time in enumerate(times) if place not in refused]


def _unless_empty(column: list[Any]) -> list[Any] | None:
    """None where no entry has a value."""
    return None if column.count(None) == len(column) else column
