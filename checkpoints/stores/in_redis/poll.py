"""A look at where lines stand: three reads a line while nothing moves, one transaction when it has.

Head and orders must be of one moment. A transaction gives that, and so do single reads that find
what the last transaction found: neither ever goes back to what it was, so both have stood all the
while.
"""

from collections.abc import Sequence

from checkpoints.records.line import Line
from checkpoints.stores.heads import Position
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.part import SMALL_BYTES
from checkpoints.stores.in_redis.replies import position_of
from checkpoints.stores.presence import BEAT_BYTES_MAX

__all__ = ["RedisPoll"]

_POLLED = (("head", SMALL_BYTES), ("control", SMALL_BYTES), ("beat:learner", BEAT_BYTES_MAX))

Moves = tuple[str | None, str | None]


class RedisPoll:
    """Looks, and remembers what it found; safe to use from several threads."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection
        self._found: dict[Line, Moves] = {}  # of the lines that somebody follows: few

    def look(self, lines: Sequence[Line]) -> dict[Line, Position]:
        """What each line points to now."""
        known = [self._found.get(line) for line in lines]
        if None not in known:
            found = self._read(lines, together=False)
            if [_moves(found[line]) for line in lines] == known:
                return found
        found = self._read(lines, together=True)
        self._found |= {line: _moves(position) for line, position in found.items()}
        return found

    def _read(self, lines: Sequence[Line], *, together: bool) -> dict[Line, Position]:
        commands = [
            ("GETRANGE", line.prefix + name, 0, bytes_max)
            for line in lines
            for name, bytes_max in _POLLED
        ]
        doing = "say what has moved"
        replies = iter(self._redis.ask_all(commands, doing=doing, together=together))
        return {
            line: position_of(line, next(replies), next(replies), next(replies)) for line in lines
        }


def _moves(position: Position) -> Moves:
    return position.head, position.control
