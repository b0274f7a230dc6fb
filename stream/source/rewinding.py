"""A rewind, as the source carries it out: what is replayed, in which order, and when it is over.

A line that is learned again from the log is carried out likewise, from an untrained model on.

    state       what is done                          what moves it on
    replaying   what the line had read after the      all of it was handed out: following
                version is handed out in that order
    following   what came since is read as by any     all is taken that the log had then: caught up
                line, but for what is left out
    caught up   the learner is told so; its next      the head is the rewind's version: over
                version takes over

Until then the head stays, and the candidate says how far it has come. If a process dies in any of
them, the next one goes on from the candidate. A new order moves the control record, and ends it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints.errors import CheckpointError, Held, StoreUnavailable
from checkpoints.keeping.pruner import Pruner
from checkpoints.reading.lineages import Lineages, ReadOrder, flat, order_since
from checkpoints.reading.reader import LineReader
from checkpoints.reading.standing_orders import standing_orders
from checkpoints.records.control import Rewinding
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version, open_version
from checkpoints.records.signing import Verifier
from checkpoints.records.skips import skips_of
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Granted
from config.model_file import ModelFile
from stream.between.messages import Rewound
from stream.between.positions import PartitionKey, Positions
from stream.kafka.consumer import KafkaSource
from stream.replay.in_order import InOrder, Piece
from stream.replay.left_out import LeftOut, taken_of

log = logging.getLogger(__name__)

# Nobody else takes a candidate as long as we have the line; its lease is not what keeps them off.
_LEASE_S = 0.001
_HELD_MAX_S, _LOOK_S = 90.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindStart:
    """Where a rewind begins, or goes on.

    Attributes:
        order: As it was given.
        to: The version that is gone back to.
        start: That one, or how far the candidate has come; None: it begins untrained.
        begins: Where, in each partition.
        granted: The candidate, to be written; None: it has none.
        plan: What is still to be replayed.
    """

    order: Rewinding
    to: Version | None
    start: Version | None
    begins: Mapping[PartitionKey, int]
    granted: Granted | None
    plan: ReadOrder

    def told(self) -> Rewound:
        """For the learner."""
        return Rewound(
            token=self.granted.token if self.granted else "",
            highest=self.granted.highest if self.granted else 0,
            is_reset=self.order.kind == "reset",
            start=self.start.envelope if self.start else None,
            to=self.to.envelope if self.to else None,
            command_id=self.order.id,
            skip=self.order.skip,
            control_seq=self.order.seq,
        )


def rewind_ordered(
    store: Store, verifier: Verifier, line: Line, head: Version | None
) -> Rewinding | None:
    """The rewind that is under way; a candidate of one that is not goes.

    Raises:
        CheckpointError: The orders do not verify.
    """
    if head is None:
        return None
    seen = head.manifest.orders_seen
    control = standing_orders(store, verifier, line, at_least=seen)
    order = control.record.rewinding(seen) if control else None
    if order is None and store.poll([line.candidate])[line.candidate].head is not None:
        remove_candidate(store, line)
    return order


def remove_candidate(store: Store, line: Line) -> None:
    """A rewind is over: what it has kept for itself goes."""
    if holder := store.remove(line.candidate, by="the end of a rewind"):
        log.warning("%s stays for now: %s holds it", line.candidate, holder)


def begin_rewind(
    store: Store,
    verifier: Verifier,
    line: Line,
    *,
    head: Version,
    order: Rewinding,
    holder: str,
    first_offsets: Callable[[str | int], Mapping[PartitionKey, int]],
) -> RewindStart:
    """Take the candidate, and work out what is to be replayed.

    Args:
        first_offsets: The first offsets of the log, or those from a time on.

    Raises:
        CheckpointError: A version or a lineage on the way does not verify, or is not kept.
    """
    lineages = Lineages(store, verifier, line)
    if order.kind == "reset":
        begins = flat(head.manifest.offsets)
        log.info("%s: begins untrained, at %s", line, begins)
        nothing = ReadOrder(runs=())
        return RewindStart(
            order=order, to=None, start=None, begins=begins, granted=None, plan=nothing
        )
    to = lineages.reader.version_by_id(order.to.id) if order.to else None
    granted = _taken(store, line.candidate, holder)
    candidate = _gone_on_from(store, verifier, line.candidate, granted, order)
    if granted.head_id is not None and candidate is None:
        remove_candidate(store, line)
        granted = _taken(store, line.candidate, holder)
    start = candidate or to
    first = order.start or "earliest"
    begins = flat(start.manifest.offsets) if start else dict(first_offsets(first))
    plan = order_since(
        lineages, head, begins, stops_at=start.id if start else None, with_forgotten=to is not None
    )
    log.info(
        "%s: %s: %d records to be replayed in %d runs, from %s on%s",
        line, order.name, plan.records, len(plan.runs), start or begins,
        f"; the order of {plan.unknown} is not kept any more" if plan.unknown else "",
    )  # fmt: skip
    return RewindStart(order=order, to=to, start=start, begins=begins, granted=granted, plan=plan)


def _gone_on_from(
    store: Store, verifier: Verifier, candidate: Line, granted: Granted, order: Rewinding
) -> Version | None:
    """How far the candidate has come with this order; None: it is another's, or damaged, and what
    it had replayed is replayed once more.
    """
    if granted.head_id is None:
        return None
    try:
        found = open_version(granted.head or b"", verifier, candidate, expected_id=granted.head_id)
        LineReader(store, verifier, candidate).check_segments(found)
    except StoreUnavailable:
        raise
    except CheckpointError as problem:
        log.error("the replay begins once more: %s", problem)
        return None
    rewind = found.manifest.rewind
    return found if rewind and rewind.command_id == order.id else None


def _taken(store: Store, candidate: Line, holder: str) -> Granted:
    """The candidate, to be written: at once, but where a removal was cut short, which holds it for
    a minute.

    Raises:
        Held: Somebody holds it for longer.
    """
    deadline = time.monotonic() + _HELD_MAX_S
    while True:
        answer = store.acquire(candidate, holder=holder, lease_s=_LEASE_S)
        if isinstance(answer, Granted):
            return answer
        if time.monotonic() > deadline:
            raise Held(candidate, holder=answer.holder, remaining_s=answer.remaining_s)
        time.sleep(min(max(answer.remaining_s, _LEASE_S), _LOOK_S))


def with_partitions_of(head: Version, positions: Positions) -> Positions:
    """The positions, with the topics and partitions that the line came to read since."""
    now = head.manifest
    for topic, anchors in now.anchors.items():
        positions.topic_ids.setdefault(topic, anchors.topic_id)
    for topic, partitions in now.begins.items():
        for partition, begin in partitions.items():
            if (topic, int(partition)) not in positions.next_offsets:
                positions.add_partition((topic, int(partition)), begin)
    return positions


class Rewinder:
    """Decides what of the log is to be taken, and when all is.

    Args:
        start: Where it begins.
        head: The line's, which stays until the replay has caught up.
        pruner: Of the candidate.
        store: Where the candidate is kept.
    """

    def __init__(
        self,
        start: RewindStart,
        head: Version,
        model_file: ModelFile,
        *,
        pruner: Pruner,
        store: Store,
    ) -> None:
        self.pruner, self._store, self._line = pruner, store, head.manifest.line
        until = {
            (topic, int(partition)): at
            for topic, partitions in head.manifest.offsets.items()
            for partition, at in partitions.items()
        }
        self.order = start.order
        self._in_order = InOrder(start.plan.runs, until)
        self._left_out = LeftOut(skips_of(start.order.skip), model_file)
        self._ends: Mapping[PartitionKey, int] | None = None
        self._began_at = time.monotonic()

    @property
    def is_replaying(self) -> bool:
        """Whether what was read before is still to be handed out."""
        return not self._in_order.is_done

    def replayed(
        self, polled: Sequence[tuple[str, int, list[Any]]], source: KafkaSource
    ) -> tuple[list[Piece], list[tuple[str, int, list[Any]]]]:
        """What is to be taken now of what was read, in the old order; and, once that is all, what
        was read beyond it, which has its turn as on any line.
        """
        for topic, partition, records in polled:
            self._in_order.add((topic, partition), records)
        found = self._in_order.ready(source.position)
        newer = self._in_order.newer()
        source.hold(self._in_order.to_hold())
        return found, newer

    def pieces(self, stretches: Iterable[Piece]) -> list[Piece]:
        """The stretches, with what is left out told from the rest."""
        return taken_of(self._left_out, list(stretches))

    def has_caught_up(self, positions: Positions, source: KafkaSource) -> bool:
        """Whether all is taken that the log had when the replay had come to its end."""
        if self.is_replaying or not self.order.may_take_over:
            return False
        if self._ends is None:
            self._ends = source.ends(positions.next_offsets)
        taken = positions.next_offsets
        return all(taken.get(key, end) >= end for key, end in self._ends.items())

    def is_over(self) -> None:
        """The head is the rewind's version: what was kept until then goes."""
        try:
            remove_candidate(self._store, self._line)
        except StoreUnavailable as error:
            log.warning("%s goes with the next start: %s", self._line.candidate, error)

    def progress(self, untaken: int) -> dict[str, Any]:
        """For the heartbeat.

        Args:
            untaken: Records that were handed out, and that the learner has not taken yet.
        """
        total = self._in_order.total
        left = min(total, self._in_order.left + untaken)
        seconds = time.monotonic() - self._began_at
        done = total - left
        return {
            "command_id": self.order.id,
            "records": total,
            "left": left,
            "records_per_second": done / seconds if seconds > 0 else None,
            "seconds_left": seconds * left / done if done else None,
        }
