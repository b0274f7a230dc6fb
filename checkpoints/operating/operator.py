"""The steps of a command that changes a line's orders; `verbs.py` says which there are.

A command talks to the store alone, so it works while learner and API are down. It is one signed
control record, with a rollback that forgets one signed version more, written by one atomic change:

    O1  Read head and orders, each verified.               Nothing has changed.
    O2  Work out the new orders, and the version; for a    Nothing has changed.
        rewind, ask the log whether it can be replayed.
    O3  Sign both with the operator key.                   Nothing has changed.
    O4  The store compares what O1 read, and writes.       It is ordered and in the audit, or not.
        If the line moved meanwhile, again from O1. With   A rewind's learner is fenced: the next
        a version, a rewind or a cancel: a new token.      one replays; the head stays until then.
    O5  Wait until the live learner (freeze, rewind) and   It is ordered; those who are down will
        the live API processes say that they obey.         obey when they start.
    O6  A freeze that no learner says to obey fences the   A learner that seemed dead may commit
        line: whoever wakes begins again from the head.    until it looks.
"""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from checkpoints.errors import (
    BadCommand,
    CheckpointCorrupt,
    Conflict,
    NoSuchVersion,
    Stale,
)
from checkpoints.operating.answers import NOTHING_CHANGED, body_of, outcome_of
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.not_found import VersionDropped, dropped, named_number, no_such_model
from checkpoints.operating.order import Order
from checkpoints.operating.verbs import VERBS
from checkpoints.reading.damaged_head import Stand, stand_of
from checkpoints.reading.going_back import AskLog, Going, beginning_anew, going_back
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.records.control import (
    Command,
    ControlRecord,
    Pointer,
    Rewinding,
    following,
    open_control,
    seal_control,
)
from checkpoints.records.line import Line
from checkpoints.records.lineage import rolled_back
from checkpoints.records.manifest import Unreadable, Version, seal_version, version_number
from checkpoints.records.segments import OF_THE_LOG
from checkpoints.records.signing import Signer, Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Outcome

__all__ = ["Operator", "Order", "VersionDropped"]

_ATTEMPTS_MAX = 20  # a learner commits once a second or so, an attempt takes milliseconds
_LOOKED_BACK = 100  # control records, for those that `--expect` names


class _Plan(Struct, frozen=True, kw_only=True):
    """An order worked out against one state of the line; names are written `v17`."""

    record: ControlRecord
    was: ControlRecord | None
    version: Version | None
    serving_before: str
    serving_after: str
    unreadable: Unreadable | None
    going: Going | None = None

    @property
    def changes(self) -> bool:
        """Whether the orders, or the head, are others after it."""
        return self.record.command.outcome != NOTHING_CHANGED


class Operator:
    """Carries out commands in one operator's name.

    Args:
        store: Where the lines are kept.
        signer: The operator key.
        verifier: Whose records are believed.
        who: Goes to the audit: user and host, or the name of an API key.
        enforcement: Waits until others obey; by default as long as is usual, and silently.
        clock_ms: Unix, UTC.
        ask_log: Whether the log still has what a rewind is to replay; None: the learner finds out.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        verifier: Verifier,
        *,
        who: str,
        enforcement: Enforcement | None = None,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        ask_log: AskLog | None = None,
    ) -> None:
        self._ask_log = ask_log
        self._store, self._signer, self._verifier, self._who = store, signer, verifier, who
        self._clock_ms = clock_ms
        self._enforcement = enforcement or Enforcement(store=store)

    def run(
        self, line: Line, order: Order, *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Carry out `order` and return when it is in force.

        Args:
            idempotency_key: Given again within 24 hours, the answer of the first time is
                repeated and nothing is done.

        Returns:
            The JSON body of the API; `tag` where one was given, `unpinned` where a rollback removes
            a pin, and `unreadable` where the head could not be read and an older version's place
            in the log was taken.

        Raises:
            NoSuchModel, NoSuchVersion, NoSuchTag, VersionDropped: There is nothing to do it with.
            Conflict: Another command came first, or the key stood for another command.
            Refused: What is in the store does not verify, or the log cannot be replayed.
            NotInForce: It is ordered, but a live process has not obeyed in time.
        """
        if idempotency_key and (envelope := self._store.recall(line, idempotency_key)):
            return self._repeated(line, order, envelope)
        command_id, outcome = uuid.uuid4().hex, None
        for _ in range(_ATTEMPTS_MAX):
            reader, state, stand = self._read(line, order)  # O1
            self._check_expected(reader, state, stand, order)
            plan = self._plan(reader, state, stand, order, command_id)  # O2
            if order.dry_run:
                return _answer(plan, is_dry_run=True)
            control = seal_control(plan.record, self._signer)  # O3
            reply = self._store.command(  # O4
                line,
                control=control,
                version=plan.version,
                idempotency_key=idempotency_key,
                is_fencing=order.is_fencing and plan.changes,
            )
            if reply.outcome is Outcome.REPEATED and reply.earlier is not None:
                return self._repeated(line, order, reply.earlier)
            if reply.outcome.stands:
                self._enforcement.await_obeyed(line, control.record)  # O5, O6
                return _answer(plan, is_dry_run=False) | self._made_since(line, order)
            outcome = reply.outcome
        if outcome is Outcome.TORN:
            raise CheckpointCorrupt(f"{line} {order.to}", "the store has lost some of its bytes")
        raise Stale(line, f"it moved {_ATTEMPTS_MAX} times while {order.command} was written")

    def _made_since(self, line: Line, order: Order) -> dict[str, Any]:
        """What is served after a reset: its version is made by the learner, if one is up."""
        if order.command != "reset":
            return {}
        serving = LineReader(self._store, self._verifier, line).checked().serving
        return {"serving": serving.manifest.name} if serving else {}

    def _read(self, line: Line, order: Order) -> tuple[LineReader, LineState, Stand]:
        """Head and orders, verified; a head that is damaged is stood in for, where that helps."""
        reader = LineReader(self._store, self._verifier, line)
        state = reader.state()
        if state.control_problem is not None:
            raise state.control_problem
        if state.head_problem is not None and (order.verb.needs_head or order.is_rewind):
            raise state.head_problem
        # A pin that cannot be read must not keep operators from removing it.
        stand = stand_of(reader, state, is_rollback=order.makes_version)
        if stand is None:
            raise no_such_model(self._store, line, state.learner)
        return reader, state, stand

    def _check_expected(
        self, reader: LineReader, state: LineState, stand: Stand, order: Order
    ) -> None:
        if order.expect is None:
            return
        try:
            expected, line = version_number(order.expect), stand.head.manifest.line
        except ValueError as error:
            advice = "`weir versions` lists those that are kept"
            raise BadCommand(str(error), advice=advice, field="expect") from error
        highest = self._highest(state, stand)
        if expected > highest:
            raise Conflict(
                f"{line} has come to v{highest} and not yet to {order.expect}",
                advice="look at the model again: this is another one, or its history is",
            )
        if state.control is None or state.control.record.last_version <= expected:
            return
        came = _came_since(reader, expected)
        raise Conflict(
            f"{line} has changed since {order.expect}: {'; '.join(came[:3])}",
            advice="look at the model again and repeat the command if it is still wanted",
        )

    def _plan(
        self, reader: LineReader, state: LineState, stand: Stand, order: Order, command_id: str
    ) -> _Plan:
        was, verb = state.control.record if state.control else None, order.verb
        target = self._target(reader, state, stand, order)
        version = going = None
        if verb.makes_version and target is not None:
            _refuse_damaged(reader, target, stand, is_rewind=order.is_rewind)
            going = going_back(
                stand.head,
                target,
                is_rewind=order.is_rewind,
                skip=order.skip,
                learner=state.learner,
            )
            if order.is_rewind and self._ask_log is not None:
                self._ask_log(target.manifest, stand.head.manifest)
        elif order.begins_anew:
            start = order.start_at
            going = beginning_anew(stand.head, start=start, learner=state.learner)
        if order.makes_version and target is not None:
            version = self._version_back(state, stand, target, order, command_id)
        name = version.manifest.name if version else None
        under_way = was.rewinding(stand.head.manifest.orders_seen) if was else None
        stood_before = replace(was, rewind=under_way or UNSET) if was else None
        served = _serving(stood_before, _published(stand, was))
        command = Command(
            id=command_id,
            command=verb.name,
            who=self._who,
            reason=order.reason.strip(),
            to=target.manifest.name if target else None,
            mode=order.mode,
            version=name,
            tag=order.tag or UNSET,
        )
        line = stand.head.manifest.line
        stood = following(state.control, line, command=command, at_ms=self._clock_ms())
        stood = replace(stood, rewind=under_way or UNSET)
        changes = {**verb.changes(stood, _pointer(target), order.tag)}
        if verb.makes_version:
            changes["rewind"] = UNSET
        if order.begins_anew or (order.is_rewind and target is not None):
            pointers = Pointer(number=stand.head.number, id=stand.head.id), _pointer(target)
            changes["rewind"] = order.rewinding(stood.seq, command_id, *pointers)
        unreadable = version.manifest.unreadable if version else None
        outcome = outcome_of(
            going,
            replays=order.replays,
            unreadable=unreadable,
            unpinned=f"v{stood.pin.number}" if stood.pin and verb.makes_version else None,
            ended=_ended(under_way, changes.get("rewind", under_way)),
            is_change=any(each != getattr(stood, field) for field, each in changes.items()),
        )
        highest = version.number if version else self._highest(state, stand)
        record = replace(
            stood,
            command=replace(command, from_=_from(order, stood, stand, served), outcome=outcome),
            last_version=highest if verb.is_minded else stood.last_version,
            **changes,
        )
        return _Plan(
            record=record,
            was=was,
            version=version,
            serving_before=served,
            serving_after=_serving(record, name or _published(stand, record)),
            unreadable=unreadable,
            going=going,
        )

    def _target(
        self, reader: LineReader, state: LineState, stand: Stand, order: Order
    ) -> Version | None:
        """The version meant by `to`; what will be served after an unpin is the head."""
        if order.to is None:
            usual = {
                "head": state.head,
                "served": state.serving or state.head,
                "held": state.head if state.held else None,
            }
            return usual[order.verb.usual] if order.verb.usual else None
        tags = state.control.record.tags if state.control else {}
        if order.to in tags:
            return reader.version_by_id(tags[order.to].id)
        line = stand.head.manifest.line
        number = named_number(order.to, line, state.control.record if state.control else None)
        try:
            return reader.version(number)
        except NoSuchVersion as error:
            if number > self._highest(state, stand):
                raise
            raise dropped(reader, line, number) from error

    def _version_back(
        self, state: LineState, stand: Stand, target: Version, order: Order, command_id: str
    ) -> Version:
        manifest = rolled_back(
            stand.head,
            target,
            number=self._highest(state, stand) + 1,
            command_id=command_id,
            reason=order.reason.strip(),
            who=self._who,
            at_ms=self._clock_ms(),
            control_seq=state.control_seq + 1,
            parent=stand.head_id,
            unreadable=stand.unreadable,
        )
        return seal_version(manifest, self._signer)

    def _highest(self, state: LineState, stand: Stand) -> int:
        """The highest number used, as far as anything here remembers."""
        line, number = stand.head.manifest.line, stand.head.number
        ordered = state.control.record.last_version if state.control else 0
        named = re.fullmatch(r"v([0-9]{1,15})", stand.head_name)
        return max(self._store.highest(line), number, ordered, int(named[1]) if named else 0)

    def _repeated(self, line: Line, order: Order, envelope: bytes) -> dict[str, Any]:
        """The answer that was given when this idempotency key was first used."""
        control = open_control(envelope, self._verifier, line)
        record, command = control.record, control.record.command
        if not (order.is_same(command) and order.replays_as(record)):
            raise Conflict(
                f"this Idempotency-Key stood for {command.command} {command.to or ''} before",
                advice="use a new key for a new command",
            )
        reader, _, stand = self._read(line, order)
        before = reader.audit(limit=1, before=record.seq)
        self._enforcement.await_obeyed(line, record)
        head = command.version or _head_then(command) or stand.head_name
        return body_of(
            record,
            before[0].record if before else None,
            serving=_serving(record, _let_through(reader, head, record)),
            unreadable=_unreadable_of(reader, command),
            is_dry_run=False,
        )


def _answer(plan: _Plan, *, is_dry_run: bool) -> dict[str, Any]:
    body = body_of(
        plan.record,
        plan.was,
        serving=plan.serving_before if is_dry_run else plan.serving_after,
        unreadable=plan.unreadable,
        is_dry_run=is_dry_run,
    )
    if is_dry_run and plan.going and plan.going.body:
        body["would"] = dict(plan.going.body)
    return body


def _ended(under_way: Rewinding | None, after: Rewinding | UnsetType | None) -> str | None:
    """The rewind, or new beginning, that goes on no more after an order."""
    goes_on = isinstance(after, Rewinding) and under_way is not None and after.id == under_way.id
    return under_way.name if under_way and not goes_on else None


def _refuse_damaged(reader: LineReader, target: Version, stand: Stand, *, is_rewind: bool) -> None:
    """Refuse to go on from what nobody could load."""
    is_whole = is_rewind or stand.unreadable
    taken = [name for name in target.manifest.segments if is_whole or name not in OF_THE_LOG]
    reader.check_segments(target, taken)


def _unreadable_of(reader: LineReader, command: Command) -> Unreadable | None:
    """What the version that a command made says of a damaged head, as long as it is kept."""
    if command.version is None:
        return None
    try:
        return reader.version(version_number(command.version)).manifest.unreadable
    except NoSuchVersion:
        return None


def _pointer(version: Version | None) -> Pointer | None:
    return Pointer(number=version.number, id=version.id) if version else None


def _from(order: Order, stood: ControlRecord, stand: Stand, served: str) -> str | None:
    """What was there before the command."""
    match order.verb.before:
        case "tag":
            pointer = stood.tags.get(str(order.tag))
            return f"v{pointer.number}" if pointer else None
        case "served":
            return served
    return stand.head_name


def _head_then(command: Command) -> str | None:
    """The head when the command was given, where the command says it."""
    verb = VERBS[command.command]
    if verb.usual in ("head", "held"):
        return command.to
    return command.from_ if verb.before == "head" else None


def _published(stand: Stand, orders: ControlRecord | None) -> str:
    """What is served of a line that no order pins or rewinds: as a rule the head."""
    held = stand.head.manifest.held_back(orders.let_through if orders else 0)
    is_head = stand.head.manifest.name == stand.head_name
    return held.good.name if held and is_head else stand.head_name


def _let_through(reader: LineReader, head: str, orders: ControlRecord) -> str:
    """The same of a head of earlier; its own name once it is not kept any more."""
    try:
        held = reader.version(version_number(head)).manifest.held_back(orders.let_through)
    except NoSuchVersion:
        return head
    return held.good.name if held else head


def _serving(record: ControlRecord | None, head: str) -> str:
    """What these orders serve, whose rewind, if they have one, is under way."""
    if record is None:
        return head
    if record.pin:
        return f"v{record.pin.number}"
    rewind = record.rewind
    return f"v{rewind.to.number}" if rewind and rewind.to and not rewind.keeps_serving else head


def _came_since(reader: LineReader, number: int) -> list[str]:
    """The commands that `--expect` minds, newest first, since a version."""
    came = []
    for control in reader.audit(limit=_LOOKED_BACK):
        command = control.record.command
        if control.record.last_version <= number:
            break
        if VERBS[command.command].is_minded:
            made = f" (made {command.version})" if command.version else ""
            came.append(f"{command.command}{made} by {command.who}, because {command.reason!r}")
    return came
