"""The worker: the only loop. It reads, decodes, learns, and commits when a commit is due.

One worker lives as long as its fencing token. Whatever goes wrong ends it: its trainer is thrown
away, and the next worker goes on from the head. Between two records it reads signals set by other
threads; it asks nothing over the network but the next records and, when due, the commit.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from config.model_file import ModelFile
from learner.trainer import LearnFailedError, Trainer
from learner.values import Reason, Refusal
from stream.commit import Committer, SnapshotFailedError, outcome_of
from stream.dead_letters import DeadLetters
from stream.metrics import LearnerMetrics
from stream.mirror import Mirror
from stream.positions import RUNS_MAX, LastRecord, PartitionKey, Positions
from stream.pruning import Pruner
from stream.source import KafkaSource
from stream.status import Signals, Status
from stream.wire import decoder

log = logging.getLogger(__name__)

# Records between two looks at the signals and the clock: an event of a large forest takes 1 ms.
_CHUNK_RECORDS = 100
_POLL_TIMEOUT_MS = 50
_FROZEN_WAIT_S = 0.02
_HOUSEKEEPING_S = 1.0
# A commit may take this share of the learner's time; a large model is committed less often.
_COMMIT_SHARE = 0.05
_SNAPSHOT_RETRY_S = 10.0

Place = tuple[str, int, int]


class Ended(Enum):
    """Why a worker ended."""

    STOPPED = auto()
    MOVED = auto()


@dataclass(slots=True)
class Suspects:
    """Records on which the learner raised, kept over restores by the process.

    One that raised once is learned again with a commit right before it; one that raised twice is
    refused as `learn_error`.
    """

    raised: Counter[Place] = field(default_factory=Counter)

    def is_given_up(self, place: Place) -> bool:
        """Whether this record raised twice."""
        return self.raised[place] > 1

    def __contains__(self, place: Place) -> bool:
        return place in self.raised

    def committed(self, next_offsets: Mapping[PartitionKey, int]) -> None:
        """What lies below a commit is settled: no restore comes back to it."""
        for topic, partition, offset in list(self.raised):
            if offset < next_offsets.get((topic, partition), 0):
                del self.raised[topic, partition, offset]


class Worker:
    """Learns one line under one token.

    Args:
        model_file: Cadence and format.
        trainer: Restored from the head, or new.
        positions: Those of the head, or where the line begins.
        suspects: Updated here when the learner raises.
        uncommitted_max: Records at which a commit is made early: what a crash has to learn again.
    """

    def __init__(
        self,
        model_file: ModelFile,
        *,
        trainer: Trainer,
        positions: Positions,
        source: KafkaSource,
        committer: Committer,
        pruner: Pruner,
        mirror: Mirror,
        dead_letters: DeadLetters,
        signals: Signals,
        status: Status,
        suspects: Suspects,
        metrics: LearnerMetrics,
        uncommitted_max: int,
        adopted: tuple[str, ...] = (),
    ) -> None:
        self._trainer, self._positions, self._source = trainer, positions, source
        self._committer, self._pruner, self._dead_letters = committer, pruner, dead_letters
        self._signals, self._status, self._suspects = signals, status, suspects
        self._metrics, self._mirror = metrics, mirror
        self._decode = decoder(model_file)
        self._every_s = model_file.checkpoint.every_seconds
        self._due_at = time.monotonic() + self._every_s
        self._uncommitted_max = uncommitted_max
        self._housekeeping_at = 0.0
        self._pending: deque[tuple[str, int, list[Any]]] = deque()
        self._adopted = adopted
        self._learn_errors: list[Place] = []

    def run(self) -> Ended:
        """Learn until stopped or superseded.

        Raises:
            LearnFailedError: The learner raised; the trainer is dirty.
            Conflict, StoreUnavailable, StreamError: See `Committer.commit` and `KafkaSource.poll`.
        """
        if self._committer.head is None or self._adopted:
            self._commit()
        while True:
            self._status.tick()
            if self._signals.moved:
                return Ended.MOVED
            if self._signals.stop:
                self._commit_what_is_new()
                return Ended.STOPPED
            if self._signals.frozen:
                self._stay_frozen()
                continue
            self._status.control_seq = self._signals.control_seq
            if not self._pending:
                self._pending.extend(self._source.poll(_POLL_TIMEOUT_MS))
            if self._pending:
                self._status.state = "learning"
                self._take_chunk()
            self._keep_up()

    def _keep_up(self) -> None:
        """What is due by the clock, between two chunks."""
        now = time.monotonic()
        is_full = self._status.uncommitted >= self._uncommitted_max
        if now >= self._due_at or is_full or len(self._positions.runs) >= RUNS_MAX:
            self._commit_what_is_new()
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + _HOUSEKEEPING_S
            self._report_lag()
            if not self._pending:
                self._source.check_topics(self._positions)
                self._source.new_partitions(self._positions)

    def _take_chunk(self) -> None:
        """Learn up to a hundred records of one partition."""
        topic, partition, records = self._pending[0]
        chunk = records[:_CHUNK_RECORDS]
        if len(records) > _CHUNK_RECORDS:
            self._pending[0] = (topic, partition, records[_CHUNK_RECORDS:])
        else:
            self._pending.popleft()
        if self._suspects.raised:
            self._take_carefully(topic, partition, chunk)
        else:
            self._take(topic, partition, chunk)

    def _take(self, topic: str, partition: int, records: list[Any]) -> None:
        """The hot loop: decode, gate, predict, score, detect, learn."""
        decode, take, refuse = self._decode, self._trainer.take, self._trainer.refuse
        refused: Counter[tuple[str, str]] = Counter()
        detected = self._trainer.drifts.total
        record = None
        try:
            for record in records:
                event: Any = decode(record.value, record.headers)
                refusal: Refusal | None
                if type(event) is Refusal:
                    refuse(event.reason)
                    refusal = event
                else:
                    refusal = take(event, topic, partition, record.offset, record.timestamp)
                if refusal is not None:
                    refused[topic, refusal.reason] += 1
                    self._dead_letters.send(record, refusal)
        except LearnFailedError as error:
            self._suspects.raised[topic, partition, error.offset] += 1
            raise
        assert record is not None, "a chunk is never empty"
        self._positions.took(
            (topic, partition),
            records[0].offset,
            LastRecord(record.offset, record.value, record.timestamp),
        )
        self._status.uncommitted += len(records)
        self._metrics.took(len(records) - refused.total(), refused)
        self._report_drifts(detected)

    def _take_carefully(self, topic: str, partition: int, records: list[Any]) -> None:
        """The same one by one, where a record of the chunk raised before."""
        for record in records:
            place = (topic, partition, record.offset)
            if place not in self._suspects:
                self._take(topic, partition, [record])
            elif self._suspects.is_given_up(place):
                self._give_up(record, place)
            else:
                self._commit_what_is_new()
                self._take(topic, partition, [record])
                del self._suspects.raised[place]

    def _give_up(self, record: Any, place: Place) -> None:
        """Refuse a record on which the learner raised twice."""
        topic, partition, offset = place
        detail = "the learner raised on this event twice"
        refusal = Refusal(Reason.learn_error, detail, "learn")
        log.error("%s-%d-%d is not learned: %s", topic, partition, offset, detail)
        self._trainer.refuse(refusal.reason)
        self._dead_letters.send(record, refusal)
        self._learn_errors.append(place)
        last = LastRecord(offset, record.value, record.timestamp)
        self._positions.took((topic, partition), offset, last)
        self._status.uncommitted += 1
        self._metrics.took(0, {(topic, refusal.reason): 1})

    def _stay_frozen(self) -> None:
        """Commit what was learned, then consume nothing until thawed."""
        self._commit_what_is_new()
        self._status.state = "frozen"
        self._status.control_seq = self._signals.control_seq
        now = time.monotonic()
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + _HOUSEKEEPING_S
            self._report_lag()
        time.sleep(_FROZEN_WAIT_S)

    def _commit_what_is_new(self) -> None:
        if self._positions.has_moved:
            self._commit()
        else:
            self._due_at = time.monotonic() + self._every_s

    def _commit(self) -> None:
        started = time.monotonic()
        self._source.check_topics(self._positions)
        try:
            version = self._committer.commit(
                self._trainer,
                self._positions,
                learn_errors=tuple(self._learn_errors),
                adopted=self._adopted,
            )
        except SnapshotFailedError as error:
            self._put_off(error)
            return
        except Exception as error:
            self._metrics.commit_failed(outcome_of(error))
            raise
        took_s = time.monotonic() - started
        self._due_at = time.monotonic() + max(self._every_s, took_s / _COMMIT_SHARE)
        self._learn_errors, self._adopted = [], ()
        self._suspects.committed(self._positions.next_offsets)
        self._status.version, self._status.uncommitted = version.manifest.name, 0
        manifest = version.manifest
        self._metrics.committed(
            seconds=took_s, written_bytes=manifest.bytes, at_s=manifest.created_at_ms / 1000
        )
        self._metrics.head_is(manifest)
        self._mirror.show(manifest)
        self._pruner.committed(version)

    def _put_off(self, error: SnapshotFailedError) -> None:
        """A snapshot that fails does not stop learning, up to what a crash may cost."""
        self._metrics.commit_failed(outcome_of(error))
        if self._committer.head is None or self._status.uncommitted >= self._uncommitted_max:
            raise error
        log.error("%s; learning goes on, %d records uncommitted", error, self._status.uncommitted)
        self._due_at = time.monotonic() + max(self._every_s, _SNAPSHOT_RETRY_S)

    def _report_lag(self) -> None:
        lag: Mapping[PartitionKey, int] = self._source.lag(self._positions.next_offsets)
        self._status.lag = dict(lag)
        self._metrics.reading(lag, self._status.uncommitted)
        is_done = not self._pending and not self._positions.has_moved and not any(lag.values())
        if not self._signals.frozen and is_done:
            self._status.state = "idle"

    def _report_drifts(self, before: int) -> None:
        drifts = self._trainer.drifts
        found = drifts.total - before
        for detection in reversed(drifts.items[:found] if found else ()):
            self._metrics.drifted(detection["detector"], detection["direction"])
            log.info(
                "drift: %(detector)s on %(on)s at event %(index)d (%(topic)s-%(partition)d-"
                "%(offset)d): %(direction)s, %(before).4g to %(after).4g",
                detection,
            )
