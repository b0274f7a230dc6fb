"""Removing a model's line: every version, order and audit record of it, for good.

The store first lets go of the pointers, in one atomic step that no learner may hold the line for,
and then of what they led to. The log is not touched: events and dead letters stay in Kafka.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from checkpoints.errors import BadCommand, Conflict
from checkpoints.operating.not_found import no_such_model
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.records.line import Line
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Heads

_LISTED_MAX = 1_000_000  # more versions than any retention keeps


class LineHeldError(Conflict):
    """A learner holds the line. Stop it, wait for its lease to end, and remove the line then."""

    def __init__(self, line: Line, holder: str) -> None:
        super().__init__(
            f"{line} is held by learner {holder}: its line cannot be removed",
            advice="stop that learner first; the lease of one that was killed ends in seconds",
        )
        self.line, self.holder = line, holder


class Removal(Struct, frozen=True, kw_only=True):
    """What is removed, or would be.

    Attributes:
        versions: How many are kept.
        bytes: Of their segments, each counted once.
        damaged: How many of the versions cannot be read, and are not in `bytes`.
        head: The newest, `v17`; None where there is none that can be read.
    """

    model: str
    versions: int
    bytes: int
    damaged: int
    head: str | None

    def body(self, *, is_dry_run: bool) -> dict[str, Any]:
        """The command's answer."""
        return {
            "model": self.model,
            "head": self.head,
            "versions": self.versions,
            "bytes": self.bytes,
            "damaged": self.damaged,
            "dry_run": is_dry_run,
        }


def removal_lines(body: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    what = f"{body['versions']} versions of {body['model']}, {body['bytes']:,} bytes"
    what += f", {body['damaged']} of them damaged" if body["damaged"] else ""
    stays = "its topics and dead letters in Kafka stay"
    if body["dry_run"]:
        return [f"would be removed: {what}, with all orders and the audit; {stays}"]
    return [
        f"removed: {what}, with all orders and the audit; {stays}",
        f"Kafka's group of the model: {body['kafka_group']}",
    ]


def removal_of(store: Store, reader: LineReader, line: Line) -> Removal:
    """What there is to remove.

    Raises:
        NoSuchModel: Nothing at all.
    """
    kept = reader.listing(limit=_LISTED_MAX)
    sound = [each for each in kept if not isinstance(each, Damaged)]
    if not kept and store.control(line) is None:
        raise no_such_model(store, line)
    segments = {ref.sha256: ref.bytes for each in sound for ref in each.manifest.segments.values()}
    return Removal(
        model=str(line),
        versions=len(kept),
        bytes=sum(segments.values()),
        damaged=len(kept) - len(sound),
        head=sound[0].manifest.name if sound else None,
    )


def remove_line(store: Heads, line: Line, *, who: str, reason: str) -> None:
    """Remove all that the store keeps of the line.

    Raises:
        BadCommand: No reason is given.
        LineHeldError: A learner runs.
    """
    if not reason.strip():
        raise BadCommand("remove needs a reason", advice="say why: it is logged")
    holder = store.remove(line, by=who)
    if holder is not None:
        raise LineHeldError(line, holder)
