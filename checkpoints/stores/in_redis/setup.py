"""How a Redis server is set up, and what that means for the versions it is to keep.

Pure: what `INFO` answers goes in, findings come out.
"""

from collections.abc import Mapping
from typing import Any

from checkpoints.stores.setup import Level, SetupFinding
from config.text.sizes import mib

__all__ = ["SECTIONS", "findings_of", "memory_of"]

SECTIONS = ("server", "memory", "persistence", "replication")  # of INFO

# Beyond this share of what it may use, Redis is about to refuse versions.
_FULL_SHARE = 0.8
_OLDEST = (7, 0)  # scripts that say whether a full server may run them: `#!lua`


def findings_of(facts: Mapping[str, Any]) -> list[SetupFinding]:
    """The findings, by the fields of `INFO`'s `SECTIONS`.

    >>> [found.name for found in findings_of({"maxmemory_policy": "allkeys-lru"})]
    ['version', 'role', 'eviction', 'persistence']
    """
    return [_version(facts), _role(facts), _eviction(facts), _persistence(facts)]


def memory_of(facts: Mapping[str, Any]) -> tuple[SetupFinding, int]:
    """How full it is, by `INFO memory`, and the bytes that it may still use.

    They are those of `maxmemory`, else of the machine.
    """
    names = ("maxmemory", "used_memory", "total_system_memory")
    limit, used, machine = (int(facts.get(name, 0)) for name in names)
    free = max(0, (limit or machine) - used)
    if limit == 0:
        what = f"{mib(used)} used, maxmemory is not set"
        return SetupFinding(name="memory", level="ok", what=what), free
    what = f"{mib(used)} of {mib(limit)} (maxmemory) used"
    if used <= _FULL_SHARE * limit:
        return SetupFinding(name="memory", level="ok", what=what), free
    mend = (
        "raise maxmemory, or lower `checkpoint.keep` in the model files and start the learners "
        "again: a full Redis refuses new versions"
    )
    return SetupFinding(name="memory", level="warn", what=what, mend=mend), free


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
