"""The steps by which an exported version becomes the head of a line, by an operator's order.

It talks to the store alone, so it works while learner and API are down. As a rollback, it is one
signed control record and one signed version, written by one atomic change:

    I1  Read head and orders, each verified.               Nothing has changed.
    I2  Work out the version, and try it out: what the     Nothing has changed.
        line's own learner would not go on from, or
        nobody could load, is refused.
    I3  Sign order and version with the operator key.      Nothing has changed.
    I4  Write the segments.                                Orphans, which expire by themselves.
    I5  The store compares what I1 read, and writes.       It is ordered and in the audit, or not.
        If the line moved meanwhile, again from I1.
    I6  Wait until the live API processes say that they    It is ordered; those who are down will
        obey. The learner is fenced, and goes on from it.  obey when they start.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from checkpoints.compatibility import adopted_sections, check_software
from checkpoints.errors import BadCommand, CheckpointCorrupt, Stale
from checkpoints.exporting.container import ExportedVersion, carried
from checkpoints.exporting.taken_in import imported, unlearned
from checkpoints.operating.answers import body_of, outcome_of
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.order import Order
from checkpoints.operating.verbs import VERBS
from checkpoints.reading.damaged_head import damaged_head
from checkpoints.reading.going_back import Going
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.records.control import Command, ControlRecord, following, seal_control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Manifest, Offsets, Origin, Version, seal_version
from checkpoints.records.signing import Signer, Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Outcome

__all__ = ["Beginning", "Importer", "import_lines"]

_ATTEMPTS_MAX = 20  # a learner commits once a second or so, an attempt takes milliseconds
_LIBRARIES = {"river": "river", "vw": "vowpalwabbit"}


class Beginning(Struct, frozen=True, kw_only=True):
    """Where a line begins to learn that has no version.

    Attributes:
        offsets: Of each partition, the first one.
        topic_ids: Kafka's, of its topics.
        highest: The highest version number that Kafka remembers of the line.
        model_file: The sections of the line's own model file, as a manifest has them.
    """

    offsets: Offsets
    topic_ids: Mapping[str, str]
    highest: int
    model_file: Mapping[str, Any]


class _ImportPlan(Struct, frozen=True, kw_only=True):
    """The order worked out against one state of the line."""

    record: ControlRecord
    was: ControlRecord | None
    version: Version
    origin: Origin
    serving_before: str | None

    @property
    def trust(self) -> tuple[str, ...]:
        """The packages that the line's own model file trusts."""
        return tuple(self.version.manifest.model_file.get("trust") or ())


class Importer:
    """Takes exported versions in, in one operator's name.

    Args:
        store: Where the line is kept.
        signer: The operator key.
        verifier: Whose records are believed in the store.
        who: Goes to the audit.
        try_out: Loads an exported version as whoever serves it will, given the packages that the
            line's model file trusts; raises what keeps it from being served.
        begin: Where the line begins if it has no version.
        enforcement: Waits until others obey.
        clock_ms: Unix, UTC.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        verifier: Verifier,
        *,
        who: str,
        try_out: Callable[[ExportedVersion, tuple[str, ...]], None],
        begin: Callable[[], Beginning],
        enforcement: Enforcement | None = None,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._store, self._signer, self._verifier, self._who = store, signer, verifier, who
        self._try_out, self._begin, self._clock_ms = try_out, begin, clock_ms
        self._enforcement = enforcement or Enforcement(store=store)

    def run(
        self, line: Line, exported: ExportedVersion, order: Order, *, is_begun: bool = False
    ) -> dict[str, Any]:
        """Carry out `order` and return when it is in force.

        Args:
            is_begun: It was said where the line is to begin.

        Returns:
            As any command; `origin` says what it is a version of.

        Raises:
            BadCommand: It was said where to begin, and the line has a version.
            ModelFileChangedError, SoftwareChangedError: The line's learner would not go on from it.
            Conflict: Another command came first, again and again.
            Refused: What is in the store does not verify, or the version cannot be loaded.
            NotInForce: It is ordered, but a live process has not obeyed in time.
        """
        command_id, tried, outcome = uuid.uuid4().hex, False, None
        for _ in range(_ATTEMPTS_MAX):
            state = self._read(line, is_begun=is_begun)  # I1
            plan = self._plan(line, state, exported, order, command_id)  # I2
            if not tried:
                self._try_out(exported, plan.trust)
                tried = True
                if not order.dry_run:
                    continue  # that took a while: the line, and the time, are others now
            if order.dry_run:
                return _answer(plan, is_dry_run=True)
            control = seal_control(plan.record, self._signer)  # I3
            self._write(line, exported)  # I4
            reply = self._store.command(line, control=control, version=plan.version)  # I5
            if reply.outcome.stands:
                self._enforcement.await_obeyed(line, control.record)  # I6
                return _answer(plan, is_dry_run=False)
            outcome = reply.outcome
        if outcome is Outcome.TORN:
            raise CheckpointCorrupt(f"{line} import", "the store has lost what was written to it")
        raise Stale(line, f"it moved {_ATTEMPTS_MAX} times while the import was written")

    def _read(self, line: Line, *, is_begun: bool) -> LineState:
        reader = LineReader(self._store, self._verifier, line)
        state = reader.checked()
        if state.head is None and (kept := reader.listing(limit=1)):
            why = f"nothing stands there, though v{kept[0].number} is kept"
            raise damaged_head(reader, line, "nothing", why)
        if state.head is not None and is_begun:
            what = f"{line} has come to {state.head.manifest.name}, and learns on where it stands"
            raise BadCommand(what, advice="leave out --from", field="from")
        return state

    def _plan(
        self, line: Line, state: LineState, exported: ExportedVersion, order: Order, command_id: str
    ) -> _ImportPlan:
        head, was, at_ms = state.head, state.control, self._clock_ms()
        begin = None if head else self._begin()
        now = head.manifest if head else _begun(line, exported, begin)
        used = begin.highest if begin else now.number
        ordered = was.record.last_version if was else 0
        origin = _origin(exported, order, self._who, command_id, at_ms)
        manifest = imported(
            now,
            exported.version,
            number=max(self._store.highest(line), used, ordered) + 1,
            parent=head.id if head else None,
            origin=origin,
            control_seq=state.control_seq + 1,
        )
        _refuse_misfit(line, exported, manifest, now)
        version = seal_version(manifest, self._signer)
        served = state.serving.manifest.name if state.serving else None
        pin = was.record.pin if was else None
        seen = head.manifest.orders_seen if head else 0
        under_way = was.record.rewinding(seen) if was else None
        told = outcome_of(
            Going(forgotten=now.learned_here if head else 0),
            replays=False,
            unreadable=None,
            unpinned=f"v{pin.number}" if pin else None,
            ended=under_way.name if under_way else None,
            is_change=True,
        )
        command = Command(
            id=command_id,
            command="import",
            who=self._who,
            reason=order.reason.strip(),
            from_=head.manifest.name if head else None,
            version=manifest.name,
            outcome=f"{told}; it is {_named(origin)}",
        )
        stood = following(was, line, command=command, at_ms=at_ms)
        changes = VERBS["import"].changes(stood, None, None)
        record = replace(stood, last_version=version.number, rewind=UNSET, **changes)
        previous = was.record if was else None
        return _ImportPlan(
            record=record, was=previous, version=version, origin=origin, serving_before=served
        )

    def _write(self, line: Line, exported: ExportedVersion) -> None:
        for name, ref in carried(exported.version.manifest).items():
            self._store.put_segment(line, ref.sha256, exported.segments[name])


def _begun(line: Line, exported: ExportedVersion, begin: Beginning | None) -> Manifest:
    assert begin is not None, "the line has no head"
    return unlearned(
        line,
        exported.version,
        begins=begin.offsets,
        topic_ids=begin.topic_ids,
        model_file=begin.model_file,
    )


def _origin(
    exported: ExportedVersion, order: Order, who: str, command_id: str, at_ms: int
) -> Origin:
    manifest = exported.version.manifest
    return Origin(
        model=manifest.model,
        version=manifest.name,
        id=exported.version.id,
        signer=exported.signer,
        learned=manifest.counts.learned,
        reason=order.reason.strip(),
        who=who,
        command_id=command_id,
        at_ms=at_ms,
    )


def _refuse_misfit(line: Line, exported: ExportedVersion, made: Manifest, now: Manifest) -> None:
    """Refuse what the line's own learner would stop at when it is to go on from it."""
    was = exported.version.manifest
    learned = made.counts.learned
    adopted_sections(line.model, was.name, made.model_file, now.model_file, learned=learned)
    if now.software:
        learner = was.model_file["learner"]
        of = (library for kind, library in _LIBRARIES.items() if learner.get(kind) is not None)
        uses = next(of, "")
        check_software(line.model, was.name, was.software, now.software, uses=uses)


def _named(origin: Origin) -> str:
    return f"{origin.model} {origin.version} ({origin.id[:12]}), signed by {origin.signer}"


def _answer(plan: _ImportPlan, *, is_dry_run: bool) -> dict[str, Any]:
    manifest = plan.version.manifest
    serving = plan.serving_before if is_dry_run else manifest.name
    body = body_of(plan.record, plan.was, serving=serving or "", unreadable=None,
                   is_dry_run=is_dry_run)  # fmt: skip
    facts = {name: getattr(plan.origin, name) for name in ("model", "version", "id", "signer")}
    return {**body, "serving": serving, "origin": facts, "learned": manifest.counts.learned}


def import_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    """The answer, for people."""
    origin, was = body["origin"], body["from"]
    what = f"{origin['model']} {origin['version']}, {body['learned']:,} learned"
    forgotten = f"{body['forgotten']:,} learned events"
    if body["dry_run"]:
        lines = [f"{model}: nothing was done; {body['serving'] or 'nothing'} is serving"]
        lines += [f"{what}, would be the head; {forgotten} would be forgotten"]
        return lines
    lines = [f"{model}: import in force; serving {body['serving']}"]
    lines += [f"{what}, is the head as {body['version']}; {forgotten} forgotten"]
    if unpinned := body.get("unpinned"):
        lines.append(f"the pin of {unpinned} is removed")
    if was:
        lines.append(f"to undo it: weir rollback {model} {was} --mode forget --reason …")
    return lines
