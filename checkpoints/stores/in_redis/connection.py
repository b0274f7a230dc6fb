"""One Redis server: reached within a deadline, its errors told in our words.

The driver's own retries are off: it would send a change again without saying so. Here every
attempt carries the same id, and the scripts in `lua/` answer a repeated one as such.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import TimeoutError as TimedOutError
from redis.retry import Retry

from checkpoints.errors import BadCommand, StoreUnavailable, Tampered
from checkpoints.stores.in_redis.hints import RedisHints
from checkpoints.stores.in_redis.rights import Rights
from config.text.addresses import without_password

__all__ = ["RedisConnection"]

T = TypeVar("T")

_LUA = Path(__file__).with_name("lua")
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5

# Worth another attempt: the server is away, restarting, loading, or handing over to another.
_PASSING = (ConnectionLostError, TimedOutError, BusyLoadingError, ReadOnlyError, ClusterDownError,
            TryAgainError)  # fmt: skip
_FORBIDDEN = (AuthenticationError, AuthorizationError, NoPermissionError)


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
            self.rights = Rights(url, self.address)
            self._client = Redis.from_url(
                url,
                protocol=2,
                decode_responses=False,
                socket_timeout=timeout_s,
                socket_connect_timeout=min(timeout_s, 2.0),
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 0),
                client_name=client_name,
            )
        except ValueError:  # its words may show a part of the password
            raise BadCommand(
                f"the address of Redis, {self.address}, cannot be read",
                advice="write WEIR_REDIS__URL as redis://[user:password@]host:port/0, special "
                "characters of the password as %XX",
            ) from None
        # The driver leaves this one without types.
        self._execute: Callable[..., Any] = self._client.execute_command

    def close(self) -> None:
        """Give the connections back; the next call opens new ones."""
        self._client.close()

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
            try:
                return self._execute("EVALSHA", sha, *rest)
            except NoScriptError:
                return self._execute("EVAL", source, *rest)

        return self.attempt(once, doing=doing)

    def ask(self, *command: Any, doing: str) -> Any:
        """One command that only reads."""
        return self.attempt(lambda: self._execute(*command), doing=doing)

    def ask_all(
        self, commands: Sequence[tuple[Any, ...]], *, doing: str, together: bool = False
    ) -> list[Any]:
        """Many commands in one round trip; `together`: as one transaction, so that they agree.

        Each must bear being done twice.
        """

        def once() -> list[Any]:
            with self._client.pipeline(transaction=together) as pipeline:
                execute: Callable[..., Any] = pipeline.execute_command
                for command in commands:
                    execute(*command)
                return list(pipeline.execute())

        return self.attempt(once, doing=doing) if commands else []

    def hints(self, channels: Sequence[str], *, sure_s: float) -> RedisHints:
        """Hints from `channels`, over a connection of their own."""
        return RedisHints(self._client, channels, sure_s=sure_s)

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
            except _FORBIDDEN as problem:
                raise self.rights.refusal(doing, problem) from problem
            except _PASSING as problem:
                if self._clock() + pause >= give_up_at:
                    raise self._unavailable(doing, problem, "") from problem
            except RedisError as problem:
                raise self._refusal(doing, problem) from problem
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _unavailable(self, doing: str, cause: object, advice: str) -> StoreUnavailable:
        return StoreUnavailable(self.address, doing=doing, cause=cause, advice=advice)

    def _refusal(self, doing: str, problem: RedisError) -> Exception:
        text = str(problem)
        if "NOPERM" in text or "ACL failure in script" in text:
            return self.rights.refusal(doing, problem)
        if "WRONGTYPE" in text:
            return Tampered(f"Redis at {self.address}, to {doing}", text)
        if isinstance(problem, OutOfMemoryError) or "OOM" in text or "EXECABORT" in text:
            return self._unavailable(doing, text, _ADVICE_FULL)
        if "MISCONF" in text:
            return self._unavailable(doing, text, _ADVICE_DISK)
        return self._unavailable(doing, text, "")


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
