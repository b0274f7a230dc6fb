"""The manifest: what one version says about itself, signed; its payload is kept beside it.

Everything that must agree is in one manifest: offsets, counts, scores, the order in which the
partitions were interleaved, and the hashes of the segments that hold the learner's state.
Offsets follow Kafka: the next one, the first record *not* yet consumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from checkpoints.errors import CheckpointCorrupt, Tampered
from checkpoints.records.calibration import Calibration
from checkpoints.records.gate import HeldBack, PublishGate
from checkpoints.records.line import Line
from checkpoints.records.signing import Signer, Verifier, decode, digest, normal, signer_of

__all__ = [
    "BASELINES",
    "SCORE_WINDOWS",
    "Anchor",
    "BegunAnew",
    "Counts",
    "Late",
    "Manifest",
    "Origin",
    "Rewind",
    "Rollback",
    "SegmentRef",
    "TopicAnchors",
    "Unreadable",
    "Version",
    "open_exported",
    "open_version",
    "seal_version",
    "version_number",
]

MANIFEST_BYTES_MAX = 4 << 20  # an envelope; 10,000 runs are about 500 KB

# What `metrics` has of each score: over what it may be, what predictors without a feature score
# over the life, and, as `low` and `high`, where its lifetime value lies.
SCORE_WINDOWS = ("lifetime", "rolling", "fading")
BASELINES = ("no_change", "majority", "mean")

_SHA256 = re.compile(r"[0-9a-f]{64}")

Offsets = Mapping[str, Mapping[str, int]]  # topic -> partition -> next offset
Run = tuple[str, int, int, int]  # topic, partition, first offset, next offset
Place = tuple[str, int, int]  # topic, partition, offset


class SegmentRef(Struct, frozen=True, kw_only=True):
    """One piece of a version's state, named by the SHA-256 of its stored (compressed) bytes."""

    sha256: str
    bytes: int
    raw_bytes: int  # after decompression; a cap on what a reader unpacks

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256!r} is no SHA-256")
        if self.bytes < 1 or self.raw_bytes < 0:
            raise ValueError(f"a segment of {self.bytes} bytes, {self.raw_bytes} raw")


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the records consumed, since the line began. Events, each in one place."""

    learned: int = 0
    scored: int = 0
    refused: int = 0
    skipped: int = 0
    forgotten: int = 0
    pending: int = 0
    labels: int = 0
    expired: int = 0
    unscored: int = 0
    nonfinite: int = 0
    refused_by: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plain = (self.learned, self.scored, self.refused, self.skipped, self.forgotten,
                 self.pending, self.labels, self.expired, self.unscored,
                 self.nonfinite)  # fmt: skip
        if min(plain) < 0:
            raise ValueError(f"a negative count in {self}")


class Late(Struct, frozen=True, kw_only=True):
    """What a version tells of labels that come late, beside the counts.

    Attributes:
        oldest_ms: The earliest time of an event that waits; None where none does.
        delays: Labels by how long they took: the upper end of each bin in seconds, as text.
        answers: Answers of the API that were read to be scored alone; they count as skipped.
    """

    oldest_ms: int | None = None
    delays: Mapping[str, int] = field(default_factory=dict)
    answers: int = 0


class Anchor(Struct, frozen=True, kw_only=True):
    """The last record consumed of a partition: how a recreated topic is told from the old one."""

    offset: int
    sha256: str
    timestamp_ms: int


class TopicAnchors(Struct, frozen=True, kw_only=True):
    """Kafka's id of the topic, and the anchor of each partition that was read at all."""

    topic_id: str
    partitions: Mapping[str, Anchor]


class BegunAnew(Struct, frozen=True, kw_only=True):
    """A topic of labels that was lost, and is read from its earliest record on since.

    Attributes:
        times: How often that was.
        records: Offsets that the line had moved in it until then.
    """

    times: int
    records: int


class Unreadable(Struct, frozen=True, kw_only=True):
    """A head that could not be read when it was rolled back, and what stood in for it.

    The rollback's offsets, anchors, ids seen and counts are those of `place`: what the head had
    read after it is read again, for the model that had learned it is gone.
    """

    head: str  # "v5"
    why: str
    place: str  # "v4"
    place_id: str


class Rollback(Struct, frozen=True, kw_only=True):
    """What a rollback's version says of where it went back to, and by whose order."""

    to: str  # "v3"
    to_id: str
    mode: Literal["forget"]
    forgotten: int
    gap: Mapping[str, Mapping[str, tuple[int, int]]]  # topic -> partition -> first, next
    reason: str
    who: str
    command_id: str
    at_ms: int  # when it was ordered; `created_at_ms` stays that of the snapshot served
    unreadable: Unreadable | UnsetType = UNSET  # set only where the head could not be read


class Origin(Struct, frozen=True, kw_only=True):
    """Where a state was learned that came out of a file, and by whose order it was taken in.

    Every version that goes on from an imported one says so.

    Attributes:
        model, version, id: Those of the version that was exported, in its own line.
        signer: The key that had signed it, `learner:` or `operator:` and the begin of its hash.
        learned: Events that it had learned: no records of this line's log.
        at_ms: When it was ordered; `created_at_ms` stays that of the snapshot.
    """

    model: str
    version: str
    id: str
    signer: str
    learned: int
    reason: str
    who: str
    command_id: str
    at_ms: int


class Rewind(Struct, frozen=True, kw_only=True):
    """What the version that a rewind made says of it; the order itself is in the audit.

    What it has replayed, in which order, and what it left out is in its segment `replay`.

    Attributes:
        to: The version that it went on from, "v3"; None: it began untrained.
        to_id: That version's id.
        command_id: The order's.
        skip: What was left out, as it was written.
        skipped: How many records that were.
        at_ms: When its replay was begun.
    """

    to: str | None
    to_id: str | None
    command_id: str
    skip: tuple[str, ...] = ()
    skipped: int = 0
    at_ms: int


class Manifest(Struct, frozen=True, kw_only=True):
    """One version of one model line. Its id is the SHA-256 of its signed envelope.

    `runs` are those since the parent, in the order learned; `segments` always holds "model".
    `created_at_ms` (Unix, UTC) is the moment the served snapshot was cut. `control_seq` is the
    newest operator's command that was obeyed when this version was made: none older may stand
    beside it. Versions written before there was such a field have none, which counts as 0. `late`
    is unset likewise. `metrics` has the windows of each score, its baselines, and the interval of
    its lifetime value; `served` are those of what the API answered, where they are kept.
    `calibration` is that of a model whose scores ask for it, `importance` that of the features
    worth most where it is measured. `origin` is set of an imported version
    and of all that go on from it; `gate` where the model file has a publish gate, whose arithmetic
    `publish_gate.py` has. A "candidate" is how far a rewind has come; it stands on the line's
    candidate, and never on the line itself. `begun_anew` has the topics of labels that were lost,
    by name; offsets and anchors are those of what has the name now.
    """

    format: Literal[1] = 1
    model: str
    shard: int = 0
    number: int
    parent: str | None
    kind: Literal["commit", "rollback", "rewind", "candidate", "import"] = "commit"
    created_at_ms: int
    counts: Counts
    metrics: Mapping[str, Mapping[str, float | None]]
    drift_total: int = 0
    calibration: Calibration | UnsetType = UNSET
    importance: Mapping[str, float] | UnsetType = UNSET
    offsets: Offsets
    anchors: Mapping[str, TopicAnchors] = field(default_factory=dict)
    begins: Offsets
    runs: tuple[Run, ...] = ()
    learn_errors: tuple[Place, ...] = ()
    segments: Mapping[str, SegmentRef]
    model_file: Mapping[str, Any] = field(default_factory=dict)
    adopted: tuple[str, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    rollback: Rollback | None = None
    rewind: Rewind | UnsetType = UNSET
    control_seq: int | UnsetType = UNSET
    late: Late | UnsetType = UNSET
    served: Mapping[str, Mapping[str, float | None]] | UnsetType = UNSET
    origin: Origin | UnsetType = UNSET
    begun_anew: Mapping[str, BegunAnew] | UnsetType = UNSET
    gate: PublishGate | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"version numbers begin at 1, not {self.number}")
        if "model" not in self.segments:
            raise ValueError(f"v{self.number} names no model segment")
        if (self.kind == "rollback") != (self.rollback is not None):
            raise ValueError(f"v{self.number} is a {self.kind} with rollback={self.rollback}")
        if self.kind == "import" and isinstance(self.origin, UnsetType):
            raise ValueError(f"v{self.number} is an import, and says not of what")
        if (self.kind in ("rewind", "candidate")) != bool(self.rewind):
            raise ValueError(f"v{self.number} is a {self.kind} with rewind={self.rewind}")
        if any(at < 0 for of in self.offsets.values() for at in of.values()):
            raise ValueError(f"v{self.number} has a negative offset: {self.offsets}")
        if self.orders_seen < 0:
            raise ValueError(f"v{self.number} has seen command {self.control_seq}")

    @property
    def line(self) -> Line:
        """The model line this version belongs to."""
        return Line(self.model, self.shard)

    @property
    def name(self) -> str:
        """As people write it: `v17`."""
        return f"v{self.number}"

    @property
    def base(self) -> str | None:
        """The id of the version whose learner state this one went on from.

        The parent, but for a rollback and a rewind: these took up the state of the version they
        name; and for an import, which went on from none of this line.
        """
        if self.kind == "import":
            return None
        back = self.rollback or self.rewind
        return back.to_id if back else self.parent

    @property
    def learned_elsewhere(self) -> int:
        """Of the events learned, those that an imported version had learned of another log."""
        return 0 if isinstance(self.origin, UnsetType) else self.origin.learned

    @property
    def learned_here(self) -> int:
        """Of the events learned, those of this line's own log."""
        return self.counts.learned - self.learned_elsewhere

    @property
    def orders_seen(self) -> int:
        """The number of the newest command obeyed when it was made; 0 for none, or unknown."""
        return 0 if isinstance(self.control_seq, UnsetType) else self.control_seq

    @property
    def answers_read(self) -> int:
        """As `Late.answers`; none in versions written before there was such a count."""
        return 0 if isinstance(self.late, UnsetType) else self.late.answers

    @property
    def lost_topics(self) -> Mapping[str, BegunAnew]:
        """Topics of labels that were lost and begun anew, by name."""
        return {} if isinstance(self.begun_anew, UnsetType) else self.begun_anew

    @property
    def unreadable(self) -> Unreadable | None:
        """The damaged head that this rollback replaced, if it did."""
        found = self.rollback.unreadable if self.rollback else UNSET
        return None if isinstance(found, UnsetType) else found

    def held_back(self, released: int) -> HeldBack | None:
        """What holds it back, if the publish gate does.

        Args:
            released: The number of the version that operators have let through last, 0 for none:
                what is held back for an older one is so no more.
        """
        held = None if isinstance(self.gate, UnsetType) else self.gate.held
        return held if held and held.good.number >= released else None

    @property
    def bytes(self) -> int:
        """Stored bytes of all segments, shared ones included."""
        return sum(segment.bytes for segment in self.segments.values())


class Version(Struct, frozen=True, kw_only=True):
    """A manifest with its id and the signed envelope it came in. Exists only verified or fresh."""

    id: str
    manifest: Manifest
    envelope: bytes

    @property
    def number(self) -> int:
        return self.manifest.number

    def __str__(self) -> str:
        return f"{self.manifest.line} {self.manifest.name}"


def seal_version(manifest: Manifest, signer: Signer) -> Version:
    """Sign `manifest`. The version returned reads exactly as any reader will read it.

    Raises:
        msgspec.ValidationError: a field of the wrong type, a bug of the caller.
        ValueError: `signer` has not the role that signs this kind of version.
    """
    if signer.role != _role(manifest):
        raise ValueError(f"a {manifest.kind} is not signed by the {signer.role} key")
    body = normal(manifest)
    envelope = signer.seal("manifest", body)
    read = decode(body, Manifest, where=f"{manifest.line} {manifest.name}")
    return Version(id=digest(envelope), manifest=read, envelope=envelope)


def open_version(
    envelope: bytes, verifier: Verifier, line: Line, *, expected_id: str | None = None
) -> Version:
    """Verify `envelope` as a version of `line`, then read it.

    Args:
        expected_id: The id under which it was asked for; None when the line's head was.

    Raises:
        Tampered: not signed by the key of the right role, or of another line.
        CheckpointCorrupt: not the version that was asked for.
        UnknownFormat: written by a later build.
    """
    found = digest(envelope)
    where = f"{line} {found[:12]}"
    if expected_id is not None and found != expected_id:
        raise CheckpointCorrupt(f"{line} {expected_id[:12]}", f"its manifest hashes to {found}")
    role, body = verifier.open("manifest", envelope, where=where)
    manifest = decode(body, Manifest, where=where)
    if (manifest.model, manifest.shard) != (line.model, line.shard):
        raise Tampered(where, f"a version of {manifest.model}/{manifest.shard}, not of {line}")
    if role != _role(manifest):
        raise Tampered(f"{line} {manifest.name}", f"a {manifest.kind} signed by a {role} key")
    if (manifest.kind == "candidate") != line.is_candidate:
        raise Tampered(where, f"a {manifest.kind} of {line} stands where none belongs")
    return Version(id=found, manifest=manifest, envelope=envelope)


def open_exported(envelope: bytes, verifier: Verifier, *, where: str) -> tuple[Version, str]:
    """Verify `envelope` as a version of whatever line, and read it; and the key that signed it.

    Args:
        verifier: Whose versions are believed outside of a store.
        where: The file, for the error.

    Raises:
        Tampered, UnknownFormat: As `open_version`.
    """
    role, body = verifier.open("manifest", envelope, where=where)
    manifest = decode(body, Manifest, where=where)
    if role != _role(manifest):
        raise Tampered(where, f"a {manifest.kind} signed by a {role} key")
    version = Version(id=digest(envelope), manifest=manifest, envelope=envelope)
    return version, signer_of(envelope)


def _role(manifest: Manifest) -> Literal["learner", "operator"]:
    return "operator" if manifest.kind in ("rollback", "import") else "learner"


def version_number(text: str) -> int:
    """The number in `v17`.

    >>> version_number("v17")
    17

    Raises:
        ValueError: `text` is not `v` and a number from 1 on.
    """
    if not re.fullmatch(r"v[1-9][0-9]{0,14}", text, re.ASCII):
        raise ValueError(f"{text!r} is no version: write v and its number, as in v17")
    return int(text[1:])
