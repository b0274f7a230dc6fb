"""What operators order: pin, unpin, roll back, freeze, thaw, tag.

A command talks to the store alone, so it works while learner and API are down. It is one signed
control record, with a rollback one signed version more, written by one atomic change:

    O1  Read head and orders, each verified.               Nothing has changed.
    O2  Work out the new orders, and the version.          Nothing has changed.
    O3  Sign both with the operator key.                   Nothing has changed.
    O4  The store compares what O1 read, and writes.       It is ordered and in the audit, or not.
        If the line moved meanwhile, again from O1.
    O5  Wait until the live learner (freeze, thaw) and     It is ordered; those who are down will
        the live API processes say that they obey.         obey when they start.
    O6  A freeze that no learner says to obey fences the   A learner that seemed dead may commit
        line: whoever wakes begins again from the head.    until it looks.
"""

import dataclasses
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from msgspec import UNSET

from checkpoints.errors import (
    BadCommand,
    CheckpointCorrupt,
    Conflict,
    NoSuchVersion,
    NotInForce,
    Stale,
    StoreUnavailable,
)
from checkpoints.operating.answers import body_of, outcome_of
from checkpoints.operating.in_force import is_behind, named, obeyed_seq
from checkpoints.operating.not_found import VersionDropped, dropped, named_number, no_such_model
from checkpoints.operating.order import Order, Unsupported
from checkpoints.reading.damaged_head import Stand, stand_of
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.records.control import (
    Command,
    CommandName,
    ControlRecord,
    Pointer,
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

__all__ = ["Operator", "Order", "Unsupported", "VersionDropped"]

_ATTEMPTS_MAX = 20  # a learner commits once a second or so, an attempt takes milliseconds
_IN_FORCE_S = 10.0
_LOOK_S = 0.02
_USUAL_S = 1.0  # most orders are in force before
_TAGS_MAX = 100
_LOOKED_BACK = 100  # control records, for those that `--expect` names
_FOR_LEARNERS = frozenset({"freeze", "thaw"})  # the others need no learner to be in force
_WITHOUT_HEAD = frozenset({"rollback", "pin", "freeze"})  # what helps when the head is damaged
_NOT_MINDED = frozenset({"tag"})  # changes neither what is served nor what is learned


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """An order worked out against one state of the line; names are written `v17`."""

    record: ControlRecord
    was: ControlRecord | None
    version: Version | None
    serving_before: str
    serving_after: str
    unreadable: Unreadable | None


class Operator:
    """Carries out commands in one operator's name.

    Args:
        store: Where the lines are kept.
        signer: The operator key.
        verifier: Whose records are believed.
        who: Goes to the audit: user and host, or the name of an API key.
        clock_ms: Unix, UTC.
        steady_s: Seconds, monotonic; waiting ends by it.
        pause: Called between two looks, with seconds.
        in_force_s: How long to wait for live processes to obey.
        on_wait: Told whom we wait for, where that takes longer than usual.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        verifier: Verifier,
        *,
        who: str,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        steady_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        in_force_s: float = _IN_FORCE_S,
        on_wait: Callable[[str], None] = lambda _what: None,
    ) -> None:
        self._store, self._signer, self._verifier, self._who = store, signer, verifier, who
        self._clock_ms, self._steady_s, self._pause = clock_ms, steady_s, pause
        self._in_force_s, self._on_wait = in_force_s, on_wait

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
            Refused: What is in the store does not verify.
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
                line, control=control, version=plan.version, idempotency_key=idempotency_key
            )
            if reply.outcome is Outcome.REPEATED and reply.earlier is not None:
                return self._repeated(line, order, reply.earlier)
            if reply.outcome.stands:
                self._wait_until_obeyed(line, control.record)  # O5
                return _answer(plan, is_dry_run=False)
            outcome = reply.outcome
        if outcome is Outcome.TORN:
            raise CheckpointCorrupt(f"{line} {order.to}", "the store has lost some of its bytes")
        raise Stale(line, f"it moved {_ATTEMPTS_MAX} times while {order.command} was written")

    def _read(self, line: Line, order: Order) -> tuple[LineReader, LineState, Stand]:
        """Head and orders, verified; a head that is damaged is stood in for, where that helps."""
        reader = LineReader(self._store, self._verifier, line)
        state = reader.state()
        if state.control_problem is not None:
            raise state.control_problem
        if state.head_problem is not None and order.command not in _WITHOUT_HEAD:
            raise state.head_problem
        # A pin that cannot be read must not keep operators from removing it.
        stand = stand_of(reader, state, is_rollback=order.command == "rollback")
        if stand is None:
            raise no_such_model(self._store, line)
        return reader, state, stand

    def _check_expected(
        self, reader: LineReader, state: LineState, stand: Stand, order: Order
    ) -> None:
        if order.expect is None:
            return
        expected, line = _number(order.expect), stand.head.manifest.line
        if expected > self._highest(state, stand):
            raise NoSuchVersion(line, order.expect)
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
        line = stand.head.manifest.line
        was = state.control.record if state.control else None
        pin_was = was.pin if was else None
        target = self._target(reader, state, stand, order)
        version = None
        if order.command == "rollback" and target is not None:
            _refuse_damaged(reader, target, stand)
            version = self._version_back(state, stand, target, order, command_id)
        back = version.manifest.rollback if version else None
        unreadable = version.manifest.unreadable if version else None
        changes = _changes(order, was, target)
        is_change = any(each != _stood(was, name) for name, each in changes.items())
        if order.command not in _NOT_MINDED:
            changes["last_version"] = version.number if version else self._highest(state, stand)
        serving_before = f"v{pin_was.number}" if pin_was else stand.head_name
        command = Command(
            id=command_id,
            command=cast("CommandName", order.command),
            who=self._who,
            reason=order.reason.strip(),
            from_=_from(order, was, stand.head_name, serving_before),
            to=target.manifest.name if target else None,
            mode=order.mode,
            version=version.manifest.name if version else None,
            tag=order.tag or UNSET,
            outcome=outcome_of(
                back.forgotten if back else None,
                unreadable=unreadable,
                unpinned=serving_before if back and pin_was else None,
                is_change=is_change,
            ),
        )
        record = following(state.control, line, command=command, at_ms=self._clock_ms())
        record = dataclasses.replace(record, **changes)
        return _Plan(
            record=record,
            was=was,
            version=version,
            serving_before=serving_before,
            serving_after=_serving(record, version.manifest.name if version else stand.head_name),
            unreadable=unreadable,
        )

    def _target(
        self, reader: LineReader, state: LineState, stand: Stand, order: Order
    ) -> Version | None:
        """The version meant by `to`; what will be served after an unpin is the head."""
        if order.to is None:
            usual = {"unpin": state.head, "tag": state.serving or state.head}
            return usual.get(order.command)
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
        if not _is_same(order, command):
            raise Conflict(
                f"this Idempotency-Key stood for {command.command} {command.to or ''} before",
                advice="use a new key for a new command",
            )
        reader, _, stand = self._read(line, order)
        before = reader.audit(limit=1, before=record.seq)
        self._wait_until_obeyed(line, record)
        named = {"unpin": command.to, "freeze": command.from_, "thaw": command.from_}
        head = command.version or named.get(command.command) or stand.head_name
        return body_of(
            record,
            before[0].record if before else None,
            serving=f"v{record.pin.number}" if record.pin else head,
            unreadable=_unreadable_of(reader, command),
            is_dry_run=False,
        )

    def _wait_until_obeyed(self, line: Line, record: ControlRecord) -> None:
        """Until no live process is behind the command; one that is down holds nothing up."""
        roles = ("api", "learner") if record.command.command in _FOR_LEARNERS else ("api",)
        began_s, said = self._steady_s(), ""
        while late := ", ".join(self._late(line, roles, record)):
            waited_s = self._steady_s() - began_s
            if waited_s >= self._in_force_s:
                raise _not_in_force(line, record, late)
            if waited_s >= _USUAL_S and late != said:
                said = late
                self._on_wait(f"{line}: waiting for {late}")
            self._pause(_LOOK_S)
        if record.command.command == "freeze":
            self._fence_unless_obeyed(line, record)  # O6

    def _late(self, line: Line, roles: Sequence[str], record: ControlRecord) -> list[str]:
        try:
            beats = [
                (f"{role} {name}", beat)
                for role in roles
                for name, beat in self._store.beats(line, role).items()
            ]
        except StoreUnavailable as error:
            raise _not_in_force(line, record, "the store") from error
        now_ms = self._clock_ms()
        return [named(who, beat, now_ms) for who, beat in beats if is_behind(beat, record.seq)]

    def _fence_unless_obeyed(self, line: Line, record: ControlRecord) -> None:
        """A learner that nobody hears of any more may be at work all the same."""
        try:
            beats = self._store.beats(line, "learner").values()
            if not any(obeyed_seq(beat) >= record.seq for beat in beats):
                self._store.fence(line, by=f"{self._who[:80]}:{record.command.id[:16]}")
        except StoreUnavailable as error:
            raise _not_in_force(line, record, "the store") from error


def _answer(plan: _Plan, *, is_dry_run: bool) -> dict[str, Any]:
    return body_of(
        plan.record,
        plan.was,
        serving=plan.serving_before if is_dry_run else plan.serving_after,
        unreadable=plan.unreadable,
        is_dry_run=is_dry_run,
    )


def _refuse_damaged(reader: LineReader, target: Version, stand: Stand) -> None:
    """Refuse to make a head that nobody could load."""
    needed = target.manifest.segments.keys() - (() if stand.unreadable else OF_THE_LOG)
    reader.check_segments(target, needed)


def _unreadable_of(reader: LineReader, command: Command) -> Unreadable | None:
    """What the version that a command made says of a damaged head, as long as it is kept."""
    if command.version is None:
        return None
    try:
        return reader.version(_number(command.version)).manifest.unreadable
    except NoSuchVersion:
        return None


def _number(text: str) -> int:
    try:
        return version_number(text)
    except ValueError as error:
        raise BadCommand(str(error), advice="`weir versions` lists those that are kept") from error


def _changes(order: Order, was: ControlRecord | None, target: Version | None) -> dict[str, Any]:
    """The standing orders that `order` changes."""
    pointer = Pointer(number=target.number, id=target.id) if target else None
    if order.command == "tag":
        tags = {**(was.tags if was else {}), str(order.tag): pointer}
        if len(tags) > _TAGS_MAX:
            advice = "move one that is no longer needed"
            raise BadCommand(f"there are {_TAGS_MAX} tags already", advice=advice)
        return {"tags": tags}
    changes: dict[str, dict[str, Any]] = {
        "pin": {"pin": pointer},
        "unpin": {"pin": None},
        "rollback": {"pin": None},
        "freeze": {"frozen": True},
        "thaw": {"frozen": False},
    }
    return changes[order.command]


def _stood(was: ControlRecord | None, name: str) -> object:
    """A standing order before the command."""
    if was is None:
        return {"pin": None, "frozen": False, "tags": {}}[name]
    return getattr(was, name)


def _from(order: Order, was: ControlRecord | None, head: str, serving: str) -> str | None:
    """What was there before: for a tag where it stood, for a pin what was served."""
    if order.command == "tag":
        stood = was.tags.get(str(order.tag)) if was else None
        return f"v{stood.number}" if stood else None
    return serving if order.command in ("pin", "unpin") else head


def _serving(record: ControlRecord, head: str) -> str:
    return f"v{record.pin.number}" if record.pin else head


def _came_since(reader: LineReader, number: int) -> list[str]:
    """The commands that `--expect` minds, newest first, since a version."""
    came = []
    for control in reader.audit(limit=_LOOKED_BACK):
        command = control.record.command
        if control.record.last_version <= number:
            break
        if command.command not in _NOT_MINDED:
            made = f" (made {command.version})" if command.version else ""
            came.append(f"{command.command}{made} by {command.who}, because {command.reason!r}")
    return came


def _is_same(order: Order, command: Command) -> bool:
    """Whether `command` is what `order` became; a tag may have moved since."""
    is_by_tag = order.to is None or not order.to.startswith("v")
    same_target = is_by_tag or order.to == command.to
    given = (order.command, order.mode, order.tag, order.reason.strip())
    was = (command.command, command.mode, command.tag or None, command.reason)
    return same_target and given == was


def _not_in_force(line: Line, record: ControlRecord, late: str) -> NotInForce:
    command = record.command
    return NotInForce(
        f"{line}: {command.command} is ordered (command {command.id}) but not yet obeyed by {late}",
        advice="it holds: they will obey as soon as they can, a large model takes a while to load; "
        "`weir status` shows when",
    )
