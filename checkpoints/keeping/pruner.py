"""Retention at work: drops old versions, and folds what they recorded into those that stay."""

import logging
import time
from collections.abc import Sequence

from checkpoints.errors import StoreUnavailable, Tampered
from checkpoints.keeping.held import read_books
from checkpoints.keeping.retention import Kept, to_keep
from checkpoints.reading.lineages import lineage_of
from checkpoints.reading.reader import LineReader
from checkpoints.reading.standing_orders import standing_orders
from checkpoints.records.line import Line
from checkpoints.records.lineage import fold, seal_lineage
from checkpoints.records.manifest import Origin, Version
from checkpoints.records.replay import SEGMENT
from checkpoints.records.signing import Signer, Verifier
from checkpoints.stores.contract import Store
from config.model.parts import Keep

log = logging.getLogger(__name__)

# A prune is one round trip and a signature or more: not at each of the commits of a second.
_EVERY_COMMITS = 10


class Pruner:
    """Keeps one line's versions within the retention of its model file.

    What cannot be read is never dropped, nor what it stands on.

    Args:
        keep: The model file's `checkpoint.keep`.
        token: The learner's; the store refuses to prune for an older one.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        verifier: Verifier,
        line: Line,
        *,
        keep: Keep,
        token: str,
    ) -> None:
        self._store, self._signer, self._verifier = store, signer, verifier
        self._line, self._keep, self._token = line, keep, token
        books = read_books(store, verifier, line)
        self._versions, self._lineages, self._held = books.versions, books.lineages, books.held
        # The first commit of a worker prunes: one that is restored often must not put it off.
        self._commits = _EVERY_COMMITS - 1

    def began(self, head: Version) -> None:
        """A learner goes on from `head`: the old ones go before it adds any.

        So a `keep` that was lowered makes room in a store too full for another version.
        """
        try:
            self.prune(head=head)
        except StoreUnavailable as error:
            log.warning("pruning put off: %s", error)

    def committed(self, version: Version) -> None:
        """A version was added; every tenth time the old ones go."""
        self._versions.append(version)
        if SEGMENT in version.manifest.segments:
            reader = LineReader(self._store, self._verifier, self._line)
            found = lineage_of(self._store, self._verifier, reader, version)
            self._lineages[version.id] = found
        self._commits += 1
        if self._commits % _EVERY_COMMITS == 0:
            self.prune(head=version)

    def prune(self, *, head: Version) -> None:
        """Drop what retention does not keep. Does nothing if an operator was quicker."""
        seen = head.manifest.orders_seen
        try:
            control = standing_orders(self._store, self._verifier, self._line, at_least=seen)
        except Tampered as problem:
            # What is pinned and tagged is not known, and would be dropped with the rest.
            log.error("pruning put off: %s", problem)
            return
        protected = {head.id} | self._store.in_use(self._line)
        protected |= control.record.protected if control else frozenset()
        protected |= _origins(self._versions)
        protected |= _served_for(head)
        kept_numbers = to_keep(
            _kept(self._versions),
            keep=self._keep,
            protected={v.number for v in self._versions if v.id in protected} | self._held,
            now_ms=int(time.time() * 1000),
        )
        dropped = [v for v in self._versions if v.number not in kept_numbers]
        if not dropped:
            return
        kept = [v for v in self._versions if v.number in kept_numbers]
        lineages = fold(kept, dropped, self._lineages)
        outcome = self._store.prune(
            self._line,
            token=self._token,
            head=head.id,
            control=control,
            drop=[v.id for v in dropped],
            lineages={of: seal_lineage(each, self._signer) for of, each in lineages.items()},
        )
        if not outcome.stands:
            log.info("%s: pruning put off, the line moved (%s)", self._line, outcome)
            return
        self._versions = kept
        ids = {v.id for v in kept}
        self._lineages = {i: e for i, e in {**self._lineages, **lineages}.items() if i in ids}


def _origins(versions: Sequence[Version]) -> set[str]:
    """Ids of the imported versions that others go on from: no log can rebuild those."""
    imports, ordered = {}, set[str]()
    for version in versions:
        if not isinstance(version.manifest.origin, Origin):
            continue
        command = version.manifest.origin.command_id
        if version.manifest.kind == "import":
            imports[command] = version.id
        else:
            ordered.add(command)
    return {version_id for command, version_id in imports.items() if command in ordered}


def _kept(versions: Sequence[Version]) -> list[Kept]:
    """What retention looks at, of versions in order."""
    before = [None, *versions[:-1]]
    return [
        Kept(v.number, v.manifest.created_at_ms, v.manifest.bytes, _is_fallow(v, previous))
        for v, previous in zip(versions, before, strict=True)
    ]


def _is_fallow(version: Version, previous: Version | None) -> bool:
    """Whether a commit holds no more than the version before it has learned."""
    if previous is None or version.manifest.kind != "commit":
        return False
    now, then = version.manifest, previous.manifest
    was_scored_alike = now.counts.scored == then.counts.scored and now.metrics == then.metrics
    return now.counts.learned == then.counts.learned and was_scored_alike and not now.adopted


def _served_for(head: Version) -> set[str]:
    """The id of the version that is served for a head that is held back."""
    held = head.manifest.held_back(released=0)
    return {held.good.id} if held else set()
