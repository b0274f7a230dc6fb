"""The join: what becomes of an event without a label, and of a label without features.

It decides by the records and by what it has seen, and never by a clock: log time is the greatest
timestamp of the records passed, so a replay in the same order decides the same.

    event without a label     waits, with its prediction; the first features of an id win
    label of a waiting event  the event is learned, and scored by the prediction that waited
    second label of an id     refused: `label_duplicate`, or `label_conflict` where it is another
    label after the horizon   refused: `label_late`; the event was let go, or had the default label
    label of no known event   refused: `label_unknown`; where answers of the API wait, whose log may
                              be read after the label, it waits for its event as that would
    one event too many        the one that came first is let go
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from config.model.late_labels import answers_are_events
from config.model_file import ModelFile
from learner.events.examples import Examples
from learner.events.packing import packed, unpacked
from learner.events.recent_ids import EXPIRED, UNKNOWN, RecentIds
from learner.join.answers import Answers
from learner.join.delays import Delays
from learner.join.pending import Pending
from learner.join.rows import Waiting
from learner.values import Reason, Refusal

# The segment of a version with all that changes; the chunks are beside it.
SEGMENT = "join"


class Move(Enum):
    """What is to be done with a stretch of examples."""

    LEARN = "labelled events, learned as they come"
    WAIT = "an event without a label"
    ANSWER = "the label of an event that came before"
    LET_GO = "none: the horizon of events has passed before this place"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTold:
    """What is told of labels that come late.

    Attributes:
        pending: Events that wait, and labels that wait for theirs.
        oldest_ms: The earliest time of their records; None where none waits.
        labels, expired: As of `Join`.
        answers: Answers of the API that were read for the served scores alone.
        delays: Labels by how long they took: the upper end of each bin, in seconds.
    """

    pending: int
    oldest_ms: int | None
    labels: int
    expired: int
    answers: int
    delays: Mapping[float, int]


class Join:
    """What waits for its label, and for how long.

    Args:
        model_file: Its limit of what may wait, and the horizon.

    Attributes:
        clock_ms: Log time.
        labels: Label records that were joined, and events that stood for one.
        expired: Events let go without a label.
        delays: From an event to its label.
        early: Labels that wait for their event, and the time of each.
        answers: What the API answered, where no answer is an event.
        takes_answers: Whether one is.
    """

    def __init__(self, model_file: ModelFile) -> None:
        self._limit = model_file.limits.pending
        late = model_file.late_labels
        seconds = None if late is None else late.horizon
        self._horizon_ms = None if seconds is None else round(seconds * 1000)
        self.pending = Pending()
        self.clock_ms = -1
        self.labels = self.expired = 0
        self.delays = Delays()
        self.early: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._early_max = model_file.limits.duplicates
        self.answers = Answers(model_file)
        self.takes_answers = answers_are_events(late)
        self._beside = None if self.takes_answers else model_file.topics.predictions

    def is_beside(self, examples: Examples) -> bool:
        """Whether these are answers of the API that are no events: they tell no log time either."""
        return examples.topic == self._beside

    def is_for_all(self, examples: Examples) -> bool:
        """Whether these are all to be learned as they come."""
        if examples.has_lone or self._is_past(max(self.clock_ms, examples.newest)):
            return False
        return examples.ids is None or not (self.pending or self.early)

    def stretches(self, examples: Examples) -> Iterator[tuple[int, int, Move]]:
        """What is to be done one after the other: first place, following place, what.

        Each is to be done before the next is asked for: what waits then decides.
        """
        first = 0
        for place in range(len(examples.xs)):
            clock_ms = max(self.clock_ms, examples.clock_at(place))
            kind = self._kind(examples, place)
            is_past = self._is_past(clock_ms)
            if first < place and (is_past or kind is not Move.LEARN):
                yield first, place, Move.LEARN
                first = place
            self.clock_ms = clock_ms
            if is_past:
                yield place, place, Move.LET_GO
                kind = self._kind(examples, place)
            if kind is not Move.LEARN:
                yield place, place + 1, kind
                first = place + 1
        if first < len(examples.xs):
            yield first, len(examples.xs), Move.LEARN
        self.passed(examples)

    def passed(self, examples: Examples) -> None:
        """All of these were taken. What is let go by the time of the last ones, which may be
        records that were refused, is let go before the next example: wherever a batch ends.
        """
        if not self.is_beside(examples):
            self.clock_ms = max(self.clock_ms, examples.newest)

    def wait(self, waiting: Waiting, ids: RecentIds) -> None:
        """An event waits from here on; where there are too many, the first one is let go."""
        if len(self.pending) >= self._limit:
            self.let_go(self.pending.pop_first(), ids)
        self.pending.add(waiting)

    def let_go(self, waiting: Waiting, ids: RecentIds) -> None:
        """An event that waited is never learned."""
        self.expired += 1
        ids.add(waiting.id, EXPIRED)

    def answered(self, event_id: str, timestamp: int) -> Waiting:
        """The event of this id, which waited; its label came with a record of this time."""
        waiting = self.pending.pop(event_id)
        assert waiting is not None, "it waits"
        self.labels += 1
        self.delays.add((timestamp - waiting.timestamp) / 1000)
        return waiting

    def wait_for_event(
        self, event_id: str, label: Any, timestamp: int, native: Callable[[Any], Any]
    ) -> Refusal | None:
        """A label waits for its event from here on; or why it does not.

        Args:
            native: The learner's own label for one, by which two are the same.
        """
        before = self.early.get(event_id)
        if before is not None:
            is_same = native(before[0]) == native(label)
            reason = Reason.label_duplicate if is_same else Reason.label_conflict
            return _refused(reason, f"label {_shown(before[0])} of {event_id!r} waits already")
        self.early[event_id] = label, timestamp
        return None

    def given_up(self) -> int:
        """How many labels wait no longer: there are too many, or their horizon has passed."""
        count = 0
        while self.early and (len(self.early) > self._early_max or self._is_first_early_past):
            self.early.popitem(last=False)
            count += 1
        return count

    @property
    def _is_first_early_past(self) -> bool:
        if self._horizon_ms is None:
            return False
        _, timestamp = next(iter(self.early.values()))
        return timestamp < self.clock_ms - self._horizon_ms

    def overdue(self) -> Waiting | None:
        """One more event whose horizon has passed; it waits no longer."""
        if self._horizon_ms is None:
            return None
        return self.pending.pop_before(self.clock_ms - self._horizon_ms)

    def refusal(self, event_id: str, label: Any, ids: RecentIds) -> Refusal:
        """Why this label, the learner's own, is of no event that waits."""
        if event_id not in ids:
            what = "waits for a label: it was never read, was refused, or came too long ago"
            return _refused(Reason.label_unknown, f"no event {event_id!r} {what}")
        known = ids.label(event_id)
        if known is EXPIRED:
            return _refused(Reason.label_late, f"event {event_id!r} was let go before its label")
        if known is UNKNOWN or known == label:
            return _refused(Reason.label_duplicate, f"event {event_id!r} has had this label")
        detail = f"event {event_id!r} was learned with label {_shown(known)}"
        return _refused(Reason.label_conflict, detail)

    def told(self) -> LateTold:
        """What a version tells of this."""
        return LateTold(
            pending=len(self.pending) + len(self.early),
            oldest_ms=self.pending.oldest_ms,
            labels=self.labels,
            expired=self.expired,
            answers=self.answers.read,
            delays=self.delays.by_end(),
        )

    def seal(self) -> None:
        """Put what waits in order for the next versions, which write what is new of it."""
        for each in self._waiting:
            if each.has_unsealed:
                each.seal()

    def segments(self, written: Collection[str] = ()) -> dict[str, bytes]:
        """What waits, in pieces that never change, but for those that are written. After `seal`."""
        found = (each.segments(written) for each in self._waiting)
        return {name: raw for segments in found for name, raw in segments.items()}

    @property
    def names(self) -> list[str]:
        """Of all those pieces."""
        return [name for each in self._waiting for name in each.names]

    @property
    def _waiting(self) -> tuple[Pending, Pending]:
        return self.pending, self.answers.waiting

    def dump(self) -> bytes:
        """What changes from version to version. After `seal`."""
        return packed(
            {
                "pending": self.pending.state(),
                "clock_ms": self.clock_ms,
                "labels": self.labels,
                "expired": self.expired,
                "delays": self.delays.counts,
                "early": [(name, *each) for name, each in self.early.items()],
                "answers": self.answers.state(),
            }
        )

    def restore(self, segments: Mapping[str, bytes]) -> None:
        """Continue from a version's segments; one made before there was a join has none of it."""
        if SEGMENT not in segments:
            return
        state = unpacked(segments[SEGMENT])
        self.pending.restore(state["pending"], segments)
        self.clock_ms, self.labels, self.expired = (
            state["clock_ms"], state["labels"], state["expired"],
        )  # fmt: skip
        self.delays = Delays(state["delays"])
        self.early = OrderedDict((name, (label, ms)) for name, label, ms in state["early"])
        if "answers" in state:  # versions written before they were read have none
            self.answers.restore(state["answers"], segments)

    def _kind(self, examples: Examples, place: int) -> Move:
        event_id = None if examples.ids is None else examples.ids[place]
        if examples.xs[place] is None or (event_id is not None and event_id in self.pending):
            is_label = examples.labels[place] is not None
            return Move.ANSWER if is_label else Move.WAIT
        return Move.LEARN if examples.labels[place] is not None else Move.WAIT

    def _is_past(self, clock_ms: int) -> bool:
        """Whether the horizon of an event that waits has passed at this log time."""
        if self._horizon_ms is None:
            return False
        before_ms = clock_ms - self._horizon_ms
        if self.early and next(iter(self.early.values()))[1] < before_ms:
            return True
        return self.pending.has_before(before_ms)


def _shown(label: Any) -> str:
    """As its record had it."""
    return json.dumps(label, ensure_ascii=False)[:80]


def _refused(reason: Reason, detail: str) -> Refusal:
    return Refusal(reason, detail[:300], "gate")
