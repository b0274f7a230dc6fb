"""What a user of Redis must be allowed, what it is not, and the rule that allows it.

An operator reads these words at night: they name the command or the keys that were refused, never
all that Weir needs, and they tell a wrong password from a missing right.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from checkpoints.errors import StoreForbidden
from checkpoints.stores.in_redis.wire import ErrorReply, RedisAddress, RedisError

__all__ = ["Denied", "Rights", "denied_in", "denied_of", "is_forbidden", "needed_by_a_learner"]

_RUN = re.compile(r"permissions? to run the '([^']+)' command", re.IGNORECASE)
_NOSCRIPT = re.compile(r"not allowed from script", re.IGNORECASE)
_KEYS, _CHANNELS = "weir:*", "weir:*"
_STRANGER = frozenset({"NOAUTH", "WRONGPASS"})
_UNASKED = "without any password"  # said of an AUTH that nobody asked for

Command = tuple[str, ...]


class Denied(Struct, frozen=True):
    """What a user may not do, and the ACL rules that would let it."""

    what: str
    rules: tuple[str, ...]


class Rights:
    """The words for a server's refusals to one user.

    Args:
        address: Of the server, and who asks.
        shown: The same, as messages may show it.
    """

    def __init__(self, address: RedisAddress, shown: str) -> None:
        self.user = address.user or "default"
        self._has_password = address.password is not None
        self._address = shown

    def refusal(self, doing: str, problem: RedisError) -> StoreForbidden:
        """Why `doing` was refused, in words for an operator."""
        if _is_stranger(problem):
            cause, advice = self._unknown(problem)
            return StoreForbidden(self._address, doing=doing, cause=cause, advice=advice)
        return self.missing(doing, [denied_of(str(problem))])

    def missing(self, doing: str, denied: Iterable[Denied]) -> StoreForbidden:
        """All that is `denied`, told together."""
        found = list(denied)
        whats = dict.fromkeys(each.what for each in found)
        rules = dict.fromkeys(rule for each in found for rule in each.rules)
        cause = f"its user {self.user!r} may not {', '.join(whats)} (NOPERM)"
        advice = "an administrator looks at ACL LOG, which says what it was"
        if rules:
            advice = f"an administrator adds it: ACL SETUSER {self.user} {' '.join(rules)}"
        return StoreForbidden(self._address, doing=doing, cause=cause, advice=advice)

    def _unknown(self, problem: RedisError) -> tuple[str, str]:
        """Redis does not know who asks."""
        if not self._has_password:
            cause = "it asks for a password, and WEIR_REDIS__URL has none (NOAUTH)"
            return cause, "write it as redis://user:password@host:port/0"
        if _UNASKED in str(problem):
            cause = f"its user {self.user!r} has no password, and WEIR_REDIS__URL gives one"
            return cause, "set one (requirepass, or ACL SETUSER), or leave it out of the URL"
        who = f"the password of its user {self.user!r} is wrong, or there is no such user"
        cause = f"{who}, or it is disabled (WRONGPASS)"
        return cause, "correct both in WEIR_REDIS__URL, special characters written as %XX"


def is_forbidden(problem: RedisError) -> bool:
    """Whether the server does not know who asks, or does not let it."""
    text = str(problem)
    return _is_stranger(problem) or "NOPERM" in text or "ACL failure in script" in text


def _is_stranger(problem: RedisError) -> bool:
    if not isinstance(problem, ErrorReply):
        return False
    return problem.code in _STRANGER or _UNASKED in str(problem)


def denied_of(text: str, command: Command = ()) -> Denied:
    """What a refusal means; `command` is what was refused, where that is known.

    >>> denied_of("User weir has no permissions to run the 'info' command")
    Denied(what='run INFO', rules=('+info',))
    >>> denied_of("No permissions to access a key").rules
    ('~weir:*',)
    """
    named = _RUN.search(text)
    if named:
        name = named[1].lower()
        return Denied(f"run {name.replace('|', ' ').upper()}", (f"+{name}",))
    if _NOSCRIPT.search(text) and command:
        name = command[0].lower()
        rules = (f"+{name}", f"&{_CHANNELS}") if len(command) > 1 else (f"+{name}",)
        return Denied(f"run {name.upper()}", rules)
    if "channel" in text.lower():
        return Denied(f"use the channels {_CHANNELS}", (f"&{_CHANNELS}",))
    if "key" in text.lower():
        writes = command and command[0] not in _READS
        return Denied(f"{'change' if writes else 'use'} the keys {_KEYS}", (f"~{_KEYS}",))
    return Denied(f"do that: {text}", ())


def needed_by_a_learner(key: str, channel: str) -> list[Command]:
    """Every command that a learner runs itself or in a script, on a key and a channel of its own.

    Who serves or gives orders runs some of these and no others.
    """
    return [
        *((name, key, *rest) for name, rest in _ON_KEYS),
        ("PUBLISH", channel, ""), ("SUBSCRIBE", channel),
        ("MULTI",), ("EXEC",), ("PING",), ("INFO",),
    ]  # fmt: skip


_ON_KEYS: Sequence[tuple[str, Command]] = (
    ("GETRANGE", ("0", "0")),
    ("GET", ()),
    ("EXISTS", ()),
    ("STRLEN", ()),
    ("PTTL", ()),
    ("ZCARD", ()),
    ("ZRANGE", ("0", "0")),
    ("ZREVRANGEBYSCORE", ("0", "0")),
    ("ZSCORE", ("m",)),
    ("SET", ("",)),
    ("SETRANGE", ("0", "")),
    ("EXPIRE", ("1",)),
    ("PERSIST", ()),
    ("DEL", ()),
    ("UNLINK", ()),
    ("HINCRBY", ("f", "1")),
    ("HDEL", ("f",)),
    ("ZADD", ("1", "m")),
    ("ZREM", ("m",)),
    ("ZREMRANGEBYRANK", ("0", "0")),
    ("ZREMRANGEBYSCORE", ("0", "0")),
)
_READS = frozenset(
    ("GETRANGE", "GET", "EXISTS", "STRLEN", "PTTL", "ZCARD", "ZRANGE", "ZREVRANGEBYSCORE", "ZSCORE")
)


def denied_in(reply: Sequence[Any], commands: Sequence[Command]) -> list[Denied]:
    """What `lua/allowed.lua` found."""
    pairs = zip(reply[::2], reply[1::2], strict=True)
    found = [denied_of(text.decode("utf-8", "replace"), commands[index]) for index, text in pairs]
    # Who may not use the channel may not subscribe to it, whatever else.
    is_channel = any(each.rules == (f"&{_CHANNELS}",) for each in found)
    return [each for each in found if not (is_channel and each.what == "run SUBSCRIBE")]
