"""The source's only loop: what source and learner do together under one token.

    state      what is done                        what moves it on
    feeding    records are polled, decoded, and    the feed is full, freeze, stop ordered: waiting.
               sent in batches                     The head moved, the learner or the log is gone:
                                                   ended
    waiting    the learner's word is awaited;      there is room and nothing ordered: feeding. The
               nothing is polled                   learner has finished: done
    ended      what is in flight is forgotten      the keeper forks the next one

Housekeeping runs beside both, once a second: lag, refusals, new partitions, gaps, topics that were
made anew. If the process dies in any state nothing is lost but time: what was in flight is below no
head, and is read again. A letter may be written twice, with the same id.
"""

import logging
import select
import time
from collections.abc import Sequence

from checkpoints.errors import StoreUnavailable
from checkpoints.keeping.pruner import Pruner
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version, open_version
from checkpoints.records.signing import Verifier
from config.model_file import ModelFile
from stream.between.bell import HasFileno
from stream.between.messages import (
    Announced,
    CaughtUp,
    Channel,
    Cleared,
    CommitFailed,
    Committed,
    Finished,
    NewPartition,
    Passed,
    Ready,
    Took,
)
from stream.between.positions import Positions
from stream.between.shared_numbers import SharedNumbers
from stream.exits import MovedError
from stream.kafka.consumer import KafkaSource
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.group_mirror import GroupMirror
from stream.replay.in_order import Piece
from stream.source.columns import columns_of
from stream.source.give_back import give_back
from stream.source.in_flight import Feed
from stream.source.order_watch import OrderWatch
from stream.source.reports.batch_traces import BatchTraces
from stream.source.reports.heartbeat import Speed, Status, Trouble
from stream.source.reports.held_log import HeldLog
from stream.source.reports.metrics import LearnerMetrics
from stream.source.reports.not_finite_log import NotFiniteLog
from stream.source.reports.refusal_log import RefusalLog
from stream.source.reports.remedies import Remedies
from stream.source.rewinding import Rewinder
from stream.source.topics import answers_beside, labels_topic
from stream.source.turns import Stretch, Turns

log = logging.getLogger(__name__)

# Whatever is to be seen at once wakes the loop.
_WAIT_S = 1.0
_HOUSEKEEPING_S = 1.0
# Without a record for so long a line is idle: fetches wait for one, and Kafka is asked seldom.
_IDLE_AFTER_S = 1.0
_IDLE_CHECK_S = 15.0
# A line that has caught up gives memory back, and no more often than this.
_GIVE_BACK_S = 60.0
# Events of a partition that wait for labels to be read, which go before them.
_HELD_MAX = 20_000


class SourceLoop:
    """What source and learner do together under one token: the source's only loop.

    Args:
        model_file: How records are decoded and screened.
        verifier: Of the versions that the learner makes.
        channel: To the learner.
        board: What it and the keeper say beside that.
        status: Kept true here.
        positions: Those of the head; moved on as the learner takes batches.
        held: Tells what the publish gate holds back.
        rewind: Where one is under way: what is taken, until it has taken over.
        traces: Makes spans of what is learned; None: nothing is traced.
    """

    def __init__(
        self,
        line: Line,
        model_file: ModelFile,
        verifier: Verifier,
        *,
        channel: Channel,
        board: SharedNumbers,
        status: Status,
        positions: Positions,
        watch: OrderWatch,
        source: KafkaSource,
        dead_letters: DeadLetters,
        pruner: Pruner,
        mirror: GroupMirror,
        metrics: LearnerMetrics,
        held: HeldLog,
        rewind: Rewinder | None = None,
        traces: BatchTraces | None = None,
    ) -> None:
        self._rewind, self._has_told, self._traces = rewind, False, traces
        self._line, self._verifier = line, verifier
        self._channel, self._board, self._status = channel, board, status
        self._positions, self._watch = positions, watch
        self._source, self._dead_letters, self._pruner = source, dead_letters, pruner
        self._mirror, self._metrics, self._held = mirror, metrics, held
        self._labels = labels_topic(model_file, positions)
        self._beside = answers_beside(model_file)
        self._feed = Feed(columns_of(model_file, self._labels))
        self._turns = Turns()
        self._speed = Speed()
        self._refusals, self._remedies = RefusalLog(model_file.name), Remedies()
        self._not_finite = NotFiniteLog(model_file.name)
        self._advised: str | None = None
        self._housekeeping_at = self._checked_at = 0.0
        self._gave_back_at = 0.0
        self._polled_at = time.monotonic()  # that there were records
        self._has_news = self._is_finished = False

    def hold(self) -> None:
        """Feed the learner until it has finished.

        Raises:
            MovedError: The head is no longer ours.
            ChannelClosedError: The learner is gone.
            StoreForbidden: The store does not let us any more.
            StreamError, CheckpointError: See `KafkaSource` and `DeadLetters`.
        """
        self._board.source_has_begun()
        while not self._is_finished:
            self._board.tick_source()
            if self._watch.moved:
                raise MovedError(self._line)
            if self._watch.refused is not None:
                raise self._watch.refused
            self._channel.flush()
            for message in self._channel.receive():
                self._hear(message)
            self._say_more()
            self._keep_up()
        self._refusals.say(float("inf"))

    def _say_more(self) -> None:
        """Send what there is room for, read on where all is sent, else wait for the learner."""
        if self._board.frozen or self._board.stop or not self._feed.has_room:
            self._await_learner()
            return
        if self._feed.wants_records:
            if self._has_news:
                self._await_learner()
                return
            self._read_on()
        for batch in self._feed.batches():
            self._channel.post(batch)
            if self._status.state == "idle":
                self._status.state = self._status.at_work

    def _read_on(self) -> None:
        """Take what was fetched; where there is nothing, wait for anything to happen."""
        now, fetching = time.monotonic(), self._source.fetching
        is_idle = now - self._polled_at > _IDLE_AFTER_S
        fetching.pace(is_idle=is_idle)
        polled = self._source.poll(0) if fetching.has_news or not is_idle else []
        ready = self._ready(polled)
        for topic, partition, records, is_left_out in ready:
            self._feed.add(topic, partition, records, is_left_out=is_left_out)
        if polled or ready:
            self._polled_at = now
            return
        due_s = max(0.0, min(_WAIT_S, self._housekeeping_at - now))
        fetching.rest([self._channel, self._board.source_bell], due_s)
        self._board.source_bell.hush()

    def _ready(self, polled: Sequence[Stretch]) -> list[Piece]:
        """What is to be taken, or passed over, now."""
        if self._rewind is None or self._has_told:
            return [Piece(*each) for each in self._next(polled)]
        if not self._rewind.is_replaying:
            return self._rewind.pieces(Piece(*each) for each in self._next(polled))
        found, newer = self._rewind.replayed(polled, self._source)
        found += [Piece(*each) for each in self._next(newer)]
        return self._rewind.pieces(found)

    def _next(self, polled: Sequence[Stretch]) -> Sequence[Stretch]:
        beside, rest = _apart(polled, self._beside)
        return beside + (rest if self._labels is None else self._in_turn(rest, self._labels))

    def _in_turn(self, polled: Sequence[Stretch], labels: str) -> list[Stretch]:
        """What is to be taken now of what was read, in the order of events and labels."""
        turns, source = self._turns, self._source
        apart = {labels, self._beside}
        events = [key for key in self._positions.next_offsets if key[0] not in apart]
        for topic, partition, records in polled:
            if topic != labels and records:
                turns.add_events((topic, partition), records)
        for topic, partition, records in polled:
            if topic == labels and records:
                turns.add_labels((topic, partition), records, source.ends(events))
        if turns.is_empty:
            return []
        read = {key: source.position(key) for key in events}
        ready = turns.ready(read, lambda: source.has_more(labels))
        source.hold({key for key, count in turns.held().items() if count > _HELD_MAX})
        return ready

    @property
    def _is_all_taken(self) -> bool:
        """Whether the learner has taken all that was read."""
        is_replaying = self._rewind is not None and self._rewind.is_replaying
        return self._feed.is_empty and self._turns.is_empty and not is_replaying

    def _await_learner(self) -> None:
        writers = [self._channel] if self._channel.has_unsent else []
        due_s = max(0.0, min(_WAIT_S, self._housekeeping_at - time.monotonic()))
        waited_for: list[HasFileno] = [self._channel, self._board.source_bell]
        select.select(waited_for, writers, [], due_s)
        self._board.source_bell.hush()

    def _hear(self, message: object) -> None:
        match message:
            case Took():
                self._took(message)
            case Announced():
                self._clear(message)
            case Committed():
                self._committed(message)
            case CommitFailed():
                self._metrics.commit_failed(message.outcome)
                self._status.trouble = self._status.trouble.added(message.what)
            case Ready():
                self._status.state = self._status.at_work
            case Finished():
                self._is_finished = True
            case _:
                raise AssertionError(f"the learner said {message}")

    def _took(self, message: Took) -> None:
        taken = self._feed.took(message)
        batch = taken.batch
        key = (batch.topic, batch.partition)
        self._positions.next_offsets[key] = batch.records[-1].offset + 1
        refused: dict[tuple[str, str], int] = {}
        for record, refusal in taken.refused:
            self._dead_letters.send(record, refusal)
            reason = (batch.topic, str(refusal.reason))
            refused[reason] = refused.get(reason, 0) + 1
        if refused:
            self._refusals.add(refused)
        self._status.events_per_second = self._speed.took(taken.learned, message.seconds)
        self._remedies.took(taken.learned, (refusal for _, refusal in taken.refused))
        self._metrics.took(taken.learned, refused)
        if self._traces is not None and self._rewind is None:  # what is replayed was traced before
            self._traces.took(taken, message)
        for detector, direction in message.drifted:
            self._metrics.drifted(detector, direction)

    def _clear(self, message: Announced) -> None:
        """A version is about to become the head: see that nothing stands against it."""
        if self._rewind is None or self._has_told:
            self._status.own_heads |= {message.version_id}
        self._dead_letters.flush()
        self._source.check_topics(self._positions)
        self._channel.post(Cleared(message.version_id))

    def _committed(self, message: Committed) -> None:
        if message.is_candidate:
            self._candidate_committed(message)
            return
        version = open_version(message.envelope, self._verifier, self._line)
        if version.manifest.rewind:
            self._rewound(version)
        manifest = version.manifest
        self._status.own_heads = frozenset({version.id})
        self._status.version, self._status.trouble = manifest.name, Trouble()
        self._metrics.committed(message, manifest)
        if self._traces is not None:
            self._traces.committed(manifest)
        self._metrics.head_is(manifest)
        self._held.head_is(manifest)
        self._not_finite.head_is(manifest.counts, time.monotonic())
        self._mirror.show(manifest)
        self._housekeeping_at = 0.0
        self._prune(self._pruner, version)

    def _candidate_committed(self, message: Committed) -> None:
        """A rewind has come so far; the head is what it was."""
        assert self._rewind is not None, "no rewind is under way"
        self._status.trouble = Trouble()
        version = open_version(message.envelope, self._verifier, self._line.candidate)
        self._prune(self._rewind.pruner, version)

    def _rewound(self, version: Version) -> None:
        """A rewind, or a new beginning, is the head: this is a line like any other."""
        log.info("%s: rewound, %s is the head", self._line, version.manifest.name)
        self._watch.rewind_is_over(version.manifest.orders_seen)
        if self._rewind is not None:
            self._rewind.is_over()
        self._rewind, self._status.rewind = None, None
        self._metrics.rewinding(0)
        self._status.at_work = "learning"
        if self._status.state == "rewinding":
            self._status.state = "learning"

    def _prune(self, pruner: Pruner, version: Version) -> None:
        try:
            pruner.committed(version)
        except StoreUnavailable as error:
            log.warning("pruning put off: %s", error)

    def _keep_rewinding(self, rewind: Rewinder) -> None:
        """Say how far it has come; and to the learner, once, that it has caught up."""
        progress = rewind.progress(self._feed.waiting)
        self._status.rewind = progress
        self._metrics.rewinding(progress["left"])
        if not self._has_told and rewind.has_caught_up(self._positions, self._source):
            self._channel.post(CaughtUp())
            self._has_told = True

    def _keep_up(self) -> None:
        """What is due by the clock."""
        if self._rewind is not None:
            self._keep_rewinding(self._rewind)
        if self._board.is_frozen:
            self._status.state = "frozen"
        elif self._status.state == "frozen":
            self._status.state = self._status.at_work
        self._watch.see_news()
        self._held.look(self._board.released)
        if self._has_news and self._is_all_taken:
            self._take_in_partitions()
        now = time.monotonic()
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + _HOUSEKEEPING_S
        if self._status.state != "idle" or now - self._polled_at < _IDLE_CHECK_S:
            self._report_lag()  # where nothing comes it stays what it was
        if self._status.state == "idle" and self._gave_back_at < self._polled_at:
            self._give_back(now)
        self._refusals.say(now)
        self._advise()
        if self._rewind is None or not self._rewind.is_replaying:
            self._has_news = self._source.has_new_partitions(self._positions)
        if self._is_all_taken and not self._board.is_frozen:
            self._check_log(now)

    def _give_back(self, now: float) -> None:
        if now - self._gave_back_at > _GIVE_BACK_S:
            self._gave_back_at = now
            give_back()

    def _check_log(self, now: float) -> None:
        """See that the topics are still those that were read, and pass over gaps: for an idle line
        seldom. A commit sees to the topics itself.
        """
        if now - self._polled_at > _IDLE_CHECK_S > now - self._checked_at:
            return
        self._checked_at = now
        self._source.check_topics(self._positions)
        self._pass_gaps()

    def _take_in_partitions(self) -> None:
        """Read those that were added, too. Only when nothing is in flight: all are sought anew."""
        for topic, partition in self._source.new_partitions(self._positions):
            first = self._positions.next_offsets[topic, partition]
            self._channel.post(NewPartition(topic, partition, first))
        self._has_news = False

    def _pass_gaps(self) -> None:
        """Go on behind what is no record, so that retention may delete it. When all is taken."""
        for key, following in self._source.positions(self._positions.next_offsets).items():
            if following > self._positions.next_offsets[key]:
                self._positions.passed(key, following)
                self._channel.post(Passed(*key, following))

    def _advise(self) -> None:
        """Say why most is refused: in the log once, in the heartbeat as long as it is so."""
        self._status.advice, commonest = self._remedies.advice, self._remedies.commonest
        if commonest is not None and commonest != self._advised:
            log.warning("model %s: %s", self._line.model, self._status.advice)
        self._advised = commonest

    def _report_lag(self) -> None:
        is_behind, next_offsets = not self._is_all_taken, self._positions.next_offsets
        if self._board.is_frozen:
            waiting = self._source.waiting(next_offsets)
            lag = self._status.lag if waiting is None else waiting
        else:
            lag = self._source.lag(next_offsets, behind=is_behind)
        self._status.lag = lag
        uncommitted = self._board.uncommitted
        self._metrics.reading(lag or {}, uncommitted)
        is_done = not is_behind and not uncommitted and lag is not None and not any(lag.values())
        if is_done and self._status.state == "learning":
            self._status.state, self._status.trouble = "idle", Trouble()


def _apart(polled: Sequence[Stretch], topic: str | None) -> tuple[list[Stretch], list[Stretch]]:
    """What is of this topic, and the rest."""
    rest = [each for each in polled if each[0] != topic]
    return [each for each in polled if each[0] == topic], rest
