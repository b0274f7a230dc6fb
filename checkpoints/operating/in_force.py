"""When an order is in force, by the heartbeats of those who must obey it.

Heartbeats are unsigned: nonsense in one holds nobody up.
"""

import time
from collections.abc import Callable

from msgspec import Struct

from checkpoints.errors import NotInForce, StoreUnavailable
from checkpoints.operating.verbs import VERBS
from checkpoints.reading.views import timestamp
from checkpoints.records.control import ControlRecord
from checkpoints.records.line import Line
from checkpoints.stores.contract import Store
from checkpoints.stores.presence import BEAT_SHOWN_S, Beat

_LOOK_S = 0.02
_USUAL_S = 1.0  # most orders are in force before


class Enforcement(Struct, frozen=True, kw_only=True):
    """Waits until an order is in force.

    Attributes:
        clock_ms: Unix, UTC.
        steady_s: Seconds, monotonic; waiting ends by it.
        pause: Called between two looks, with seconds.
        limit_s: How long to wait for live processes to obey.
        on_wait: Told whom we wait for, where that takes longer than usual.
    """

    store: Store
    clock_ms: Callable[[], int] = lambda: int(time.time() * 1000)
    steady_s: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    limit_s: float = 10.0
    on_wait: Callable[[str], None] = lambda _what: None

    def await_obeyed(self, line: Line, record: ControlRecord) -> None:
        """Return when no live process is behind the command; one that is down holds nothing up.

        Raises:
            NotInForce: One has not obeyed in time, or the store does not say.
        """
        verb = VERBS[record.command.command]
        waits_for = ("api", "learner") if record.command.mode == "rewind" else verb.waits_for
        began_s, said = self.steady_s(), ""
        try:
            while late := ", ".join(self._late(line, waits_for, record)):
                waited_s = self.steady_s() - began_s
                if waited_s >= self.limit_s:
                    raise _not_in_force(line, record, late)
                if waited_s >= _USUAL_S and late != said:
                    said = late
                    self.on_wait(f"{line}: waiting for {late}")
                self.pause(_LOOK_S)
            if verb.fences:
                self._fence_unless_obeyed(line, record)
        except StoreUnavailable as error:
            raise _not_in_force(line, record, "the store") from error

    def _late(self, line: Line, roles: tuple[str, ...], record: ControlRecord) -> list[str]:
        beats = [
            (f"{role} {name}", beat)
            for role in roles
            for name, beat in self.store.beats(line, role).items()
        ]
        now_ms = self.clock_ms()
        return [named(who, beat, now_ms) for who, beat in beats if is_behind(beat, record.seq)]

    def _fence_unless_obeyed(self, line: Line, record: ControlRecord) -> None:
        """A learner that nobody hears of any more may be at work all the same."""
        beats, command = self.store.beats(line, "learner").values(), record.command
        if not any(obeyed_seq(beat) >= record.seq for beat in beats):
            self.store.fence(line, by=f"{command.who[:80]}:{command.id[:16]}")


def _not_in_force(line: Line, record: ControlRecord, late: str) -> NotInForce:
    command = record.command
    return NotInForce(
        f"{line}: {command.command} is ordered (command {command.id}) but not yet obeyed by {late}",
        advice="it holds: they will obey as soon as they can, a large model takes a while to load; "
        "`weir status` shows when",
    )


def obeyed_seq(beat: Beat) -> int:
    """The number of the newest command that it says to obey; -1 where it says nonsense."""
    found = beat.get("control_seq", 0)
    return found if isinstance(found, int) else -1


def is_behind(beat: Beat, seq: int) -> bool:
    """Whether it is at work and does not obey command `seq` yet."""
    is_at_work = beat.get("state") not in ("stopped", "failed")
    return is_at_work and 0 <= obeyed_seq(beat) < seq


def named(who: str, beat: Beat, now_ms: int) -> str:
    """Its name, and since when it has been silent, if it has.

    >>> named("api web-1:8000", {"at_ms": 1_700_000_000_000}, now_ms=1_700_000_004_000)
    'api web-1:8000 (silent since 2023-11-14T22:13:20.000Z)'
    >>> named("api web-1:8000", {"at_ms": 1_700_000_000_000}, now_ms=1_700_000_001_000)
    'api web-1:8000'
    """
    at_ms = beat.get("at_ms")
    if not isinstance(at_ms, int) or not 0 <= at_ms < now_ms - 1000 * BEAT_SHOWN_S:
        return who
    return f"{who} (silent since {timestamp(at_ms)})"
