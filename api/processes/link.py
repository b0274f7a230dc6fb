"""What the loader and its workers say to each other, over a channel that neither ever waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeAlias

from api.serving.served import ServedPosition, Standings
from checkpoints.records.line import Line
from config.processes.channel import Channel, pair

Link: TypeAlias = Channel[Any]


@dataclass(frozen=True, slots=True)
class Tell:
    """To a worker: where the lines stand now, and which models other workers do not have yet."""

    standings: Standings
    awaited: frozenset[str]


@dataclass(frozen=True, slots=True)
class Retire:
    """To a worker: others take over; leave the connections to them and end."""


@dataclass(frozen=True, slots=True)
class Drain:
    """To a worker: the whole program ends; be not ready, and end a little later."""


@dataclass(frozen=True, slots=True)
class Report:
    """From a worker: how far it is; `is_quiet`: it begins no more requests."""

    places: Mapping[Line, ServedPosition]
    is_quiet: bool = False


def link_pair() -> tuple[Link, Link]:
    """Two ends of one link."""
    return pair(_pickled, ForkingPickler.loads)


def _pickled(message: Any) -> bytes:
    return bytes(ForkingPickler.dumps(message))
