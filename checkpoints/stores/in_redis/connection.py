"""One Redis server: reached within a deadline, its errors told in our words.

Every attempt carries the same id, and the scripts in `lua/` answer a repeated one as such: so what
was not answered is simply asked again.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from checkpoints.errors import BadCommand, StoreUnavailable, Tampered
from checkpoints.stores.in_redis.hints import RedisHints
from checkpoints.stores.in_redis.rights import Rights, is_forbidden
from checkpoints.stores.in_redis.wire import (
    Command,
    ConnectionLost,
    ErrorReply,
    RedisError,
    ReplyTimeout,
    Wire,
    read_url,
    sound,
)
from config.text.addresses import without_password

__all__ = ["RedisConnection"]

T = TypeVar("T")

_LUA = Path(__file__).with_name("lua")
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5

# Worth another attempt: the server is restarting, loading, or handing over to another.
_PASSING = frozenset({"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"})
_CROWDED = "max number of clients reached"


class RedisConnection:
    """A pool of connections to one server; safe to share between threads.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with password and database if need be.
        deadline_s: How long one call may try again before it raises StoreUnavailable.
        timeout_s: Of one attempt on its socket.
        clock: Seconds, monotonic.
        sleep: Waits so many seconds.

    Raises:
        BadCommand: `url` is no address of a Redis server.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_s: float = 10.0,
        timeout_s: float = 5.0,
        client_name: str = "weir",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._deadline_s = deadline_s
        self._clock = clock
        self._sleep = sleep
        self.address = without_password(url)
        try:
            address = read_url(url)
        except ValueError:  # its words may show a part of the password
            raise BadCommand(
                f"the address of Redis, {self.address}, cannot be read",
                advice="write WEIR_REDIS__URL as redis://[user:password@]host:port/0, special "
                "characters of the password as %XX",
            ) from None
        self.rights = Rights(address, self.address)
        self._open = functools.partial(Wire, address, timeout_s=timeout_s, client_name=client_name)
        self._idle = _IdleWires()

    def close(self) -> None:
        """Give the connections back; the next call opens new ones."""
        self._idle.close()

    def run(
        self, script: str, prefix: str, arguments: object, *envelopes: bytes, doing: str
    ) -> Any:
        """Run `lua/{script}.lua` for the line whose keys begin with `prefix`.

        The arguments travel as JSON, the envelopes beside them. A reply that is lost is asked for
        again with the same arguments until the deadline.
        """
        source, sha = _script(script)
        rest = (1, prefix, msgspec.json.encode(arguments), *envelopes)

        def once() -> Any:
            (reply,) = self._exchange([("EVALSHA", sha, *rest)])
            if isinstance(reply, ErrorReply) and reply.code == "NOSCRIPT":
                (reply,) = self._exchange([("EVAL", source, *rest)])
            return sound(reply)

        return self.attempt(once, doing=doing)

    def ask(self, *command: Any, doing: str) -> Any:
        """One command that only reads."""
        (reply,) = self.ask_all([command], doing=doing)
        return reply

    def ask_all(
        self, commands: Sequence[Command], *, doing: str, together: bool = False
    ) -> list[Any]:
        """Many commands in one round trip; `together`: as one transaction, so that they agree.

        Each must bear being done twice.
        """

        def once() -> list[Any]:
            return [sound(reply) for reply in self._exchange(commands, together=together)]

        return self.attempt(once, doing=doing) if commands else []

    def hints(self, channels: Sequence[str], *, sure_s: float) -> RedisHints:
        """Hints from `channels`, over a connection of their own."""
        return RedisHints(self._open, channels, sure_s=sure_s)

    def _exchange(self, commands: Sequence[Command], *, together: bool = False) -> list[Any]:
        wire = self._idle.take() or self._open()
        try:
            replies = _transaction(wire, commands) if together else wire.exchange(commands)
        except BaseException:
            wire.close()  # what still comes over it answers something else
            raise
        self._idle.put(wire)
        return replies

    def attempt(self, call: Callable[[], T], *, doing: str) -> T:
        """Call until it is answered or the deadline has passed.

        Raises:
            StoreUnavailable: no answer in time, or the server refuses to work. What was asked for
                may have been done.
            StoreForbidden: the server knows nobody of this name and password, or does not let it.
            Tampered: a key holds another type of value than ours have.
        """
        give_up_at = self._clock() + self._deadline_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return call()
            except RedisError as problem:
                if not _is_passing(problem):
                    raise self._refusal(doing, problem) from problem
                if self._clock() + pause >= give_up_at:
                    raise self._unavailable(doing, problem, "") from problem
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _unavailable(self, doing: str, cause: object, advice: str) -> StoreUnavailable:
        return StoreUnavailable(self.address, doing=doing, cause=cause, advice=advice)

    def _refusal(self, doing: str, problem: RedisError) -> Exception:
        text = str(problem)
        if is_forbidden(problem):
            return self.rights.refusal(doing, problem)
        if "WRONGTYPE" in text:
            return Tampered(f"Redis at {self.address}, to {doing}", text)
        if "OOM" in text or "EXECABORT" in text:
            return self._unavailable(doing, text, _ADVICE_FULL)
        if "MISCONF" in text:
            return self._unavailable(doing, text, _ADVICE_DISK)
        return self._unavailable(doing, text, "")


class _IdleWires:
    """Connections that nobody uses; safe to share between threads, and empty in a forked child."""

    def __init__(self) -> None:
        self._wires: list[Wire] = []
        self._pid = os.getpid()

    def take(self) -> Wire | None:
        """One that still stands, if there is any."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self.close()
        while self._wires:
            try:
                wire = self._wires.pop()
            except IndexError:  # another thread has taken it
                return None
            if not wire.is_readable(0):  # nothing is expected: it would be its end
                return wire
            wire.close()
        return None

    def put(self, wire: Wire) -> None:
        self._wires.append(wire)

    def close(self) -> None:
        while self._wires:
            self._wires.pop().close()


def _transaction(wire: Wire, commands: Sequence[Command]) -> list[Any]:
    """The replies of one transaction; a refusal of any of it is raised."""
    replies = wire.exchange([("MULTI",), *commands, ("EXEC",)])
    found: list[Any] = [sound(reply) for reply in replies][-1]
    return found


def _is_passing(problem: RedisError) -> bool:
    if isinstance(problem, ErrorReply):
        return problem.code in _PASSING or _CROWDED in str(problem)
    return isinstance(problem, ConnectionLost | ReplyTimeout)


_ADVICE_FULL = (
    "nothing was changed; raise maxmemory, or lower `checkpoint.keep` in the model file and start "
    "the learner again, which then drops what is no longer kept"
)
_ADVICE_DISK = "nothing was changed; make room on the disk of Redis"


@functools.cache
def _script(name: str) -> tuple[str, str]:
    """The source of a script with what all share, and the SHA-1 by which Redis knows it."""
    shared, own = ((_LUA / f"{part}.lua").read_text("utf-8") for part in ("shared", name))
    flags, _, body = own.partition("\n")
    source = "\n".join((flags, shared, body))
    return source, sha1(source.encode(), usedforsecurity=False).hexdigest()
