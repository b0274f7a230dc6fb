"""What can go wrong at the log: each error says where, and what to do next."""

from collections.abc import Iterable

from config.text.nearest import did_you_mean


class StreamError(Exception):
    """The root of this room's errors; `exit_code` is the program's."""

    exit_code = 1


class KafkaUnavailableError(StreamError):
    """No broker answered in time.

    Operator: check that Kafka runs at the address named and that the address it advertises can be
    reached from here (`weir doctor` compares the two).
    """

    exit_code = 5

    def __init__(self, address: str, cause: object) -> None:
        super().__init__(
            f"Kafka at {address} does not answer ({cause}): check that it runs and that its "
            "advertised address can be reached from here; `weir doctor` tells"
        )


class SendError(StreamError):
    """What was asked to be sent cannot be read. Nothing was sent from there on."""

    exit_code = 2


class CellError(SendError):
    """One cell of a CSV file is not what its column holds.

    Operator: mend the cell, or say in the model file what else the column may hold.

    Attributes:
        column: Its name.
        text: What the cell holds.
    """

    def __init__(self, message: str, *, column: str, text: str) -> None:
        super().__init__(message)
        self.column, self.text = column, text


class SendStoppedError(StreamError):
    """Sending ended before its source did; what was sent before that is in the topic.

    Operator: mend what the message names. What is sent again is learned again, unless the events
    have ids.

    Args:
        cause: Why, with the file and its line; the exit code is its own.
        sent: Records handed to Kafka before.
        acknowledged: Those of them that Kafka has.
    """

    def __init__(self, source: str, cause: StreamError, *, sent: int, acknowledged: int) -> None:
        ids = "; what is sent again is learned again, unless it has an id" if acknowledged else ""
        before = f"{sent:,} events of it were sent before, {acknowledged:,} acknowledged"
        where = "" if str(cause).startswith(source) else f"{source}: "
        super().__init__(f"{where}{cause}; {before}{ids}")
        self.sent, self.acknowledged, self.exit_code = sent, acknowledged, cause.exit_code


class ServersAwayError(StreamError):
    """Kafka or Redis did not answer within `learner.start_wait_seconds`."""

    exit_code = 5


class TopicMissingError(StreamError):
    """A topic of the model file does not exist."""

    exit_code = 3

    def __init__(self, topic: str, address: str, *, existing: Iterable[str] = ()) -> None:
        hint = did_you_mean(topic, existing, is_whole=True)
        super().__init__(
            f"topic {topic} does not exist at {address}{hint}: "
            "`topics` in the model file names it; `weir dev --model FILE` and "
            "`weir learn --create-topics` make a model's topics"
        )
        self.topic = topic


class LogDisagreesError(StreamError):
    """The log is not the one that the head was learned from.

    Operator: never start again from zero without deciding to. Either bring the right log back
    (address, topic), or begin a new line: under another name, or under the same once the model is
    removed. While the store holds a version, `--new` does nothing.
    """

    exit_code = 4

    def __init__(self, model: str, topic: str, partition: int, offset: int, why: str) -> None:
        super().__init__(
            f"model {model}: {topic}-{partition} at offset {offset}: {why}. Bring the right log "
            f"back. To give up what was learned instead: `weir remove {model} --reason …`, then "
            "begin it anew (`weir learn --new`, or `weir dev`)"
        )
        self.topic, self.partition, self.offset, self.why = topic, partition, offset, why


class TopicLostError(StreamError):
    """A topic that the learner may lose is not the one that was read: it is begun anew.

    Operator: nothing, where it was made anew on purpose. Labels that it held and that no version
    has joined are lost with it; their events wait on, up to the horizon. Send them again.
    """

    def __init__(self, model: str, topic: str, why: str) -> None:
        super().__init__(
            f"model {model}: what {topic} held is lost: {why}. It is begun at its earliest record; "
            "labels that it held and that no version has joined are to be sent again"
        )
        self.topic, self.why = topic, why


class TopicAwayError(StreamError):
    """A topic was deleted under a learner at work that may lose it, and is waited for.

    Operator: make it again (`weir learn --create-topics` does so by itself).
    """

    exit_code = 3

    def __init__(self, model: str, missing: TopicMissingError) -> None:
        super().__init__(f"model {model}: {missing}; it is waited for")


class UnreadableLogError(StreamError):
    """kafka-python cannot read a record at all, so that it can be neither learned nor refused.

    A damaged batch. Operator: look at the record with another client, and repair the topic, from a
    sound replica if there is one. Deleting the record does not help this model: what comes next for
    it is then gone (`LogDisagreesError`). Where the topic cannot be repaired, a model of another
    name can begin behind the record, or this one anew.
    """

    exit_code = 4

    def __init__(self, model: str, where: str, cause: object) -> None:
        super().__init__(
            f"model {model}: a record at or after {where} cannot be read ({cause}); look at it "
            "with another client and repair the topic: nothing after it is learned until then. If "
            "it cannot be repaired, a model of another name can begin behind it: `weir learn --new "
            "--from TIME`"
        )


class HistoryExistsError(StreamError):
    """`--new` was said, but this model has learned from this log before.

    Operator: point Redis to the store that holds its versions, or insist with --abandon-history.
    """

    exit_code = 4

    def __init__(self, model: str, evidence: str) -> None:
        super().__init__(
            f"model {model} has learned before ({evidence}) although the store holds no version: "
            "bring the store back, or insist with --abandon-history"
        )


class NoHeadError(StreamError):
    """The store holds no version of this model, and `--new` was not said.

    Operator: if the model is new, say --new; if not, Redis is empty or the wrong one.
    """

    exit_code = 4

    def __init__(self, model: str, redis_url: str) -> None:
        super().__init__(
            f"model {model} has no version in {redis_url}: say --new if it is to begin there; if "
            "it has learned before, the store was emptied or is the wrong one"
        )


class DeadLettersStuckError(StreamError):
    """The dead-letter topic did not acknowledge in time; nothing was committed past it."""

    exit_code = 5

    def __init__(self, topic: str, waiting: int, seconds: float) -> None:
        super().__init__(
            f"{topic} did not acknowledge {waiting} dead letters within {seconds:.0f} s: the "
            "head stays where it was; check the topic and the broker"
        )


class ExportRefusedError(StreamError):
    """The log cannot be exported as it was asked. Nothing was read or written."""

    exit_code = 2


class ExportFailedError(StreamError):
    """An export ended before its file was there; a file of that name is as it was.

    Operator: mend what the message names, and say the command again.
    """


class ExportDiskFullError(ExportFailedError):
    """There is no room for the file, or for what is sorted on the way to it."""

    exit_code = 5


class ModelFileNotUnderstoodError(StreamError):
    """A version's model file is of another release, or trusts what was not named here."""

    exit_code = 2

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(
            f"model {model}: the model file that {version} was learned with is not understood "
            f"({why}): name it with --model FILE"
        )


class LookBackRefusedError(StreamError):
    """A question about the past that cannot be asked like that. Nothing was read."""

    exit_code = 2


class PredictionNotFoundError(StreamError):
    """No answer with this id stands on the predictions topic."""

    exit_code = 3


class PredictionGoneError(StreamError):
    """The answer, its features, or the version that gave it is not kept any more."""

    exit_code = 6
