"""How a Redis server is set up, and what that means for the versions it is to keep.

Pure: what `INFO` answers goes in, findings come out. Each is looked at before a learner starts, and
again and again while it runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from checkpoints.errors import StoreUnavailable, UnsafeStore

__all__ = ["SECTIONS", "SetupFinding", "findings_of", "refuse_unsafe"]

SECTIONS = ("server", "memory", "persistence", "replication")  # of INFO

_OLDEST = (7, 0)  # scripts that say whether a full server may run them: `#!lua`

Level = Literal["ok", "warn", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFinding:
    """One thing looked at: fine, worth a warning, or a reason to refuse.

    Args:
        name: What was looked at: `version`, `role`, `eviction` or `persistence`.
    """

    name: str
    level: Level
    what: str
    mend: str = ""


def findings_of(facts: Mapping[str, Any]) -> list[SetupFinding]:
    """The findings, by the fields of `INFO`'s `SECTIONS`.

    >>> [found.name for found in findings_of({"maxmemory_policy": "allkeys-lru"})]
    ['version', 'role', 'eviction', 'persistence']
    """
    return [_version(facts), _role(facts), _eviction(facts), _persistence(facts)]


def refuse_unsafe(address: str, findings: Iterable[SetupFinding]) -> None:
    """Let a learner begin only where what it writes is kept.

    Raises:
        StoreUnavailable: Nothing can be written there now: a replica, which may be promoted.
        UnsafeStore: Versions might be lost without a word.
    """
    for found in findings:
        if found.level != "refuse":
            continue
        if found.name == "role":
            raise StoreUnavailable(
                address, doing="be written to", cause=found.what, advice=found.mend
            )
        raise UnsafeStore(address, found.what, advice=found.mend)


def _version(facts: Mapping[str, Any]) -> SetupFinding:
    text = str(facts.get("redis_version", "0"))
    number = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    server = f"{facts.get('server_name', 'redis')} speaking Redis {text}"
    if number < _OLDEST:
        return SetupFinding(
            name="version",
            level="refuse",
            what=f"{server} is too old",
            mend="use Redis 7.0 or Valkey 7.2, or newer",
        )
    return SetupFinding(name="version", level="ok", what=server)


def _role(facts: Mapping[str, Any]) -> SetupFinding:
    role = str(facts.get("role", "unknown"))
    if role != "slave":
        return SetupFinding(name="role", level="ok", what="a primary, which can be written to")
    primary = f"{facts.get('master_host', '?')}:{facts.get('master_port', '?')}"
    return SetupFinding(
        name="role",
        level="refuse",
        what=f"it is a read-only replica of {primary}",
        mend="let WEIR_REDIS__URL name the primary, or a name that follows it in a failover",
    )


def _eviction(facts: Mapping[str, Any]) -> SetupFinding:
    policy = str(facts.get("maxmemory_policy", "unknown"))
    if policy.startswith("allkeys-"):
        return SetupFinding(
            name="eviction",
            level="refuse",
            what=f"maxmemory-policy {policy} may evict any version in silence",
            mend="set `maxmemory-policy noeviction`",
        )
    level: Level = "ok" if policy == "noeviction" else "warn"
    mend = "" if level == "ok" else "set `maxmemory-policy noeviction`: a lease may be evicted"
    return SetupFinding(name="eviction", level=level, what=f"maxmemory-policy {policy}", mend=mend)


def _persistence(facts: Mapping[str, Any]) -> SetupFinding:
    if not int(facts.get("aof_enabled", 0)):
        return SetupFinding(
            name="persistence",
            level="warn",
            what="append-only file off: a restart of Redis loses the versions since its last dump",
            mend="set `appendonly yes`, `appendfsync everysec` or `always`",
        )
    if str(facts.get("aof_last_write_status", "ok")) != "ok":
        return SetupFinding(
            name="persistence",
            level="warn",
            what="append-only file on, but it could not be written last: nothing new is taken",
            mend="make room on the disk of Redis, or mend it",
        )
    return SetupFinding(name="persistence", level="ok", what="append-only file on")
