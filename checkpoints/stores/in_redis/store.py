"""The store in Redis: its three parts over one connection, and what the server's set-up means."""

from __future__ import annotations

from checkpoints.records.line import Line
from checkpoints.stores.in_redis.heads import RedisHeads
from checkpoints.stores.in_redis.presence import RedisPresence
from checkpoints.stores.in_redis.records import RedisRecords
from checkpoints.stores.in_redis.replies import facts_of
from checkpoints.stores.in_redis.rights import denied_in, needed_by_a_learner
from checkpoints.stores.in_redis.setup import SECTIONS, findings_of, memory_of
from checkpoints.stores.setup import SetupFinding

__all__ = ["RedisStore"]


class RedisStore(RedisRecords, RedisHeads, RedisPresence):
    """The store contract over one Redis or Valkey server; its arguments are a `RedisPart`'s."""

    @property
    def address(self) -> str:
        """Of the server, as messages may show it: without its password."""
        return self._redis.address

    def findings(self) -> list[SetupFinding]:
        """What the server's set-up means for the versions it is to keep."""
        asked = [("INFO", section) for section in SECTIONS]
        replies = self._redis.ask_all(asked, doing="say how it is set up")
        return findings_of(facts_of(b"\r\n".join(replies)))

    def memory(self) -> tuple[SetupFinding, int]:
        """How full the server is, and the bytes that it may still use."""
        return memory_of(facts_of(self._redis.ask("INFO", "memory", doing="say how full it is")))

    def require_rights(self, line: Line) -> None:
        """See that all is allowed that a learner does to the keys of its line.

        Raises:
            StoreForbidden: Something is not; all of it is named.
        """
        commands = needed_by_a_learner(f"{line.prefix}rights", f"{line.prefix}moved")
        doing = "say what a learner may do"
        reply = self._redis.run("allowed", line.prefix, {"commands": commands}, doing=doing)
        if denied := denied_in(reply, commands):
            raise self._redis.rights.missing("give a learner the rights it needs", denied)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()
