"""What became of events that were sent: learned or refused, told when the head has passed them.

The head is asked, not the learner: it is what stands. Its counts are those of the model, so they
are the source's own only where nobody else wrote in between; the words say which.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from checkpoints.errors import CheckpointError, KeyProblem
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.reading.views import learner_state
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts, Manifest
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from stream.kafka.client import dead_letter_topic

_WAIT_S = 10.0
_LOOK_S = 0.05
_TELL_EVERY_S = 1.0
# A learner in these goes on by itself; in others it stands still, or there is none.
_GOES_ON = frozenset({"starting", "learning", "rewinding", "idle", "failing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was sent of a source, all of it acknowledged.

    Attributes:
        source: Its name.
        topic: Where to.
        sent: Records.
        ends: For each partition that took one: the offset after the last.
    """

    source: str
    topic: str
    sent: int
    ends: Mapping[int, int]

    def is_passed(self, head: Manifest) -> bool:
        """Whether the head has consumed all of it."""
        at = head.offsets.get(self.topic, {})
        return all(at.get(str(partition), 0) >= end for partition, end in self.ends.items())


class Became:
    """Follows one model's head while events are sent, and tells what became of them.

    Made before the first is sent: what it counts from is the head of that moment.

    Args:
        reader: Of the model's line.
        say: Takes each line that is told.
    """

    def __init__(self, reader: LineReader, say: Callable[[str], None]) -> None:
        self._reader, self._say = reader, say
        self._begin = self._head()

    def tell(self, delivery: Delivery) -> None:
        """Wait until the head has passed what was sent, ten seconds at most, and say its counts.

        Nothing is said where no learner is up: what was sent then waits in the topic.
        """
        if self._begin is None or not delivery.sent:
            return
        try:
            self._follow(self._begin, delivery)
        except CheckpointError as error:
            self._say(f"what became of it is not known: {error}")

    def _head(self) -> Manifest | None:
        try:
            head = self._reader.state().head
        except CheckpointError as error:
            self._say(f"what becomes of it will not be told: {error}")
            return None
        return head.manifest if head else None

    def _follow(self, begin: Manifest, delivery: Delivery) -> None:
        started = told = time.monotonic()
        while True:
            state = self._reader.state()
            head = state.head.manifest if state.head else begin
            if delivery.is_passed(head):
                self._say(summary(begin, head, delivery))
                return
            doing = _doing(state)
            if doing not in _GOES_ON:
                if doing != "stopped":
                    self._say(f"{begin.model} is {doing}: what was sent waits in {delivery.topic}")
                return
            now = time.monotonic()
            if now - started >= _WAIT_S:
                self._say(f"{_so_far(begin, head)}; it goes on: `weir status {begin.model}`")
                return
            if now - told >= _TELL_EVERY_S:
                self._say(_so_far(begin, head))
                told = now
            time.sleep(_LOOK_S)


def follow(
    line: Line, open_keys: Callable[[], Keys], open_store: Callable[[], Store]
) -> Became | None:
    """A follower of the model's head that tells on stderr; None without keys to believe it by.

    Who only sends has none, and need have none.
    """
    try:
        verifier = open_keys().verifier
    except KeyProblem:
        return None
    return Became(LineReader(open_store(), verifier, line), say)


def summary(begin: Manifest, end: Manifest, delivery: Delivery) -> str:
    """What became of the events that were sent, by the head before and one that has passed them."""
    source, done = delivery.source, _between(begin.counts, end.counts)
    if done is None:
        return f"{source}: all of it is read; meanwhile {end.model} went back to an older version"
    if _read(begin, end) == {delivery.topic: delivery.sent}:
        text = f"{source}: of {delivery.sent:,} sent, {_told(done)}"
    else:
        others = "counting what others sent, and what had waited"
        text = f"{source}: all of it is read; {end.model} since then: {_told(done)}, {others}"
    if not done.refused:
        return text
    letters = dead_letter_topic(delivery.topic)
    return f"{text}: they are in {letters}, each with its reason (header weir-dlq-detail)"


def _so_far(begin: Manifest, head: Manifest) -> str:
    done = _between(begin.counts, head.counts) or Counts()
    return f"{begin.model}: {_told(done)} so far"


def _told(done: Counts) -> str:
    """The counts that are not zero: learned always, the reasons of what was refused."""
    others = {name: getattr(done, name) for name in ("pending", "expired", "labels", "skipped")}
    parts = [f"{done.learned:,} learned", *(f"{n:,} {name}" for name, n in others.items() if n)]
    reasons = sorted(done.refused_by.items(), key=lambda each: (-each[1], each[0]))
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons if count)
    parts += [f"{done.refused:,} refused ({why})" if why else f"{done.refused:,} refused"]
    return ", ".join(parts)


def _between(before: Counts, after: Counts) -> Counts | None:
    """What was counted between two heads; None where the later has less: a rollback."""
    names = [name for name in Counts.__struct_fields__ if name != "refused_by"]
    grown = {name: getattr(after, name) - getattr(before, name) for name in names}
    if grown["forgotten"] or min(grown[name] for name in names if name != "pending") < 0:
        return None
    grown["pending"] = max(0, grown["pending"])
    reasons = {r: n - before.refused_by.get(r, 0) for r, n in after.refused_by.items()}
    return Counts(**grown, refused_by=reasons)


def _read(begin: Manifest, end: Manifest) -> dict[str, int]:
    """How many offsets of each topic lie between two heads; topics that stand still left out."""
    read = {
        topic: sum(n - begin.offsets.get(topic, {}).get(p, 0) for p, n in of.items())
        for topic, of in end.offsets.items()
    }
    return {topic: count for topic, count in read.items() if count}


def _doing(state: LineState) -> str:
    return learner_state(state, now_ms=time.time_ns() // 1_000_000)


def say(what: str) -> None:
    """One line on stderr."""
    print(f"weir: {what}", file=sys.stderr, flush=True)
