"""What Redis answers, read with suspicion: anybody who may write to it may have written this."""

from __future__ import annotations

import math
import re

import msgspec

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.line import Line
from checkpoints.stores.heads import Position
from checkpoints.stores.presence import BEAT_BYTES_MAX, Beat

__all__ = ["capped", "facts_of", "id_of", "is_id", "line_of", "number_of", "payload_of", "pointed",
           "position_of", "present", "score_of", "within"]  # fmt: skip

_POINTER = re.compile(rb"([0-9]{1,15}):([0-9a-f]{64})")
_HEAD = re.compile(rb"weir:\{(.{1,100})/([0-9]{1,5})\}:head")
_ID = re.compile(rb"[0-9a-f]{64}")


def capped(value: bytes, bytes_max: int, *, where: str) -> bytes | None:
    """None for the empty string, which is how GETRANGE answers for a key that is not there."""
    if len(value) > bytes_max:
        raise CheckpointCorrupt(where, f"longer than the {bytes_max} bytes it may have")
    return value or None


def score_of(text: bytes, where: str) -> int:
    """The number by which an index ranks a record."""
    score = float(text)
    if not math.isfinite(score):
        raise CheckpointCorrupt(where, f"no number of a record: {score}")
    return int(score)


def facts_of(text: bytes) -> dict[str, str]:
    """What INFO answers, by name.

    >>> facts_of(b"# Server\\r\\nredis_version:7.2.4\\r\\nrole:master\\r\\n")
    {'redis_version': '7.2.4', 'role': 'master'}
    """
    lines = text.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def within(value: bytes, bytes_max: int) -> bytes | None:
    """The record; None where there is none, or one that is too long to be one."""
    return value if 0 < len(value) <= bytes_max else None


def present(envelope: bytes | None, where: str) -> bytes:
    """A record that something names, and that must be there."""
    if envelope is None:
        raise CheckpointCorrupt(where, "it is named but missing")
    return envelope


def pointed(pointer: bytes | None, where: str) -> str | None:
    """The id in a pointer, `number:id`."""
    if pointer is None:
        return None
    read = _POINTER.fullmatch(pointer)
    if read is None:
        raise CheckpointCorrupt(where, f"no pointer to a record: {pointer[:40]!r}")
    return read[2].decode()


def line_of(key: bytes) -> Line | None:
    """The line that `weir:{model/shard}:head` belongs to.

    >>> line_of(b"weir:{phishing/0}:head") == Line("phishing")
    True
    >>> line_of(b"weir:{no model/0}:head") is None
    True
    """
    read = _HEAD.fullmatch(key)
    try:
        return Line(read[1].decode("ascii", "replace"), int(read[2])) if read else None
    except ValueError:
        return None


def is_id(text: bytes) -> bool:
    """Whether it is the id of a record."""
    return _ID.fullmatch(text) is not None


def id_of(text: bytes, where: str) -> str:
    """The id that an index holds."""
    if not is_id(text):
        raise CheckpointCorrupt(where, f"no id of a record: {text[:40]!r}")
    return text.decode()


def number_of(text: bytes, line: Line) -> int:
    """The highest version number, 0 where there is none."""
    if not text:
        return 0
    if not re.fullmatch(rb"[0-9]{1,15}", text):
        raise CheckpointCorrupt(f"{line} highest", f"no version number: {text[:40]!r}")
    return int(text)


def position_of(line: Line, head: bytes, control: bytes, learner: bytes) -> Position:
    """What one look at a line has found."""
    return Position(
        head=pointed(head or None, f"{line} head"),
        control=pointed(control or None, f"{line} control"),
        learner=payload_of(learner),
    )


def payload_of(text: bytes) -> Beat | None:
    """A beat is a courtesy: one that cannot be read counts as none."""
    if not text or len(text) > BEAT_BYTES_MAX:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None
