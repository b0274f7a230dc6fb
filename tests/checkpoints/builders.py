"""Signed versions and commands for the tests of the stores; every default may be replaced."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from checkpoints.records.control import Command, Control, Pointer, following, seal_control
from checkpoints.records.line import Line
from checkpoints.records.lineage import rolled_back
from checkpoints.records.manifest import Counts, Manifest, SegmentRef, Version, seal_version
from checkpoints.records.signing import Signer, Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Granted, Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore


def _key(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


LEARNER = Signer(_key("learner"), role="learner")
OPERATOR = Signer(_key("operator"), role="operator")
STRANGER = Signer(_key("stranger"), role="learner")
VERIFIER = Verifier(learner=[LEARNER.public], operator=[OPERATOR.public])


def ref_of(data: bytes) -> SegmentRef:
    return SegmentRef(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), raw_bytes=len(data))


def a_manifest(
    line: Line, *, number: int = 1, model: bytes = b"weights", **fields: Any
) -> Manifest:
    given: dict[str, Any] = {
        "parent": None,
        "created_at_ms": 1_700_000_000_000 + number,
        "counts": Counts(learned=10 * number, scored=10 * number),
        "metrics": {"Accuracy": {"lifetime": 0.5, "rolling": 0.5, "fading": None}},
        "offsets": {"events": {"0": 10 * number}},
        "begins": {"events": {"0": 0}},
        "segments": {"model": ref_of(model)},
    }
    return Manifest(model=line.model, shard=line.shard, number=number, **(given | fields))


def a_version(
    line: Line, *, number: int = 1, parent: Version | None = None, **fields: Any
) -> Version:
    parent_id = parent.id if parent else None
    return seal_version(a_manifest(line, number=number, parent=parent_id, **fields), LEARNER)


def a_rollback(
    head: Version, target: Version, *, number: int, command_id: str = "c1", **more: Any
) -> Version:
    manifest = rolled_back(
        head, target, number=number, command_id=command_id, reason="spoilt", who="ann", at_ms=1,
        **more,
    )  # fmt: skip
    return seal_version(manifest, OPERATOR)


def a_control(
    line: Line, newest: Control | None = None, *, command: str = "freeze", **changes: Any
) -> Control:
    seq = newest.record.seq + 1 if newest else 1
    order = Command(
        id=f"c{seq}-{len(changes)}",
        command=command,
        who="ann",
        reason="because",
        to=changes.pop("to", None),
    )
    record = following(newest, line, command=order, at_ms=1_700_000_000_000 + seq)
    return seal_control(replace(record, **changes), OPERATOR)


def pointer(version: Version) -> Pointer:
    return Pointer(number=version.number, id=version.id)


def granted(store: Store, line: Line, *, holder: str = "host-1", lease_s: float = 5.0) -> Granted:
    """Take the line, which nobody else holds."""
    reply = store.acquire(line, holder=holder, lease_s=lease_s)
    assert isinstance(reply, Granted)
    return reply


def put(store: Store, line: Line, *segments: bytes) -> None:
    for data in segments:
        store.put_segment(line, ref_of(data).sha256, data)


def committed(
    store: Store,
    line: Line,
    token: str,
    *,
    number: int,
    parent: Version | None = None,
    model: bytes = b"weights",
    **fields: Any,
) -> Version:
    """A version whose segment is stored and which is now the head."""
    put(store, line, model)
    version = a_version(line, number=number, parent=parent, model=model, **fields)
    assert store.commit(line, token=token, version=version) is Outcome.OK
    return version


def history(store: Store, line: Line, token: str, *, length: int) -> list[Version]:
    """`length` versions, each with a segment of its own, the last of them the head."""
    versions: list[Version] = []
    for number in range(1, length + 1):
        parent = versions[-1] if versions else None
        model = b"weights %d" % number
        versions.append(committed(store, line, token, number=number, parent=parent, model=model))
    return versions


def envelopes(store: Store, line: Line, *, limit: int = 1000, before: int | None = None) -> list:
    """The records of the kept versions, newest first."""
    return [one.envelope for one in store.versions(line, limit=limit, before=before)]


def flipped(envelope: bytes) -> bytes:
    """One bit of it is wrong."""
    middle = len(envelope) // 2
    return envelope[:middle] + bytes([envelope[middle] ^ 1]) + envelope[middle + 1 :]


def damage(
    store: Store, version: Version, envelope: bytes | None = None, *, line: Line | None = None
) -> None:
    """Somebody, or a failing disk, changes a version's record; b"": it is gone.

    Args:
        line: Where it is kept, if it is the candidate's.
    """
    envelope = flipped(version.envelope) if envelope is None else envelope
    line = line or version.manifest.line
    if isinstance(store, MemoryStore):
        kept = store._books(line).versions
        kept[version.id] = replace(version, envelope=envelope)
        return
    key = f"{line.prefix}manifest:{version.id}"
    _back_door(store, "SET", key, envelope) if envelope else _back_door(store, "DEL", key)


def damage_segment(store: Store, version: Version, name: str, *, line: Line | None = None) -> None:
    """One bit of a segment's first chunk is wrong."""
    ref, line = version.manifest.segments[name], line or version.manifest.line
    if isinstance(store, MemoryStore):
        chunk = store._books(line).chunks[ref.sha256, 0]
        chunk.data = flipped(chunk.data)
        return
    key = f"{line.prefix}chunk:{ref.sha256}:0"
    _back_door(store, "SETRANGE", key, 0, b"\xff")


def point_control(store: Store, line: Line, control: Control | None) -> None:
    """Somebody puts an older command back in the place of the newest, or takes it away."""
    if isinstance(store, MemoryStore):
        store._books(line).ordered = control.id if control else None
    elif control is None:
        _back_door(store, "DEL", f"{line.prefix}control")
    else:
        _back_door(store, "SET", f"{line.prefix}control", f"{control.record.seq}:{control.id}")


def point_head(store: Store, version: Version) -> None:
    """Somebody puts another version in the head's place."""
    line = version.manifest.line
    if isinstance(store, MemoryStore):
        store._books(line).head = version.id
    else:
        _back_door(store, "SET", f"{line.prefix}head", f"{version.number}:{version.id}")


def _back_door(store: Store, *command: object) -> None:
    assert isinstance(store, RedisStore)
    store._redis.ask(*command, doing="write behind the back of everybody")
