"""The learner process: waits for its servers and its turn, and runs one worker after another."""

import contextlib
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from checkpoints.errors import Conflict, StoreUnavailable
from checkpoints.line import Line
from checkpoints.manifest import Version
from checkpoints.mending import taken
from checkpoints.reader import LineReader
from checkpoints.signing import Keys
from checkpoints.store import Granted, HeldBy, Store
from config.model_file import ModelFile
from config.settings import Settings
from learner.trainer import LearnFailedError, Trainer
from stream import kafka_client
from stream.commit import Committer
from stream.dead_letters import DeadLetters
from stream.errors import (
    DeadLettersStuckError,
    HistoryExistsError,
    KafkaUnavailableError,
    NoHeadError,
)
from stream.metrics import LearnerMetrics
from stream.mirror import Mirror, highest_mirrored
from stream.model_change import ModelFileChangedError, SoftwareChangedError
from stream.numbers import Numbers, numbers_of
from stream.positions import Positions
from stream.pruning import Pruner
from stream.restore import Restored, check_restorable, restore
from stream.scratch import private_folder
from stream.source import KafkaSource, first_offsets
from stream.status import Signals, Status
from stream.watch import BEAT_TTL_S, Watch
from stream.watchdog import Watchdog
from stream.worker import Ended, Suspects, Worker

log = logging.getLogger(__name__)

_STANDBY_LOOK_S = 0.25
_SAY_EVERY_S = 3.0
_BACK_OFF_S = 0.5
# How long a stop may wait for a store or a log that does not answer; what is not committed is
# learned again from the log.
_STOP_LIMIT_S = 10.0


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


@dataclass(slots=True)
class Learner:
    """One learner process for one model line."""

    settings: Settings
    model_file: ModelFile
    options: LearnOptions
    store: Store
    keys: Keys
    check_store: Callable[[], object]
    signals: Signals = field(default_factory=Signals)
    status: Status = field(default_factory=Status)
    suspects: Suspects = field(default_factory=Suspects)
    _numbers: Numbers = field(init=False)
    _stopped_at: float | None = None

    def __post_init__(self) -> None:
        self._numbers = numbers_of(self.settings, self.model_file.name)

    def run(self) -> int:
        """Learn until SIGTERM; the exit code.

        Raises:
            StreamError, CheckpointError: What an operator has to mend; it carries its exit code.
        """
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self._stop())
        metrics = LearnerMetrics(self.model_file.name, CollectorRegistry())
        where = self.settings.learner
        url = metrics.serve(where.metrics_host, where.metrics_port)
        log.info("metrics at %s", url)
        self._wait_for_servers()
        Watchdog(self.status, limit_s=where.watchdog_seconds).start()
        mirror = Mirror(self.settings.kafka, self.model_file.name)
        mirror.start()
        try:
            with private_folder(where.scratch_dir) as scratch:
                self._work_until_stopped(metrics, mirror, scratch)
        finally:
            mirror.end()
        return 0

    def _stop(self) -> None:
        if self.signals.stop:
            # Safe by design: what is not committed is learned again.
            os._exit(130)
        self.signals.stop = True
        self._stopped_at = time.monotonic()

    def _may_keep_trying(self) -> bool:
        stopped_at = self._stopped_at
        return stopped_at is None or time.monotonic() - stopped_at < _STOP_LIMIT_S

    @property
    def _line(self) -> Line:
        return Line(self.model_file.name)

    @property
    def _holder(self) -> str:
        return self.settings.learner.name or f"{socket.gethostname()}:{os.getpid()}"

    def _wait_for_servers(self) -> None:
        limit_s = self.settings.learner.start_wait_seconds
        self._wait_for_store(limit_s)
        kafka = self.settings.kafka
        kafka_client.wait_for_kafka(kafka, limit_s=limit_s, stopped=lambda: self.signals.stop)
        if self.options.create_topics:
            kafka_client.create_topics(kafka, self.model_file, partitions=kafka.topic_partitions)
        events = self.model_file.topics.events
        kafka_client.require(kafka, [events, kafka_client.dead_letter_topic(events)])

    def _wait_for_store(self, limit_s: float) -> None:
        said = time.monotonic()
        deadline = said + limit_s
        while True:
            try:
                self.store.poll([self._line])
            except StoreUnavailable as error:
                now = time.monotonic()
                if now > deadline or self.signals.stop:
                    raise
                if now - said > _SAY_EVERY_S:
                    said = now
                    log.warning("waiting for Redis (%.0f s left): %s", deadline - now, error)
                time.sleep(0.3)
            else:
                self.check_store()
                return

    def _work_until_stopped(self, metrics: LearnerMetrics, mirror: Mirror, scratch: Path) -> None:
        while not self.signals.stop:
            try:
                granted = self._take_turn()
                if granted is None:
                    return
                ended = self._work(granted, metrics, mirror, scratch)
            except LearnFailedError as error:
                log.error("%s; the learner is thrown away and the head restored", error)
            except (ModelFileChangedError, SoftwareChangedError):
                raise
            except Conflict as error:
                log.warning("%s; restoring the head", error)
            except (KafkaUnavailableError, DeadLettersStuckError, StoreUnavailable) as error:
                log.warning("%s; going on from the head once it answers", error)
                time.sleep(_BACK_OFF_S)
            else:
                if ended is Ended.STOPPED:
                    return
                log.info("%s: the head moved; going on from it", self._line)

    def _take_turn(self) -> Granted | None:
        """The fencing token, once no other learner holds the lease; None when stopped."""
        lease_s = self.settings.learner.lease_seconds
        said = False
        while not self.signals.stop:
            answer = self.store.acquire(self._line, holder=self._holder, lease_s=lease_s)
            if isinstance(answer, Granted):
                return answer
            if not said:
                said = True
                log.info("%s is learning %s; waiting to take over", answer.holder, self._line)
            self._beat_as_standby(answer)
            time.sleep(min(_STANDBY_LOOK_S, max(0.01, answer.remaining_s)))
        return None

    def _beat_as_standby(self, held: HeldBy) -> None:
        self.status.state = "waiting"
        self.status.tick()
        payload = {**self.status.beat(self._holder), "waits_for": held.holder}
        self.store.beat(
            self._line, role="standby", name=self._holder, payload=payload, ttl_s=BEAT_TTL_S
        )

    def _work(
        self, granted: Granted, metrics: LearnerMetrics, mirror: Mirror, scratch: Path
    ) -> Ended:
        """One worker's life under one token."""
        self.status.state = "starting"
        self.status.tick()
        self.signals.moved = False
        head = self._verified(granted)
        self.status.own_heads = frozenset({head.id}) if head else frozenset()
        with contextlib.ExitStack() as stack:
            watch = self._watch(granted, metrics)
            watch.look()
            watch.start()
            stack.callback(watch.end)
            found = self._restored(head, scratch)
            dead_letters = DeadLetters(self.settings.kafka, self.model_file.name)
            stack.callback(dead_letters.close)
            source = KafkaSource(self.settings.kafka, self.model_file.name, found.positions)
            stack.callback(source.close)
            metrics.dependency("kafka", is_up=True)
            worker = self._worker(granted, head, found, source, dead_letters, metrics, mirror)
            _settle_memory()
            ended = worker.run()
            if ended is Ended.STOPPED:
                self.status.state = "stopped"
                watch.end()
                watch.beat()
                self.store.release(self._line, holder=self._holder, token=granted.token)
            return ended

    def _verified(self, granted: Granted) -> Version | None:
        return taken(
            self.store, self.keys.verifier, self._line, granted, obeyed=self.signals.control_seq
        )

    def _watch(self, granted: Granted, metrics: LearnerMetrics) -> Watch:
        return Watch(
            self.store,
            self.keys.verifier,
            self._line,
            holder=self._holder,
            token=granted.token,
            lease_s=self.settings.learner.lease_seconds,
            signals=self.signals,
            status=self.status,
            metrics=metrics,
        )

    def _restored(self, head: Version | None, scratch: Path) -> Restored:
        if head is None:
            return self._begun(scratch)
        reader = LineReader(self.store, self.keys.verifier, self._line)
        found = restore(reader, head, self.model_file, scratch)
        log.info(
            "%s: going on from %s, %d learned", self._line, head.manifest.name,
            head.manifest.counts.learned,
        )  # fmt: skip
        return found

    def _begun(self, scratch: Path) -> Restored:
        """A new line, if it may be begun."""
        name = self.model_file.name
        mirrored = kafka_client.mirrored(self.settings.kafka, name)
        if not (self.options.is_new or self.options.begins_if_untouched):
            raise NoHeadError(name, self.settings.redis.address)
        if mirrored and not self.options.abandon_history:
            evidence = f"Kafka's group {kafka_client.group_id(name)} has offsets"
            raise HistoryExistsError(name, evidence)
        events = self.model_file.topics.events
        topic, begins = first_offsets(self.settings.kafka, name, events, self.options.start)
        positions = Positions(
            topic_ids={topic.name: topic.topic_id}, begins=begins, next_offsets=dict(begins)
        )
        trainer = Trainer(self.model_file, scratch)
        check_restorable(trainer, self.model_file, scratch)
        for note in trainer.notes:
            log.info("%s: %s", self._line, note)
        log.info("%s: begun, untrained, at %s", self._line, positions.offsets_json())
        return Restored(trainer=trainer, positions=positions, adopted=())

    def _worker(
        self,
        granted: Granted,
        head: Version | None,
        found: Restored,
        source: KafkaSource,
        dead_letters: DeadLetters,
        metrics: LearnerMetrics,
        mirror: Mirror,
    ) -> Worker:
        signer = self.keys.signer("learner")
        committer = Committer(
            self.store,
            signer,
            self.model_file,
            granted=granted,
            head=head,
            highest=max(
                self._numbers.highest,
                highest_mirrored(self.settings.kafka, self.model_file.name),
            ),
            note_number=self._numbers.note,
            dead_letters=dead_letters,
            status=self.status,
            keep_trying=self._may_keep_trying,
        )
        if head is not None:
            self.status.version = head.manifest.name
            metrics.head_is(head.manifest)
            mirror.show(head.manifest)
        return Worker(
            self.model_file,
            trainer=found.trainer,
            positions=found.positions,
            source=source,
            committer=committer,
            pruner=Pruner(
                self.store,
                signer,
                self.keys.verifier,
                self._line,
                keep=self.model_file.checkpoint.keep,
                token=granted.token,
            ),
            mirror=mirror,
            dead_letters=dead_letters,
            signals=self.signals,
            status=self.status,
            suspects=self.suspects,
            metrics=metrics,
            uncommitted_max=self.settings.learner.max_uncommitted_events,
            adopted=found.adopted,
        )


def _settle_memory() -> None:
    """Keep the garbage collector off what lives as long as the worker."""
    gc.collect()
    gc.freeze()
    # A model makes few cycles; the default of 700 would look a hundred times a second.
    gc.set_threshold(50_000, 20, 100)
