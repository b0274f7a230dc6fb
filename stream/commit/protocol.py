"""The commit: everything that must agree becomes one signed version, by one atomic change.

A version is made in a process of its own, forked between two records: it holds the learner as it
was at that moment, while the learner learns on. The protocol, and what is true if it dies right
after a step:

    C1  The process is forked: the snapshot is cut.             Nothing has changed.
    C2  The state is written down and its size is checked.      Nothing has changed.
    C3  The publish gate judges it, and the manifest is sealed  Nothing has changed.
        with the learner's key.
    C4  The segments are written.                               Orphans, which expire by themselves.
    C5  The version is announced, and cleared by the source:    Nothing has changed; the letters
        the dead letters below its offsets are acknowledged,    may be written again, same id.
        and the topics are still those that were read.
    C6  The store compares token, parent and presence, and      The head has moved, or it has not.
        moves the head.                                         Either way one version is the head
                                                                and its offsets say where to go on.
    C7  The learner adopts the version as the next one's        As after C6.
        parent; the source mirrors it and prunes old ones.

A reply that was lost at C6 is settled by repeating it: the store knows the version by its id. If
the process dies between C5 and C7, nobody here knows whether the head moved: the learner is thrown
away and restored from whatever the head is.
"""

import logging
import platform
import resource
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version as installed
from typing import Any, Literal

from msgspec import UNSET, UnsetType, structs

from checkpoints.errors import (
    CheckpointError,
    Conflict,
    Fenced,
    Stale,
    StoreForbidden,
    StoreUnavailable,
    TooLarge,
)
from checkpoints.records.calibration import calibration_of
from checkpoints.records.gate import PublishGate
from checkpoints.records.line import Line
from checkpoints.records.lineage import check_counts
from checkpoints.records.manifest import (
    Anchor,
    BegunAnew,
    Counts,
    Late,
    Manifest,
    Origin,
    Rewind,
    SegmentRef,
    TopicAnchors,
    Version,
    seal_version,
)
from checkpoints.records.replay import SEGMENT, Replay
from checkpoints.records.segments import pack
from checkpoints.records.signing import Signer
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Outcome
from checkpoints.stores.patience import Patience
from config.model_file import ModelFile
from config.processes.channel import ChannelClosedError
from learner.errors import SpecError
from learner.trainer import Snapshot, Trainer
from learner.trial.probe import PredictChangesError
from learner.trial.unwritable import UnwritableError
from stream.between.messages import Announced, Channel, Cleared, CommitFailed, Committed, Working
from stream.between.positions import Positions
from stream.between.suspects import LogPosition
from stream.commit.publishing import gate_of
from stream.errors import StreamError
from stream.learning.trial import check_snapshot

log = logging.getLogger(__name__)

_RETRY_S = 0.5
_SAY_EVERY_S = 3.0

Packed = Mapping[str, tuple[SegmentRef, bytes]]


class SnapshotFailedError(StreamError):
    """The learner's state could not be written down; nothing was changed.

    Operator: learning goes on until `learner.max_uncommitted_events`, then it ends with 1. Roll
    back, or begin a model whose state can be pickled.
    """

    def __init__(self, version: str, cause: object) -> None:
        super().__init__(
            f"{version} cannot be written down ({cause}): roll back to a version that could, or "
            "change the learner"
        )
        self.cause = str(cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """A rewind, as far as it has come.

    Attributes:
        rewind: As the manifest has it.
        replay: What was replayed.
    """

    rewind: Rewind
    replay: Replay = field(default_factory=Replay)

    def then(self, later: Replay) -> "Replaying":
        """The same, after more was replayed."""
        return replace(self, replay=self.replay.then(later))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a commit holds beside the trainer, fixed when it is cut.

    Attributes:
        head: The parent, None for the first version of a line.
        number: Of the version to be made.
        token: The fencing token.
        runs: Since the parent.
        skipped: Records left out since the line began.
        forgotten: Events that rollbacks have forgotten since then.
        answers: Answers that were only scored, up to where this learner went on.
        origin: Of an exported version, where the learner goes on from one.
        replaying: Of a rewind: what its version says of it; None of all others.
        learn_errors: Records on which learning raised since the parent, the first 1,000.
        adopted: Sections of the model file that changed.
        control_seq: The newest command obeyed, by this learner or by the one that made the head.
        released: The number of the version that operators have let through the publish gate last.
    """

    head: Version | None
    number: int
    token: str
    created_at_ms: int
    runs: list[list[Any]]
    skipped: int
    forgotten: int
    answers: int
    origin: Origin | UnsetType
    replaying: "Replaying | None"
    learn_errors: tuple[LogPosition, ...]
    adopted: tuple[str, ...]
    control_seq: int
    released: int


class VersionMaker:
    """Makes one version; lives in the forked process.

    Args:
        store: A connection of this process's own.
        signer: The learner key.
        model_file: Its sections go into each manifest.
        channel: To the learner: announcements and outcome go out, clearance comes in.
    """

    def __init__(
        self, store: Store, signer: Signer, line: Line, model_file: ModelFile, channel: Channel
    ) -> None:
        self._store, self._signer, self._channel = store, signer, channel
        self._line, self._model_file = line, model_file

    def make(self, trainer: Trainer, positions: Positions, cut: Cut) -> int:
        """Steps C2 to C6; how it went is told through the channel. The process's exit code."""
        try:
            has_begun = self._has_learned(cut)
            # What the head of a line wrote, a rewind's trainer has nothing in common with.
            takes_over = cut.replaying is not None and not self._line.is_candidate
            goes_on = cut.head and has_begun and not takes_over
            there = cut.head.manifest.segments if cut.head and goes_on else {}
            snapshot = self._written_down(trainer, cut, there)  # C2
            self._try_out(snapshot, has_begun=has_begun)
            packed = {kind: pack(raw) for kind, raw in snapshot.segments.items()}
            if cut.replaying is not None:
                packed[SEGMENT] = pack(cut.replaying.replay.to_bytes())
            kept = {kind: there[kind] for kind in snapshot.kept}
            version = self._sealed(snapshot, packed, kept, positions, cut)  # C3
            self._channel.send(Working())
            self._insist(version, packed, cut, lambda: _chunks(trainer))  # C4 to C6
        except (StreamError, CheckpointError, SpecError) as error:
            what = error.cause if isinstance(error, SnapshotFailedError) else str(error)
            self._channel.send(CommitFailed(outcome_of(error), what, error.exit_code))
            return 0
        except ChannelClosedError:
            return 0  # the learner is gone, and nobody wants this version any more
        self._channel.send(Committed(version.envelope, work_s=_cpu_s()))
        return 0

    def _written_down(self, trainer: Trainer, cut: Cut, written: Collection[str] = ()) -> Snapshot:
        name = f"{self._line} v{cut.number}"
        try:
            named = None if self._line.is_candidate else f"v{cut.number}"
            snapshot = trainer.snapshot(version=named, written=written)
        except PredictChangesError:
            raise  # nor would any later one be served
        except UnwritableError as error:
            raise SnapshotFailedError(name, error.message) from error
        except BaseException as error:  # whatever a learner makes of it
            raise SnapshotFailedError(name, f"{type(error).__name__}: {error}") from error
        size, limit = len(snapshot.segments["model"]), self._model_file.checkpoint.max_bytes
        if size > limit:
            raise TooLarge(name, bytes_found=size, bytes_max=limit)
        return snapshot

    def _has_learned(self, cut: Cut) -> bool:
        return cut.head is not None and cut.head.manifest.counts.learned > 0

    def _try_out(self, snapshot: Snapshot, *, has_begun: bool) -> None:
        """Load the first version that has learned: some only then hold what cannot be loaded.

        A class of one's own may come to hold that with any event, so all its versions are tried.
        """
        learner = self._model_file.learner
        is_sure = learner.vw is not None or (has_begun and learner.python is None)
        if snapshot.learned and not is_sure:
            check_snapshot(snapshot, self._model_file, None)

    def _sealed(
        self,
        snapshot: Snapshot,
        packed: Packed,
        kept: Mapping[str, SegmentRef],
        positions: Positions,
        cut: Cut,
    ) -> Version:
        manifest = Manifest(
            model=self._line.model,
            shard=self._line.shard,
            number=cut.number,
            parent=cut.head.id if cut.head else None,
            created_at_ms=cut.created_at_ms,
            kind=_kind(self._line, cut),
            counts=_counts(snapshot, cut),
            metrics=snapshot.metrics,
            calibration=calibration_of(snapshot.calibration),
            importance=UNSET if snapshot.importance is None else snapshot.importance,
            drift_total=snapshot.drift_total,
            offsets=positions.offsets_json(),
            anchors=_anchors(positions.anchors_json()),
            begins=positions.begins_json(),
            runs=tuple(tuple(run) for run in cut.runs) if cut.replaying is None else (),
            learn_errors=cut.learn_errors if cut.replaying is None else (),
            rewind=_rewind(cut),
            segments={**{kind: ref for kind, (ref, _) in packed.items()}, **kept},
            model_file=self._model_file.sections(),
            adopted=cut.adopted,
            software=software(),
            control_seq=cut.control_seq,
            late=_late(snapshot),
            served=UNSET if snapshot.served is None else snapshot.served,
            origin=cut.origin,
            begun_anew=_begun_anew(positions.begun_anew),
            gate=self._gate(snapshot, cut),
        )
        check_counts(manifest)
        return seal_version(manifest, self._signer)

    def _gate(self, snapshot: Snapshot, cut: Cut) -> PublishGate | UnsetType:
        if self._line.is_candidate:  # it is never served
            return UNSET
        return gate_of(
            snapshot,
            self._model_file,
            head=cut.head,
            is_rewind=cut.replaying is not None,
            at_ms=cut.created_at_ms,
            released=cut.released,
        )

    def _insist(
        self, version: Version, packed: Packed, cut: Cut, chunks: Callable[[], Packed]
    ) -> None:
        """C4 to C6, repeated while the store is down: nothing is dropped.

        Args:
            chunks: What an earlier version has written, too, where the store has lost it.
        """
        is_cleared, said, patience = False, 0.0, Patience()
        while True:
            try:
                for ref, stored in packed.values():
                    self._store.put_segment(self._line, ref.sha256, stored)  # C4
                if not is_cleared:
                    self._await_clearance(version)  # C5
                    is_cleared = True
                outcome = self._store.commit(self._line, token=cut.token, version=version)  # C6
            except StoreUnavailable as error:
                if isinstance(error, StoreForbidden):
                    patience.refused(error)
                if time.monotonic() - said > _SAY_EVERY_S:
                    said = time.monotonic()
                    log.warning("%s: %s; trying again", version, error)
                self._channel.send(Working())
                time.sleep(_RETRY_S)
                continue
            if outcome.stands:
                return
            if outcome is not Outcome.TORN:
                raise _conflict(outcome, version, cut.token)
            log.warning("%s: the store lost segments while they were written; again", version)
            packed = {**packed, **chunks()}

    def _await_clearance(self, version: Version) -> None:
        self._channel.send(Announced(version.id))
        while True:
            for message in self._channel.receive(timeout_s=1.0):
                assert message == Cleared(version.id), f"{message} for {version}"
                return
            self._channel.send(Working())


def outcome_of(error: Exception) -> str:
    """Why a commit was not made, as the metric has it."""
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome
    return "failed"


_OUTCOMES: tuple[tuple[type[Exception], str], ...] = (
    (Conflict, "superseded"),
    (TooLarge, "too_large"),
    (SnapshotFailedError, "snapshot_failed"),
    (StoreUnavailable, "store_unavailable"),
)


def _kind(line: Line, cut: Cut) -> Literal["commit", "rewind", "candidate"]:
    if cut.replaying is None:
        return "commit"
    return "candidate" if line.is_candidate else "rewind"


def _rewind(cut: Cut) -> Rewind | UnsetType:
    if cut.replaying is None:
        return UNSET
    skipped = sum(following - first for *_, first, following in cut.replaying.replay.skipped)
    return structs.replace(cut.replaying.rewind, skipped=skipped)


def _counts(snapshot: Snapshot, cut: Cut) -> Counts:
    # Answers that are only scored are records read and not learned; operators skip others.
    answers = snapshot.late.answers - cut.answers
    return Counts(
        learned=snapshot.learned,
        scored=snapshot.scored,
        refused=sum(snapshot.refused_by.values()),
        skipped=cut.skipped + answers,
        forgotten=cut.forgotten,
        pending=snapshot.late.pending,
        labels=snapshot.late.labels,
        expired=snapshot.late.expired,
        unscored=snapshot.unscored,
        nonfinite=snapshot.nonfinite,
        refused_by=snapshot.refused_by,
    )


def _chunks(trainer: Trainer) -> Packed:
    return {name: pack(raw) for name, raw in trainer.chunks().items()}


def _late(snapshot: Snapshot) -> Late:
    delays = {f"{seconds:.6g}": count for seconds, count in snapshot.late.delays.items()}
    late = snapshot.late
    return Late(oldest_ms=late.oldest_ms, delays=delays, answers=late.answers)


def _conflict(outcome: Outcome, version: Version, token: str) -> Conflict:
    if outcome is Outcome.FENCED:
        return Fenced(version.manifest.line, token=token)
    return Stale(version.manifest.line, f"{version} was built on a head that is no longer the head")


def _anchors(nested: dict[str, dict[str, Any]]) -> dict[str, TopicAnchors]:
    return {
        topic: TopicAnchors(
            topic_id=of["topic_id"],
            partitions={p: Anchor(**anchor) for p, anchor in of["partitions"].items()},
        )
        for topic, of in nested.items()
    }


def _begun_anew(lost: dict[str, dict[str, int]]) -> dict[str, BegunAnew] | UnsetType:
    return {topic: BegunAnew(**each) for topic, each in lost.items()} or UNSET


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def software() -> dict[str, str]:
    """What a checkpoint is bound to: pickles of River do not cross its versions."""
    packages = {name: installed(name) for name in ("weir", "river", "vowpalwabbit", "numpy")}
    return {**packages, "python": platform.python_version(), "machine": platform.machine()}
