"""The commit: everything that must agree becomes one signed version, by one atomic change.

The protocol, and what is true if we die right after a step:

    C1  The dead letters below the offsets are acknowledged.    Nothing has changed; the letters
                                                                are written again, same id.
    C2  A snapshot is cut, between two records.                 Nothing has changed.
    C3  The manifest is sealed with the learner's key.          Nothing has changed.
    C4  The segments are written.                               Orphans, gone in ten minutes.
    C5  The store compares token, parent and presence, and      The head has moved, or it has not.
        moves the head.                                         Either way one version is the head
                                                                and its offsets say where to go on.
    C6  The version is adopted as the next one's parent.        As after C5.
    C7  Old versions are pruned.                                Some are kept that could go.

A reply that was lost at C5 is settled by repeating it: the store knows the version by its id.
"""

import logging
import pickle
import platform
import time
from collections.abc import Callable
from importlib.metadata import version as installed
from typing import Any

from checkpoints.errors import Conflict, Fenced, Stale, StoreUnavailable, TooLarge
from checkpoints.line import Line
from checkpoints.lineage import check_counts
from checkpoints.manifest import (
    Anchor,
    Counts,
    Manifest,
    SegmentRef,
    TopicAnchors,
    Version,
    seal_version,
)
from checkpoints.segments import pack
from checkpoints.signing import Signer
from checkpoints.store import Granted, Outcome, Store
from config.model_file import ModelFile
from learner.trainer import Snapshot, Trainer
from stream.dead_letters import DeadLetters
from stream.errors import DeadLettersStuckError, StreamError
from stream.positions import Positions
from stream.status import Status

log = logging.getLogger(__name__)

_RETRY_S = 0.5
_SAY_EVERY_S = 3.0


_NOT_SERIALISABLE = (
    pickle.PicklingError,
    AttributeError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


class SnapshotFailedError(StreamError):
    """The learner's state could not be written down; nothing was changed.

    Operator: learning goes on until `learner.max_uncommitted_events`, then it ends with 1. Roll
    back, or begin a model whose state can be pickled.
    """

    def __init__(self, version: str, cause: BaseException) -> None:
        what = f"{type(cause).__name__}: {cause}"
        super().__init__(
            f"{version} cannot be written down ({what}): roll back to a version that could, or "
            "change the learner"
        )


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
    (DeadLettersStuckError, "dead_letters_stuck"),
)


class Committer:
    """Makes versions of one line, under one fencing token.

    Args:
        store: Where versions are kept.
        signer: The learner key.
        model_file: Its sections go into each manifest.
        granted: What `acquire` answered: token and highest number.
        head: The verified head, None for a line that begins.
        highest: The highest number that any mirror remembers; numbers begin above all of them.
        status: Told which heads are ours, so that the watch thread knows a foreign one.
        keep_trying: Asked between two attempts while the store is down.
        note_number: Told each number before it is used.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        model_file: ModelFile,
        *,
        granted: Granted,
        head: Version | None,
        highest: int,
        dead_letters: DeadLetters,
        status: Status,
        keep_trying: Callable[[], bool],
        note_number: Callable[[int], None] = lambda _number: None,
    ) -> None:
        self._store, self._signer, self._model_file = store, signer, model_file
        self._line = Line(model_file.name)
        self._token = granted.token
        self._highest = max(granted.highest, highest, head.number if head else 0)
        self.head = head
        self._dead_letters, self._status, self._keep_trying = dead_letters, status, keep_trying
        self._note_number = note_number
        self._sections = model_file.sections()
        self._software = software()

    def commit(
        self,
        trainer: Trainer,
        positions: Positions,
        *,
        learn_errors: tuple[tuple[str, int, int], ...] = (),
        adopted: tuple[str, ...] = (),
    ) -> Version:
        """Make the trainer's state at these positions the head.

        Raises:
            Conflict: The head or the token is no longer ours: throw the trainer away.
            SnapshotFailedError: The learner's state cannot be written down; it is unharmed.
            TooLarge: The model is over `checkpoint.max_bytes`.
            DeadLettersStuckError: Letters below the offsets are not acknowledged.
            StoreUnavailable: The store is down and we were told to give up.
        """
        self._dead_letters.flush()  # C1
        number = self._highest + 1
        created_at_ms = int(time.time() * 1000)
        snapshot = self._cut(trainer, number)  # C2
        self._refuse_too_large(snapshot, number)
        packed = {
            "model": pack(snapshot.model),
            "window": pack(snapshot.window),
            "drifts": pack(snapshot.drifts),
        }
        manifest = Manifest(
            model=self._line.model,
            shard=self._line.shard,
            number=number,
            parent=self.head.id if self.head else None,
            created_at_ms=created_at_ms,
            counts=self._counts(snapshot),
            metrics=snapshot.metrics,
            drift_total=snapshot.drift_total,
            offsets=positions.offsets_json(),
            anchors=_anchors(positions.anchors_json()),
            begins=positions.begins_json(),
            runs=tuple(tuple(run) for run in positions.runs),
            learn_errors=learn_errors,
            segments={name: ref for name, (ref, _) in packed.items()},
            model_file=self._sections,
            adopted=adopted,
            software=self._software,
            control_seq=self._orders_seen(),
        )
        check_counts(manifest)
        version = seal_version(manifest, self._signer)  # C3
        self._announce(version)
        self._note_number(number)
        self._write(version, packed)  # C4, C5
        self.head, self._highest = version, number  # C6
        self._status.own_heads = frozenset({version.id})
        positions.committed()
        return version

    def _cut(self, trainer: Trainer, number: int) -> Snapshot:
        try:
            return trainer.snapshot(version=f"v{number}")
        except _NOT_SERIALISABLE as error:
            raise SnapshotFailedError(f"{self._line} v{number}", error) from error

    def _counts(self, snapshot: Snapshot) -> Counts:
        before = self.head.manifest.counts if self.head else Counts()
        return Counts(
            learned=snapshot.learned,
            scored=snapshot.scored,
            refused=sum(snapshot.refused_by.values()),
            skipped=before.skipped,
            forgotten=before.forgotten,
            unscored=snapshot.learned - snapshot.scored - snapshot.nonfinite,
            nonfinite=snapshot.nonfinite,
            refused_by=snapshot.refused_by,
        )

    def _orders_seen(self) -> int:
        """The newest command obeyed: by this process, or by the one that made the head."""
        before = self.head.manifest.orders_seen if self.head else 0
        return max(before, self._status.control_seq)

    def _refuse_too_large(self, snapshot: Snapshot, number: int) -> None:
        limit = self._model_file.checkpoint.max_bytes
        if len(snapshot.model) > limit:
            where = f"{self._line} v{number}"
            raise TooLarge(where, bytes_found=len(snapshot.model), bytes_max=limit)

    def _announce(self, version: Version) -> None:
        heads = {version.id, *([self.head.id] if self.head else [])}
        self._status.own_heads = frozenset(heads)

    def _write(self, version: Version, packed: dict[str, tuple[SegmentRef, bytes]]) -> None:
        """C4 and C5, repeated while the store is down: learning waits, nothing is dropped."""
        said = 0.0
        while True:
            try:
                for ref, stored in packed.values():
                    self._store.put_segment(self._line, ref.sha256, stored)
                outcome = self._store.commit(self._line, token=self._token, version=version)
            except StoreUnavailable as error:
                if not self._keep_trying():
                    raise
                if time.monotonic() - said > _SAY_EVERY_S:
                    said = time.monotonic()
                    log.warning("%s: %s; learning waits", version, error)
                self._status.tick()
                time.sleep(_RETRY_S)
                continue
            if outcome.stands:
                return
            if outcome is not Outcome.TORN:
                raise _conflict(outcome, version, self._token)
            log.warning("%s: the store lost segments while they were written; again", version)


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


def software() -> dict[str, str]:
    """What a checkpoint is bound to: pickles of River do not cross its versions."""
    packages = {name: installed(name) for name in ("weir", "river", "vowpalwabbit", "numpy")}
    return {**packages, "python": platform.python_version(), "machine": platform.machine()}
