"""The control record: what operators have ordered for a line, signed; a list of them is the audit.

Each record holds the whole standing state (pin, freeze, tags) and the command that made it so.
The newest is the state, the older ones the audit; each names the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct, field

from checkpoints.errors import CheckpointCorrupt, Tampered
from checkpoints.records.line import Line, Pointer
from checkpoints.records.manifest import Manifest
from checkpoints.records.signing import Signer, Verifier, decode, digest, normal

__all__ = ["Command", "Control", "ControlRecord", "Pointer", "Rewinding", "following",
           "open_control", "seal_control", "served_instead"]  # fmt: skip

CONTROL_BYTES_MAX = 256 << 10
AUDIT_KEPT = 10_000  # control records of one line; the oldest go first

CommandName = Literal["pin", "unpin", "rollback", "cancel", "reset", "relearn", "freeze", "thaw",
                      "tag", "import", "release"]  # fmt: skip


class Command(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One operator's command. `from_`, `to` and `version` are written `v17`.

    `tag` is the name that the command gave, if it was one that gives names.
    """

    id: str
    command: CommandName
    who: str
    reason: str
    from_: str | None = None
    to: str | None = None
    mode: str | None = None
    version: str | None = None  # the new version it made
    tag: str | msgspec.UnsetType = msgspec.UNSET
    outcome: str = "done"


class Rewinding(Struct, frozen=True, kw_only=True):
    """A new beginning that was ordered: the learner replays what came after a version (a rewind),
    learns the log again by the model file as it is now (relearn), or begins untrained (reset).

    Nothing else becomes the head until it has; so it stands as long as the head has obeyed no
    command from `seq` on.

    Attributes:
        seq: The number of the command.
        id: The command's.
        kind: Which of them.
        to: The version whose learner and place in the log a rewind goes on from.
        start: Where relearning begins: "earliest", or milliseconds since 1970.
        may_take_over: Whether it becomes the head when it has caught up.
        head: The head when it was ordered, which stays the head until the replay has caught up.
        skip: What is left out, as it was written.
        keeps_serving: The head goes on being served meanwhile, and not the old version.
    """

    seq: int
    id: str
    kind: Literal["rewind", "reset", "relearn"] = "rewind"
    to: Pointer | None
    head: Pointer
    start: str | int | None = None
    skip: tuple[str, ...] = ()
    keeps_serving: bool = False
    may_take_over: bool = True

    @property
    def name(self) -> str:
        """For people."""
        return f"rewind to v{self.to.number}" if self.to else self.kind

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """The versions that it needs."""
        return (self.head, self.to) if self.to else (self.head,)

    def is_over(self, orders_seen: int) -> bool:
        """Whether a head that has obeyed the commands up to this one has taken its place."""
        return orders_seen >= self.seq


class ControlRecord(Struct, frozen=True, kw_only=True):
    """The standing orders of a line after `command`.

    `seq` counts commands from 1; `previous` is the id of the record before it. `last_version` is
    the highest number there was when the last command changed the model (what `--expect` reads).
    `rewind` is the last rewind ordered, over or not, until another command ends it. `released` is
    the version that was let through the publish gate last.
    """

    format: Literal[1] = 1
    model: str
    shard: int = 0
    seq: int
    previous: str | None
    at_ms: int
    command: Command
    pin: Pointer | None = None
    frozen: bool = False
    tags: Mapping[str, Pointer] = field(default_factory=dict)
    last_version: int = 0
    rewind: Rewinding | msgspec.UnsetType = msgspec.UNSET
    released: Pointer | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.seq < 1 or (self.seq == 1) != (self.previous is None):
            raise ValueError(f"control record {self.seq} with previous {self.previous}")

    @property
    def line(self) -> Line:
        """The model line these orders are for."""
        return Line(self.model, self.shard)

    @property
    def protected(self) -> frozenset[str]:
        """Ids of the versions that retention may not drop: the pinned one, the tagged, and what a
        rewind is made of.
        """
        tagged = (pointer.id for pointer in self.tags.values())
        rewound = {each.id for each in self.rewind.pointers} if self.rewind else frozenset()
        return frozenset(tagged) | ({self.pin.id} if self.pin else frozenset()) | rewound

    @property
    def let_through(self) -> int:
        """The number of the version that was let through the publish gate last, 0 for none."""
        return self.released.number if self.released else 0

    def serves(self, orders_seen: int) -> Pointer | None:
        """The version that these orders have served in the place of the head, if they do."""
        rewind = self.rewinding(orders_seen)
        old = rewind.to if rewind and not rewind.keeps_serving else None
        return self.pin or old

    def rewinding(self, orders_seen: int) -> Rewinding | None:
        """The rewind that is under way, for a head that has obeyed the commands up to this one."""
        if not self.rewind or self.rewind.is_over(orders_seen):
            return None
        return self.rewind


class Control(Struct, frozen=True, kw_only=True):
    """A control record with its id and the signed envelope it came in."""

    id: str
    record: ControlRecord
    envelope: bytes


def following(newest: Control | None, line: Line, *, command: Command, at_ms: int) -> ControlRecord:
    """The record that follows `newest`, its orders unchanged: replace what `command` changes."""
    if newest is None:
        return ControlRecord(
            model=line.model, shard=line.shard, seq=1, previous=None, at_ms=at_ms, command=command
        )
    was = newest.record
    return ControlRecord(
        model=line.model,
        shard=line.shard,
        seq=was.seq + 1,
        previous=newest.id,
        at_ms=at_ms,
        command=command,
        pin=was.pin,
        frozen=was.frozen,
        tags=was.tags,
        last_version=was.last_version,
        rewind=was.rewind,
        released=was.released,
    )


def served_instead(orders: ControlRecord | None, head: Manifest | None) -> Pointer | None:
    """What is served in the place of `head`: the pinned version, else that to which a rewind is
    under way, else the last that the publish gate let through. None: the head itself.
    """
    ordered = orders.serves(head.orders_seen if head else 0) if orders else None
    if ordered or head is None:
        return ordered
    held = head.held_back(orders.let_through if orders else 0)
    return held.good if held else None


def seal_control(record: ControlRecord, signer: Signer) -> Control:
    """Sign `record` with the operator key."""
    if signer.role != "operator":
        raise ValueError(f"commands are signed by the operator key, not the {signer.role} key")
    body = normal(record)
    envelope = signer.seal("control", body)
    read = decode(body, ControlRecord, where=f"{record.line} control {record.seq}")
    return Control(id=digest(envelope), record=read, envelope=envelope)


def open_control(
    envelope: bytes, verifier: Verifier, line: Line, *, expected_id: str | None = None
) -> Control:
    """Verify `envelope` as a control record of `line`, then read it.

    Raises:
        Tampered: not signed by an operator key, or made for another line.
        CheckpointCorrupt: not the record that was asked for.
        UnknownFormat: written by a later build.
    """
    found = digest(envelope)
    where = f"{line} control {found[:12]}"
    if expected_id is not None and found != expected_id:
        raise CheckpointCorrupt(f"{line} control {expected_id[:12]}", f"it hashes to {found}")
    role, body = verifier.open("control", envelope, where=where)
    if role != "operator":
        raise Tampered(where, f"a command signed by a {role} key")
    record = decode(body, ControlRecord, where=where)
    if (record.model, record.shard) != (line.model, line.shard):
        raise Tampered(where, f"a command for {record.model}/{record.shard}, not for {line}")
    return Control(id=found, record=record, envelope=envelope)
