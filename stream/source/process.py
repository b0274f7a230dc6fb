"""The source process: everything of a learner that talks to the world.

It waits for its servers and its turn, reads the log, decodes and screens, and hands batches to the
learner. It answers for the learner too: metrics, heartbeat, dead letters, operators' orders. If it
dies nothing is lost but time: what was in flight is read again.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from checkpoints.errors import StoreForbidden, StoreUnavailable
from checkpoints.keeping.pruner import Pruner
from checkpoints.reading.damaged_head import taken
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Granted, HeldBy
from checkpoints.stores.patience import Patience
from checkpoints.stores.presence import BEAT_TTL_S
from checkpoints.stores.setup import SetupFinding
from config.model.parts import Keep
from config.model_file import ModelFile
from config.processes.scratch import parent_of
from config.settings import Settings
from config.traces.extra import load_if_on
from stream.between.messages import Begin, Channel
from stream.between.positions import Positions
from stream.between.shared_numbers import SharedNumbers
from stream.errors import (
    HistoryExistsError,
    LogDisagreesError,
    NoHeadError,
    ServersAwayError,
    TopicAwayError,
    TopicLostError,
    TopicMissingError,
)
from stream.exits import DONE, end_with
from stream.kafka import client as kafka_client
from stream.kafka.consumer import KafkaSource
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.group_mirror import GroupMirror, highest_mirrored
from stream.learning.restore import positions_of
from stream.source.loop import SourceLoop
from stream.source.order_watch import OrderWatch
from stream.source.probes import LearnerProbes
from stream.source.reports.batch_traces import BatchTraces
from stream.source.reports.heartbeat import Status, Trouble
from stream.source.reports.held_log import HeldLog
from stream.source.reports.metrics import LearnerMetrics
from stream.source.rewinding import (
    Rewinder,
    RewindStart,
    begin_rewind,
    rewind_ordered,
    with_partitions_of,
)
from stream.source.store_check import StoreCheck
from stream.source.topics import begun, losable, lose_what_is_lost, topics_to_read

log = logging.getLogger(__name__)

_SPANS_S = 0.5  # to send the last spans
_STANDBY_LOOK_S = 0.25
_STANDBY_BEAT_S = 1.0
_SAY_EVERY_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnOptions:
    """What `weir learn` was told.

    Attributes:
        is_new: Begin a line where the store holds none.
        start: Where a new line begins: "earliest", "latest", or milliseconds since the epoch.
        abandon_history: Begin although Kafka remembers an earlier learner of this model.
        create_topics: Create the model's topics where they are missing.
        begins_if_untouched: `weir dev`: a line nobody has ever learned is begun unasked.
    """

    is_new: bool = False
    start: str | int = "earliest"
    abandon_history: bool = False
    create_topics: bool = False
    begins_if_untouched: bool = False


@dataclass(slots=True, kw_only=True)
class SourceProcess:
    """What the forked source needs of the program that forked it.

    Attributes:
        channel: To the learner.
        keeper: Last words.
        trouble: What ended earlier lives.
        holder: In whose name the lease is held.
        highest: The highest version number that we remember ourselves.
        check_store: How the store is set up; raises StoreForbidden where we lack a right.
        fetch_wait_ms: How long a fetch gathers records (`stream.kafka.fetching`).
        wait_limit_s: How long servers that are away are waited for; None: for ever, because the
            program has been at work before, and may not be refused any more.
    """

    settings: Settings
    line: Line
    model_file: ModelFile
    options: LearnOptions
    keys: Keys
    open_store: Callable[[], Store]
    check_store: Callable[[], Sequence[SetupFinding]]
    board: SharedNumbers
    channel: Channel
    keeper: Channel
    trouble: Trouble
    holder: str
    highest: int
    wait_limit_s: float | None
    fetch_wait_ms: int
    topics: list[str] = field(init=False)
    lost: list[TopicLostError] = field(default_factory=list)
    status: Status = field(init=False)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.status = Status(self.board, trouble=self.trouble)

    def run(self) -> int:
        """Feed the learner until it has finished; the code to end with."""
        try:
            self._run()
        except Exception as error:
            return end_with(self._forgiven(error), self.keeper)
        return DONE

    def _forgiven(self, error: Exception) -> Exception:
        """What is said of a topic that may be lost: the next life begins it anew, or waits for it.
        One that never was is a mistake of whoever starts us.
        """
        was_at_work = self.wait_limit_s is None or self.board.has_begun("source")
        match error:
            case LogDisagreesError() if error.topic in losable(self.model_file):
                return TopicLostError(self.model_file.name, error.topic, error.why)
            case TopicMissingError() if was_at_work and error.topic in losable(self.model_file):
                return TopicAwayError(self.model_file.name, error)
        return error

    def _run(self) -> None:
        settings = self.settings
        disks = {"data": settings.data_dir, "scratch": parent_of(settings.learner.scratch_dir)}
        metrics = LearnerMetrics(self.model_file.name, CollectorRegistry(), disks)
        where = settings.learner
        probes = LearnerProbes(self.status, hung_s=where.watchdog_seconds)
        log.info("metrics at %s", metrics.serve(where.metrics_host, where.metrics_port, probes))
        self.store = self.open_store()
        check = StoreCheck(self.check_store, self.settings.redis.address, metrics)
        self._wait_for_servers(check)
        mirror = GroupMirror(self.settings.kafka, self.model_file.name)
        mirror.start()
        try:
            granted = self._take_turn()
            if granted is not None:
                self._feed_the_learner(granted, metrics, mirror, check)
        finally:
            mirror.end()

    # Before the first record ---------------------------------------------------------------------

    def _wait_for_servers(self, check: StoreCheck) -> None:
        self._wait_for_store(check)
        kafka = self.settings.kafka
        kafka_client.wait_for_kafka(
            kafka, limit_s=self.wait_limit_s, keep_waiting=self._keeps_waiting
        )
        if self.options.create_topics:
            kafka_client.create_topics(kafka, self.model_file, partitions=kafka.topic_partitions)
        self.topics = topics_to_read(kafka, self.model_file)

    def _keeps_waiting(self) -> bool:
        self.board.tick_source()
        return not self.board.stop

    def _wait_for_store(self, check: StoreCheck) -> None:
        said = time.monotonic()
        deadline = said + (self.wait_limit_s or float("inf"))
        patience = Patience()
        while True:
            try:
                self.store.poll([self.line])
                check.begin(may_refuse=self.wait_limit_s is not None)
            except StoreUnavailable as error:
                if isinstance(error, StoreForbidden):
                    patience.refused(error)
                now = time.monotonic()
                if now > deadline or not self._keeps_waiting():
                    raise ServersAwayError(str(error)) from error
                if now - said > _SAY_EVERY_S:
                    said = now
                    log.warning("waiting for Redis%s: %s", kafka_client.left(deadline), error)
                time.sleep(0.3)
            else:
                return

    def _take_turn(self) -> Granted | None:
        """The fencing token, once no other learner holds the lease; None when stopped."""
        lease_s = self.settings.learner.lease_seconds
        said, beat_at = False, 0.0
        while self._keeps_waiting():
            answer = self.store.acquire(self.line, holder=self.holder, lease_s=lease_s)
            if isinstance(answer, Granted):
                return answer
            if not said:
                said = True
                log.info("%s is learning %s; waiting to take over", answer.holder, self.line)
            if time.monotonic() - beat_at > _STANDBY_BEAT_S:
                beat_at = time.monotonic()
                self._beat_as_standby(answer)
            time.sleep(min(_STANDBY_LOOK_S, max(0.01, answer.remaining_s)))
        return None

    def _beat_as_standby(self, held: HeldBy) -> None:
        self.status.state = "waiting"
        payload = {**self.status.beat(self.holder), "waits_for": held.holder}
        self.store.beat(
            self.line, role="standby", name=self.holder, payload=payload, ttl_s=BEAT_TTL_S
        )

    def _feed_the_learner(
        self, granted: Granted, metrics: LearnerMetrics, mirror: GroupMirror, check: StoreCheck
    ) -> None:
        """One life under one token."""
        self.status.state = "starting"
        head = taken(
            self.store, self.keys.verifier, self.line, granted, obeyed=self.board.control_seq
        )
        self.status.own_heads = frozenset({head.id}) if head else frozenset()
        with contextlib.ExitStack() as stack:
            rewind = self._rewind(head)
            watch = self._watch(granted, metrics, head, check, rewind)
            watch.look()
            watch.start()
            stack.callback(watch.end)
            positions = self._positions(head, rewind)
            self._begin(granted, head, positions, rewind)
            pruner = self._pruner(self.line, granted, self.model_file.checkpoint.keep)
            if head is not None:
                pruner.began(head)
            dead_letters = DeadLetters(self.settings.kafka, self.model_file.name)
            stack.callback(dead_letters.close)
            source = KafkaSource(
                self.settings.kafka,
                self.model_file.name,
                positions,
                fetch_wait_ms=self.fetch_wait_ms,
            )
            stack.callback(source.close)
            metrics.dependency("kafka", is_up=True)
            if head is not None:
                self.status.version = head.manifest.name
                metrics.head_is(head.manifest)
                mirror.show(head.manifest)
            SourceLoop(
                self.line,
                self.model_file,
                self.keys.verifier,
                channel=self.channel,
                board=self.board,
                status=self.status,
                positions=positions,
                watch=watch,
                source=source,
                dead_letters=dead_letters,
                pruner=pruner,
                mirror=mirror,
                metrics=metrics,
                held=HeldLog(metrics, head.manifest if head else None),
                rewind=self._rewinder(rewind, head),
                traces=self._traces(metrics, stack),
            ).hold()
            self.status.state = "stopped"
            watch.end()
            watch.beat()
            self.store.release(self.line, holder=self.holder, token=granted.token)

    def _traces(self, metrics: LearnerMetrics, stack: contextlib.ExitStack) -> BatchTraces | None:
        """What makes spans, with a thread of its own, where traces are on."""
        if not load_if_on(self.settings.traces):
            return None
        from config.traces.spans import Spans

        spans = Spans(self.settings.traces, "weir-learner", metrics.spans)
        stack.callback(spans.close, _SPANS_S)
        return BatchTraces(spans, self.model_file.name)

    def _rewind(self, head: Version | None) -> RewindStart | None:
        """The rewind that is ordered, to be begun or gone on with."""
        verifier = self.keys.verifier
        order = rewind_ordered(self.store, verifier, self.line, head)
        if order is None or head is None:
            return None
        self.status.at_work = "rewinding"
        return begin_rewind(
            self.store,
            verifier,
            self.line,
            head=head,
            order=order,
            holder=self.holder,
            first_offsets=lambda start: self._from_the_log(start).next_offsets,
        )

    def _from_the_log(self, start: str | int) -> Positions:
        """Where each topic begins, or where it is from a time on."""
        nowhere = Positions(topic_ids={}, begins={}, next_offsets={})
        return begun(nowhere, self.settings.kafka, self.model_file.name, self.topics, start)

    def _rewinder(self, start: RewindStart | None, head: Version | None) -> Rewinder | None:
        if start is None or head is None or start.granted is None:
            return None
        keep = Keep(last=1, minutely=0, hourly=0, daily=0)
        pruner = self._pruner(self.line.candidate, start.granted, keep)
        return Rewinder(start, head, self.model_file, pruner=pruner, store=self.store)

    def _watch(
        self,
        granted: Granted,
        metrics: LearnerMetrics,
        head: Version | None,
        check: StoreCheck,
        rewind: RewindStart | None,
    ) -> OrderWatch:
        return OrderWatch(
            self.store,
            self.keys.verifier,
            self.line,
            holder=self.holder,
            token=granted.token,
            lease_s=self.settings.learner.lease_seconds,
            board=self.board,
            status=self.status,
            metrics=metrics,
            check=check,
            orders_seen=head.manifest.orders_seen if head else 0,
            rewind=rewind.order if rewind else None,
        )

    def _positions(self, head: Version | None, rewind: RewindStart | None) -> Positions:
        if head is None:
            return self._first_positions()
        kafka, positions = self.settings.kafka, self._positions_at(head, rewind)
        self.lost = lose_what_is_lost(positions, kafka, self.model_file)
        for lost in self.lost:
            log.warning("%s", lost)
            self.status.lost = str(lost)
        return begun(positions, kafka, self.model_file.name, self.topics, "earliest")

    def _positions_at(self, head: Version, rewind: RewindStart | None) -> Positions:
        """Those of the head; of a rewind, where it goes on."""
        if rewind is None:
            return positions_of(head.manifest, self.model_file)
        if rewind.start is None:
            topic_ids = {it: anchors.topic_id for it, anchors in head.manifest.anchors.items()}
            begins = dict(rewind.begins)
            return Positions(topic_ids=topic_ids, begins=begins, next_offsets=dict(begins))
        return with_partitions_of(head, positions_of(rewind.start.manifest, self.model_file))

    def _first_positions(self) -> Positions:
        """Where a new line begins, if it may be begun."""
        name = self.model_file.name
        mirrored = kafka_client.mirrored(self.settings.kafka, name)
        if not (self.options.is_new or self.options.begins_if_untouched):
            raise NoHeadError(name, self.settings.redis.address)
        if mirrored and not self.options.abandon_history:
            evidence = f"Kafka's group {kafka_client.group_id(name)} has offsets"
            raise HistoryExistsError(name, evidence)
        return self._from_the_log(self.options.start)

    def _begin(
        self,
        granted: Granted,
        head: Version | None,
        positions: Positions,
        rewind: RewindStart | None,
    ) -> None:
        """Let the learner restore the head, while we open the log."""
        highest = highest_mirrored(self.settings.kafka, self.model_file.name)
        self.channel.send(
            Begin(
                token=granted.token,
                head=head.envelope if head else None,
                highest=max(granted.highest, highest, self.highest),
                topic_ids=positions.topic_ids,
                first_offsets=[(*key, at) for key, at in positions.begins.items()],
                rewound=rewind.told() if rewind else None,
                lost=[lost.topic for lost in self.lost],
            )
        )

    def _pruner(self, line: Line, granted: Granted, keep: Keep) -> Pruner:
        return Pruner(
            self.store,
            self.keys.signer("learner"),
            self.keys.verifier,
            line,
            keep=keep,
            token=granted.token,
        )
