"""What can go wrong with versions and where they are kept: one tree, each with its exit code.

The message of every error says what happened, to which line and version, and what to do next.
`exit_code` is what the command line ends with; `api/` maps the same number to an HTTP status.
"""

from __future__ import annotations

from typing import ClassVar


class CheckpointError(Exception):
    """The root of the tree. `what` happened and `advice` for the operator, together the message."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, advice: str) -> None:
        super().__init__(f"{what}; {advice}" if advice else what)
        self.what = what
        self.advice = advice


class BadCommand(CheckpointError):
    """An operator's command that cannot be right, whatever the state of the model.

    `field` is the part of the order that it is about.
    """

    exit_code = 2

    def __init__(self, what: str, *, advice: str, field: str = "to") -> None:
        super().__init__(what, advice=advice)
        self.field = field


class NotFound(CheckpointError):
    """The model, version or tag that was asked for is not there."""

    exit_code = 3


class NoSuchModel(NotFound):
    """No version of this line has ever been committed to this store."""

    def __init__(self, line: object, *, there_are: str, learner: str | None = None) -> None:
        """`learner`: how the one fares that is to make its first version, where there is one."""
        begun = (
            f"{there_are}; a new model is begun by `weir dev --model FILE`, or by `weir learn "
            "--new` on a Kafka and a Redis of yours"
        )
        super().__init__(f"{line}: this store holds no version of it", advice=learner or begun)
        self.line = line


class NoSuchVersion(NotFound):
    """The version never was, or retention has dropped it."""

    def __init__(self, line: object, version: object) -> None:
        super().__init__(
            f"{line} {version}: no such version is kept",
            advice="`weir versions` lists those that are; pin or tag a version to keep it",
        )
        self.line, self.version = line, version


class Conflict(CheckpointError):
    """Somebody else changed the line since the caller looked."""

    exit_code = 4


class Fenced(Conflict):
    """Another writer or an operator's rollback has taken the line; this writer must let go."""

    def __init__(self, line: object, *, token: str) -> None:
        super().__init__(
            f"{line}: the writing token {token} is no longer valid",
            advice="throw the in-memory learner away and restore the head",
        )
        self.line, self.token = line, token


class Stale(Conflict):
    """The head or the newest command is not the one on which this change was built."""

    def __init__(self, line: object, what: str) -> None:
        super().__init__(
            f"{line}: {what}", advice="read the state again and repeat if it is still wanted"
        )
        self.line = line


class Held(Conflict):
    """Another live learner holds the lease of this line."""

    def __init__(self, line: object, *, holder: str, remaining_s: float) -> None:
        super().__init__(
            f"{line}: {holder} is learning it (lease ends in {remaining_s:.1f} s)",
            advice="stop that learner, or wait for its lease to end",
        )
        self.line, self.holder, self.remaining_s = line, holder, remaining_s


class Unavailable(CheckpointError):
    """Something this needs does not answer now; the same call may succeed later."""

    exit_code = 5


class StoreUnavailable(Unavailable):
    """Redis did not answer within the deadline, or refused to work.

    A change that was under way may or may not have happened: repeat it with the same id, or
    throw the in-memory state away and read the head.
    """

    def __init__(self, url: str, *, doing: str, cause: object, advice: str = "") -> None:
        super().__init__(
            f"Redis at {url} could not {doing}: {cause}",
            advice=advice or "check that it runs and that WEIR_REDIS__URL points to it",
        )
        self.url, self.doing, self.cause = url, doing, cause


class StoreForbidden(StoreUnavailable):
    """Redis does not know this user and password, or does not let it do what it must.

    Nothing but an administrator's hand changes that, so nobody waits for it as for a server that
    is away. What is in memory goes on serving.
    """

    exit_code = 6


class NotInForce(Unavailable):
    """A command is written and signed, but nobody has yet confirmed that it obeys it."""


class Refused(CheckpointError):
    """A guard said no."""

    exit_code = 6


class Tampered(Refused):
    """Something in the store is not what the holder of the right key signed. Nothing was loaded."""

    def __init__(self, where: str, why: str, *, advice: str = "") -> None:
        super().__init__(
            f"{where}: {why}",
            advice=advice
            or "readers keep the last good version; find out who wrote to Redis, "
            "run `weir verify`, then roll back to a version that verifies",
        )
        self.where, self.why = where, why


class UnknownKey(Tampered):
    """A record that is whole, signed by a key that this process was not given."""

    def __init__(self, where: str, kind: str, key: str) -> None:
        super().__init__(
            where,
            f"the {kind} is signed by {key[:80]!r}, no key known here",
            advice="if the key is one of yours, give this process its public half "
            "(WEIR_SIGNING__LEARNER_PUBLIC, …); if not, find out who wrote to Redis",
        )


class DamagedHead(Refused):
    """The newest version cannot be read, and nothing goes on silently from an older one."""

    def __init__(self, line: object, name: str, why: str, *, mend: str) -> None:
        super().__init__(f"{line}: the head {name} is damaged ({why})", advice=mend)
        self.line, self.name, self.why = line, name, why


class ReadFurther(Refused):
    """A version to go back to has learned records that the line will read again."""

    def __init__(self, target: object, place: str) -> None:
        super().__init__(
            f"{target} has learned beyond the place in the log at which {place} stands",
            advice="going on from it would learn records twice: choose an older version, or wait "
            "until learning has passed that place",
        )


class CheckpointCorrupt(Refused):
    """Stored bytes are missing, cut short, too long, or not what their hash promises."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"{where}: {why}",
            advice="run `weir verify`, then roll back to the newest version that verifies",
        )
        self.where, self.why = where, why


class UnknownFormat(Refused):
    """A record of a format this build does not read."""

    def __init__(self, where: str, found: object) -> None:
        super().__init__(
            f"{where}: written in format {found}, this build reads format 1",
            advice="upgrade this process to the version that wrote it",
        )
        self.where, self.found = where, found


class TooLarge(Refused):
    """More bytes than the limit allows; refused before they were fetched or stored."""

    def __init__(self, where: str, *, bytes_found: int, bytes_max: int) -> None:
        super().__init__(
            f"{where}: {bytes_found} bytes, the limit is {bytes_max}",
            advice="raise `checkpoint.max_bytes` in the model file if this is expected",
        )
        self.where, self.bytes_found, self.bytes_max = where, bytes_found, bytes_max


class FileRefused(Refused):
    """A file is no exported version, or not as it was exported, or signed by nobody we believe."""

    def __init__(self, file: object, why: str, *, advice: str = "") -> None:
        super().__init__(
            f"{file}: {why}",
            advice=advice or "nothing of it was loaded: copy the file again, or export it again",
        )
        self.file, self.why = file, why


class UnsafePickle(Refused):
    """A payload asks for something our table of what may be loaded does not hold.

    Attributes:
        names: The module and the name that it asks for; None where it is refused otherwise.
    """

    names: tuple[str, str] | None = None


class UnsafeStore(Refused):
    """The Redis server is set up so that it may lose versions without saying so."""

    def __init__(self, url: str, problem: str, *, advice: str) -> None:
        super().__init__(f"Redis at {url}: {problem}", advice=advice)
        self.url, self.problem = url, problem


class KeyProblem(Refused):
    """A signing key is missing, unreadable, of the wrong kind, or open to other users."""
