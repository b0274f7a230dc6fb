"""Removing every key of a line from Redis, without holding the server up."""

from checkpoints.records.line import Line
from checkpoints.stores.redis_connection import RedisConnection

_HELD_MS = 60_000  # longer than one round takes
_SCANNED = 1000


def removed(redis: RedisConnection, line: Line, *, by: str) -> str | None:
    """Remove the line; None, or who holds it. See `Store.remove`.

    The pointers go first, in one step. What they led to goes in rounds; while they last, the line
    is held in the operator's name, so that no learner writes what is about to be removed.
    """
    lease, doing = f"{line.prefix}lease".encode(), f"remove {line}"
    arguments = {"holder": f"weir remove by {by[:80]}", "lease_ms": _HELD_MS}
    cursor = 0
    while True:
        holder = redis.run("remove", line.prefix, arguments, doing=doing)
        if holder:
            return str(holder.decode("utf-8", "replace"))
        cursor, keys = redis.ask(
            "SCAN", cursor, "MATCH", f"{line.prefix}*", "COUNT", _SCANNED, doing=doing
        )
        ours = [key for key in keys if key != lease]
        if ours:
            redis.ask("UNLINK", *ours, doing=doing)
        if not int(cursor):
            redis.ask("DEL", lease, doing=doing)
            return None
