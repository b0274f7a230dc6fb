"""How a process of a learner ends, and what the keeper does then.

Codes up to 6 and 70 are the program's own; those here never leave it.
"""

import logging

from checkpoints.compatibility import (
    AnswersChangedError,
    ModelFileChangedError,
    SoftwareChangedError,
)
from checkpoints.errors import CheckpointError, Conflict, StoreForbidden, StoreUnavailable
from config.errors import ConfigError
from config.processes.channel import ChannelClosedError
from learner.errors import LearnFailedError, RestoreError, SpecError, UnlearnableError
from stream.between.messages import Channel, Failed, LastWords, Raised
from stream.commit.committer import CommitEndedError, CommitLostError
from stream.errors import (
    DeadLettersStuckError,
    KafkaUnavailableError,
    StreamError,
    TopicAwayError,
    TopicLostError,
)

log = logging.getLogger(__name__)

DONE = 0
# The head is restored at once; or once what is away may be back; or the other process has ended,
# and its code tells why.
AGAIN = 75
AGAIN_LATER = 76
ORPHANED = 77


# No restart mends these, although some are conflicts.
_FOR_GOOD = (
    AnswersChangedError,
    ModelFileChangedError,
    SoftwareChangedError,
    StoreForbidden,
    UnlearnableError,
)

# Going on from the head once they are back.
_WAITED_FOR = (KafkaUnavailableError, DeadLettersStuckError, StoreUnavailable, TopicAwayError)


class MovedError(StreamError):
    """The head moved by another's hand: a rollback, or another learner."""

    def __init__(self, line: object) -> None:
        super().__init__(f"{line}: the head moved; going on from it")


def end_with(error: Exception, keeper: Channel) -> int:
    """Say what happened, to the log or to the keeper, and the code to end with."""
    match error:
        case ChannelClosedError():
            return ORPHANED
        case MovedError():
            log.info("%s", error)
            return AGAIN
        case LearnFailedError():
            keeper.send(Raised(error.topic, error.partition, error.offset, error.what))
            return AGAIN
        case CommitLostError() | TopicLostError():
            return _again(error, keeper, "")
        case CommitEndedError(outcome="superseded"):
            return _again(error, keeper, "; restoring the head")
        case _ if isinstance(error, _FOR_GOOD):
            return _say(error, keeper)
        case _ if isinstance(error, _WAITED_FOR):
            _again(error, keeper, "; going on from the head once it answers")
            return AGAIN_LATER
        case Conflict():
            return _again(error, keeper, "; restoring the head")
        case StreamError() | CheckpointError() | ConfigError() | SpecError() | RestoreError():
            return _say(error, keeper)
        case _:
            raise error


def _again(error: Exception, keeper: Channel, what_now: str) -> int:
    log.warning("%s%s", error, what_now)
    keeper.send(Failed(str(error)))
    return AGAIN


def _say(error: Exception, keeper: Channel) -> int:
    code = int(getattr(error, "exit_code", 1))
    keeper.send(LastWords(str(error), code))
    return code
