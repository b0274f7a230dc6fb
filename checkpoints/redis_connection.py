"""One Redis server: reached within a deadline, its errors told in our words, its set-up checked.

The driver's own retries are off: it would send a change again without saying so. Here every
attempt carries the same id, and the scripts in `lua/` answer a repeated one as such.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

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

from checkpoints.errors import BadCommand, StoreUnavailable, Tampered, UnsafeStore
from checkpoints.redis_hints import RedisHints

__all__ = ["Finding", "RedisConnection"]

T = TypeVar("T")

_LUA = Path(__file__).with_name("lua")
_OLDEST = (7, 0)  # scripts that say whether a full server may run them: `#!lua`

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5

# Worth another attempt: the server is away, restarting, loading, or handing over to another.
_PASSING = (ConnectionLostError, TimedOutError, BusyLoadingError, ReadOnlyError, ClusterDownError,
            TryAgainError)  # fmt: skip
_FORBIDDEN = (AuthenticationError, AuthorizationError, NoPermissionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at in the server's set-up: fine, worth a warning, or a reason to refuse."""

    level: Literal["ok", "warn", "refuse"]
    what: str
    mend: str = ""


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
        try:
            self.address = _without_password(url)
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
        except ValueError as problem:
            raise BadCommand(
                f"the address of Redis cannot be read: {problem}",
                advice="write WEIR_REDIS__URL as redis://[user:password@]host:port/0",
            ) from problem
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

    def hints(self, channels: Sequence[str]) -> RedisHints:
        """Hints from `channels`, over a connection of their own."""
        return RedisHints(self._client, channels)

    def attempt(self, call: Callable[[], T], *, doing: str) -> T:
        """Call until it is answered or the deadline has passed.

        Raises:
            StoreUnavailable: no answer in time, or the server refuses to work. What was asked for
                may have been done.
            Tampered: a key holds another type of value than ours have.
        """
        give_up_at = self._clock() + self._deadline_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return call()
            except _FORBIDDEN as problem:
                raise self._unavailable(doing, problem, _ADVICE_FORBIDDEN) from problem
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
        if "WRONGTYPE" in text:
            return Tampered(f"Redis at {self.address}, to {doing}", text)
        if isinstance(problem, OutOfMemoryError) or "OOM" in text or "EXECABORT" in text:
            return self._unavailable(doing, text, _ADVICE_FULL)
        if "MISCONF" in text:
            return self._unavailable(doing, text, _ADVICE_DISK)
        return self._unavailable(doing, text, "")

    def findings(self) -> list[Finding]:
        """What the server's set-up means for the versions it is to keep."""
        replies = self.ask_all(
            [("INFO", "server"), ("INFO", "memory"), ("INFO", "persistence")],
            doing="say how it is set up",
        )
        facts = {name: value for reply in replies for name, value in reply.items()}
        return [_version(facts), _eviction(facts), _persistence(facts)]

    def require_safe(self) -> list[Finding]:
        """The findings, for a process about to start.

        Raises:
            UnsafeStore: one of them is a reason to refuse.
        """
        found = self.findings()
        for finding in found:
            if finding.level == "refuse":
                raise UnsafeStore(self.address, finding.what, advice=finding.mend)
        return found


_ADVICE_FORBIDDEN = "give WEIR_REDIS__URL a user that may read, write and run scripts on weir:*"
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


def _without_password(url: str) -> str:
    """The address as it may stand in a log.

    >>> _without_password("rediss://weir:secret@cache.example:6380/2")
    'rediss://cache.example:6380/2'
    """
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _version(facts: dict[str, Any]) -> Finding:
    text = str(facts.get("redis_version", "0"))
    number = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    server = f"{facts.get('server_name', 'redis')} speaking Redis {text}"
    if number < _OLDEST:
        return Finding(
            level="refuse",
            what=f"{server} is too old",
            mend="use Redis 7.0 or Valkey 7.2, or newer",
        )
    return Finding(level="ok", what=server)


def _eviction(facts: dict[str, Any]) -> Finding:
    policy = str(facts.get("maxmemory_policy", "unknown"))
    if policy.startswith("allkeys-"):
        return Finding(
            level="refuse",
            what=f"maxmemory-policy {policy} may evict any version in silence",
            mend="set `maxmemory-policy noeviction`",
        )
    level: Literal["ok", "warn"] = "ok" if policy == "noeviction" else "warn"
    mend = "" if level == "ok" else "set `maxmemory-policy noeviction`: a lease may be evicted"
    return Finding(level=level, what=f"maxmemory-policy {policy}", mend=mend)


def _persistence(facts: dict[str, Any]) -> Finding:
    if int(facts.get("aof_enabled", 0)):
        return Finding(level="ok", what="append-only file on")
    return Finding(
        level="warn",
        what="append-only file off: a restart of Redis loses the versions since its last dump",
        mend="set `appendonly yes`, `appendfsync everysec` or `always`",
    )
