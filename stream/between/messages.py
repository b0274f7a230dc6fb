"""What source and learner say to each other, and its bytes.

MessagePack, each message an array whose first entry says which it is. An integer of a feature may
be larger than MessagePack's 64 bits; such a message goes as JSON, which has no bound.
"""

from typing import Any, TypeAlias

import msgspec

from config.processes import channel
from config.processes.channel import Channel as AnyChannel
from learner.events.examples import Examples
from learner.values import Stage

Anchor: TypeAlias = dict[str, Any]
# Begins an array as JSON, and none as MessagePack. Only a batch is ever JSON.
_JSON = b"["


class _Message(msgspec.Struct, array_like=True, gc=False):
    pass


# From the source --------------------------------------------------------------------------------


class Begin(_Message, tag=1):
    """Go on from this head, or begin a line.

    Attributes:
        token: The fencing token under which versions are made.
        head: The head's signed envelope; None for a line that begins.
        highest: The highest version number that anyone remembers.
        topic_ids: Kafka's id of each topic that is read, those that the head did not read included.
        first_offsets: Of their partitions: (topic, partition, first offset).
        rewound: Where a rewind is under way; it takes over from the head.
        lost: Topics of labels that the head knows otherwise, and that are begun anew.
    """

    token: str
    head: bytes | None
    highest: int
    topic_ids: dict[str, str]
    first_offsets: list[tuple[str, int, int]]
    rewound: "Rewound | None" = None
    lost: list[str] = []


class Batch(_Message, tag=2):
    """Consecutive records of one partition.

    Attributes:
        first: Offset of the first record.
        count: Records, refused ones included.
        anchor: Fingerprint of the last record.
        examples: Those that passed the screen.
        refused: The reasons of the others.
        is_left_out: They are passed over by a rewind: there is no example, and no refusal.
    """

    first: int
    count: int
    anchor: Anchor
    examples: Examples
    refused: list[str]
    is_left_out: bool = False


class CaughtUp(_Message, tag=6):
    """Everything that a rewind replays was sent before: the candidate is to take over."""


class Rewound(_Message, tag=7):
    """What a rewind goes on from, beside the head.

    Attributes:
        token: The fencing token of the line's candidate.
        highest: The highest version number of the candidate.
        is_reset: It begins untrained where the head stands, and takes its place at once.
        start: The envelope of the version to restore: the one that was gone back to, or the newest
            of the candidate; None: it begins untrained.
        to: The envelope of the version that was gone back to, where there is one.
        command_id: The order's.
        skip: What is left out, as it was written.
        control_seq: The number of the order.
    """

    token: str
    highest: int
    is_reset: bool
    start: bytes | None
    to: bytes | None
    command_id: str
    skip: tuple[str, ...]
    control_seq: int


class NewPartition(_Message, tag=3):
    """A partition that was added to a topic begins at this offset."""

    topic: str
    partition: int
    first: int


class Passed(_Message, tag=5):
    """A partition holds no record before this offset that is still to be taken: what stands there
    are marks of transactions, aborted ones, or gaps that compaction left."""

    topic: str
    partition: int
    following: int


class Cleared(_Message, tag=4):
    """Nothing stands against the commit of this version: its letters are acknowledged, its topics
    are still those that were read."""

    version_id: str


# From the learner -------------------------------------------------------------------------------


class Ready(_Message, tag=11):
    """The model is restored, or begun; what it is."""

    version: str | None


class Took(_Message, tag=12):
    """A batch was taken.

    Attributes:
        learned: Examples learned.
        refused: Examples that the gate refused: place among the batch's examples, reason, detail,
            stage, what mends it.
        drifted: Detections: detector and direction.
        seconds: How long it took.
    """

    learned: int
    refused: list[tuple[int, str, str, Stage, str]]
    drifted: list[tuple[str, str]]
    seconds: float = 0.0


class Announced(_Message, tag=13):
    """This version is written but not yet the head: say when nothing stands against it."""

    version_id: str


class Committed(_Message, tag=14):
    """This version is the head.

    Attributes:
        envelope: The signed manifest.
        stall_s: How long learning stood still for it.
        work_s: What its making cost beside that, CPU seconds.
        interval_s: From its cut to the next.
        is_candidate: It is the head of a rewind's candidate, and not of the line.
    """

    envelope: bytes
    stall_s: float = 0.0
    work_s: float = 0.0
    interval_s: float = 0.0
    is_candidate: bool = False


class CommitFailed(_Message, tag=15):
    """A commit was not made.

    Attributes:
        outcome: Why, as the metric has it.
        what: Why, for people.
        exit_code: What the program would end with.
    """

    outcome: str
    what: str
    exit_code: int


class Working(_Message, tag=17):
    """The process that makes a version has written the state down, and is still at it."""


class Finished(_Message, tag=16):
    """Everything is committed and the learner ends."""


# To the learner, from its copy -------------------------------------------------------------------


class Tried(_Message, tag=31):
    """A copy has learned these examples up to, and without, `place`: all, or there it raised.

    Attributes:
        place: Which of the examples; their number where none raised.
        what: What was raised, with its type.
    """

    place: int
    what: str


# To the keeper ----------------------------------------------------------------------------------


class Raised(_Message, tag=21):
    """The learner raised as it learned this record, and what."""

    topic: str
    partition: int
    offset: int
    what: str


class Failed(_Message, tag=22):
    """Why a process ends that is started again."""

    what: str


class LastWords(_Message, tag=23):
    """Why a process ends for good, and with what."""

    what: str
    exit_code: int


Message: TypeAlias = (
    Begin
    | Batch
    | NewPartition
    | Passed
    | CaughtUp
    | Cleared
    | Ready
    | Took
    | Announced
    | Committed
    | CommitFailed
    | Working
    | Finished
    | Tried
    | Raised
    | Failed
    | LastWords
)

# The tags that stand behind the array's own byte.
_TAKEN_IN_TURN = frozenset({2, 3, 5, 6})
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(Message).decode


def encode(message: Message) -> bytes:
    """The message's bytes.

    >>> decode(encode(Cleared("ab")))
    Cleared(version_id='ab')
    >>> huge = Examples("t", 0, [0], [0], [{"n": 2**70}], [True])
    >>> decode(encode(Batch(0, 1, {}, huge, []))).examples.xs
    [{'n': 1180591620717411303424}]
    """
    try:
        return _encode(message)
    except OverflowError:
        return _encode_json(message)


def is_taken_in_turn(payload: bytes) -> bool:
    """Whether these are the bytes of something that happens in the log: a batch, a new partition, a
    stretch without records.

    >>> is_taken_in_turn(encode(Passed("t", 0, 7))), is_taken_in_turn(encode(Cleared("ab")))
    (True, False)
    """
    return payload[:1] == _JSON or payload[1] in _TAKEN_IN_TURN


def decode(payload: bytes) -> Message:
    """The message in these bytes, which came from `encode` in a process of our own."""
    message: Message = _decode_json(payload) if payload[:1] == _JSON else _decode(payload)
    return message


# Of the processes of one learner.
Channel: TypeAlias = AnyChannel[Message]


def pair() -> tuple[Channel, Channel]:
    """Both ends of a new channel."""
    return channel.pair(encode, decode)
