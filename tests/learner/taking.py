"""Single events to a trainer, as the source process hands them on."""

from itertools import repeat

from learner.build import build_screen
from learner.events.examples import Examples
from learner.events.kinds import names_by_kind
from learner.values import Refusal


def examples_of(rows, *, topic="events", partition=0):
    """Rows of (offset, timestamp, x, event) as columns."""
    return Examples(
        topic=topic,
        partition=partition,
        offsets=[row[0] for row in rows],
        timestamps=[row[1] for row in rows],
        xs=[row[2] for row in rows],
        labels=[row[3].label for row in rows],
        weights=_column([row[3].weight for row in rows]),
        ids=_column([row[3].id for row in rows]),
        names=names_by_kind(row[2] for row in rows if isinstance(row[2], dict)),
        newest=max((row[1] for row in rows), default=-1),
        served=_column([row[3].served for row in rows]),
        has_lone=any(row[2] is None or row[3].label is None for row in rows),
    )


class Taking:
    """Screens events, and gives a trainer those that pass."""

    def __init__(self, model_file):
        self.screen = build_screen(model_file)

    def one(self, trainer, event, topic="events", partition=0, offset=0, timestamp_ms=0):
        """Take one event; why it is refused, if it is."""
        return self.all(trainer, [event], topic, partition, offset, [timestamp_ms])[0]

    def all(self, trainer, events, topic="events", partition=0, first=0, timestamps=None):
        """Take events at once; for each why it is refused, or None."""
        found = [None] * len(events)
        rows = []
        for at, (event, timestamp) in enumerate(zip(events, timestamps or repeat(0), strict=False)):
            x = self.screen.check(event)
            if isinstance(x, Refusal):
                found[at] = x
                trainer.refuse([x.reason])
            else:
                rows.append((first + at, timestamp, x, event))
        examples = examples_of(rows, topic=topic, partition=partition)
        for place, refusal in trainer.take(examples):
            found[rows[place][0] - first] = refusal
        return found


def _column(values):
    return None if values.count(None) == len(values) else values
